"""The HTTP server around the application: ports, and what is joined into one write."""

import asyncio
import socket

import pytest
from localcloud.app import Cloud
from localcloud.http_server import HttpServer
from localcloud.listener import ListenError
from localcloud.settings import Settings
from starlette.responses import StreamingResponse
from testkit.patience import PATIENCE_S

FREE = {"http_host": "127.0.0.1", "mqtt_host": "127.0.0.1", "mqtt_port": 0, "ws_port": 0, "wss_port": 0}


async def _stream(scope, receive, send):
    async def pieces():
        for n in range(3):
            yield b"%d" % n * 100000
            await asyncio.sleep(0)

    await StreamingResponse(pieces())(scope, receive, send)


def test_an_answer_longer_than_any_buffer_arrives_whole():
    async def scene():
        server = HttpServer(_stream)
        await server.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()
        await server.stop()
        return answer

    answer = asyncio.run(scene())
    assert [answer.count(digit * 1000) for digit in (b"0", b"1", b"2")] == [100, 100, 100]
    assert answer.endswith(b"0\r\n\r\n")


def test_a_port_that_is_taken_is_told_with_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=r"127\.0\.0\.1 port %d: another program uses it.*--http-port" % port):
            asyncio.run(HttpServer(_stream).start("127.0.0.1", port))


def test_an_address_that_is_not_of_this_machine_is_told():
    with pytest.raises(ListenError, match=r"192\.0\.2\.1 port 0: .*--http-host"):
        asyncio.run(HttpServer(_stream).start("192.0.2.1", 0))


def test_a_cloud_that_cannot_start_leaves_no_port_open(tmp_path):
    async def scene():
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            cloud = Cloud(Settings(tmp_path, http_port=port, **FREE))
            with pytest.raises(ListenError):
                await cloud.start()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", cloud.mqtt_port)

    asyncio.run(scene())


def test_a_cloud_can_be_stopped_twice_and_started_again(tmp_path):
    async def scene():
        cloud = Cloud(Settings(tmp_path, http_port=0, **FREE))
        for _ in range(2):
            await cloud.start()
            await cloud.stop()
            await cloud.stop()

    asyncio.run(scene())
