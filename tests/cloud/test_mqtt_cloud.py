"""The cloud's own MQTT session."""

import asyncio
import logging

import pytest
from localcloud.broker import BrokerError, make_broker
from localcloud.mqtt import CloudMqtt
from testkit.mqtt_parts import (
    DID,
    LOGIN,
    Presence,
    Store,
    in_loop,
    publish_packet,
    raw_client,
    running_broker,
)
from testkit.patience import PATIENCE_S

# Others in this process log as they come to their end.
LOG = "localcloud.mqtt"


@in_loop
async def test_session_comes_back_when_the_broker_does(tmp_path, caplog):
    async with running_broker("embedded", tmp_path, LOGIN) as bench:
        await bench.broker.stop()
        await bench.broker.start()
        async with raw_client(bench) as device:
            await device.connect()
            while bench.messages.empty():
                device.send(publish_packet("dev2app/" + DID, b"report"))
                await asyncio.sleep(0.05)  # nothing tells when the session is back but a message that gets through
        assert bench.messages.get_nowait() == ("dev2app/" + DID, b"report")
    assert [record.levelno for record in caplog.records if "connecting again" in record.getMessage()] == [
        logging.WARNING
    ]


@in_loop
async def test_refused_session_is_one_clear_error(tmp_path):
    async with running_broker("embedded", tmp_path) as bench:
        session = CloudMqtt(lambda message: None, ("dev2app/#",))
        with pytest.raises(BrokerError, match=r"port %d: Bad user name or password" % bench.broker.port):
            await session.start("127.0.0.1", bench.broker.port, bench.broker.cloud_username, "wrong")


@in_loop
async def test_message_that_is_not_handled_is_logged_and_the_next_one_comes(tmp_path, caplog):
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        got = asyncio.Queue()

        def handle(message):
            got.put_nowait(message.payload)
            raise ValueError("handler is broken")

        session = CloudMqtt(handle, ("dev2app/#",))
        await session.start("127.0.0.1", bench.broker.port, bench.broker.cloud_username, bench.broker.cloud_password)
        await device.connect()
        for payload in (b"first", b"second"):
            device.send(publish_packet("dev2app/" + DID, payload))
            assert await asyncio.wait_for(got.get(), PATIENCE_S) == payload
        await session.stop()
    assert "handler is broken" in caplog.text


@in_loop
async def test_message_is_lost_and_said_so_while_the_broker_is_away(tmp_path, caplog):
    async with running_broker("embedded", tmp_path, LOGIN) as bench:
        await bench.cloud.stop()
        bench.cloud.publish("app2dev/%s/app" % DID, b"lost")
    assert ["not sent to" in record.getMessage() for record in caplog.records if record.name == LOG] == [True]


@in_loop
async def test_broker_that_listens_everywhere_is_found(tmp_path):
    broker = make_broker(
        "embedded", host="0.0.0.0", port=0, data_dir=tmp_path, credentials=Store(), listener=Presence()
    )
    await broker.start()
    session = CloudMqtt(lambda message: None, ("dev2app/#",))
    await session.start("0.0.0.0", broker.port, broker.cloud_username, broker.cloud_password)
    await session.stop()
    await broker.stop()
