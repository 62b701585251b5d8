"""The chip waits to be configured: somebody tells it of a network, by the web form or as a vendor app does."""

import asyncio
import contextlib
import socket

import pytest
from testkit.heard import until
from testkit.mosquitto_running import free_port
from testkit.patience import PATIENCE_S
from testkit.upy_radio import start, stored

from gagent import wire

pytestmark = pytest.mark.micropython


def _configured(tmp_path, configure):
    """(what `configure(port)` found, the networks stored) with our own network open until the other one is joined."""

    async def scenario():
        port = free_port()
        task = asyncio.create_task(start(tmp_path, "spin(wifi, joined)", before="air(other)", port=port))
        try:
            found = await configure(port)
            await task
        finally:
            task.cancel()
        return found

    return asyncio.run(scenario()), stored(tmp_path)


async def _ask(port, *pieces):
    """What the form answers to a request in these pieces."""
    writer = None
    async with asyncio.timeout(PATIENCE_S):
        while writer is None:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.01)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    answer = await reader.read()
    writer.close()
    return answer


def _post(body):
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


GOOD_FORM = b"ssid=other&pass=othersecret"


def test_the_form_is_shown_and_what_is_filled_in_is_joined(tmp_path):
    async def configure(port):
        return await _ask(port, b"GET / HTTP/1.1\r\n\r\n"), await _ask(port, _post(GOOD_FORM))

    (form, done), kept = _configured(tmp_path, configure)
    head, page = form.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: %d" % len(page) in head
    assert b'<input name="ssid"' in page and b'<input name="pass" type="password"' in page
    assert len(form) <= 1460
    assert b"Thank you" in done
    assert kept["current"] == ["other", "othersecret"]
    assert not kept["softap"]


@pytest.mark.parametrize(
    "pieces",
    [
        tuple(bytes((b,)) for b in _post(GOOD_FORM)),
        (_post(GOOD_FORM)[:-5], _post(GOOD_FORM)[-5:]),
        (b"GET /web_config.cgi?ssid=other&pass=othersecret HTTP/1.1\r\n\r\n",),
        (_post(b"pass=other%73ecre%74&ssid=%6fther&x=y&z"),),
    ],
    ids=["byte by byte", "body cut", "as the vendor's page", "percent signs"],
)
def test_the_form_may_come_in_any_shape(tmp_path, pieces):
    async def configure(port):
        return await _ask(port, *pieces)

    done, kept = _configured(tmp_path, configure)
    assert b"Thank you" in done
    assert kept["current"] == ["other", "othersecret"]


@pytest.mark.parametrize(
    "body",
    [
        b"ssid=&pass=othersecret",
        b"ssid=" + b"x" * 33,
        b"ssid=other&pass=short",
        b"ssid=o&pass=" + b"z" * 64,
        b"ssid=%ff",
    ],
)
def test_a_wrong_form_is_shown_again(tmp_path, body):
    async def configure(port):
        wrong = await _ask(port, _post(body))
        await _ask(port, _post(GOOD_FORM))
        return wrong

    wrong, _ = _configured(tmp_path, configure)
    assert b"A name has 1 to 32 bytes" in wrong
    assert b"<form" in wrong


@pytest.mark.parametrize("request_", [b"", b"GARBAGE\r\n\r\n", b"x" * 3000, b"\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"])
def test_a_request_that_is_none_does_no_harm(tmp_path, request_):
    async def configure(port):
        with contextlib.suppress(OSError):
            await _ask(port, b"GET / HTTP/1.1\r\n\r\n")
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_)
            writer.close()
        return await _ask(port, _post(GOOD_FORM))

    done, kept = _configured(tmp_path, configure)
    assert b"Thank you" in done
    assert kept["current"] == ["other", "othersecret"]


class App:
    """A vendor app: sends the datagram until it is acked, as `answers` shows."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.answers = []

    def send(self, body, cmd=1):
        self.socket.sendto(wire.encode(cmd, body), ("127.0.0.1", 12414))

    def is_acked(self):
        with contextlib.suppress(BlockingIOError):
            self.answers.append(self.socket.recv(100))
        return bool(self.answers)


def _credentials(ssid, key):
    return len(ssid).to_bytes(2, "big") + ssid + len(key).to_bytes(2, "big") + key


@pytest.mark.parametrize("key", [b"othersecret", b"othersecret\0\x1bexample.com\x1b\x08\0\x1bzone"])
def test_a_vendor_app_is_acked_and_its_network_joined(tmp_path, key):
    async def configure(port):
        app = App()
        await _ask(port, b"GET / HTTP/1.1\r\n\r\n")
        for bad in (b"", b"\0\xffab", b"\0\x05other\0\x03abcd", _credentials(b"", b"othersecret")):
            app.send(bad)
        app.socket.sendto(b"garbage", ("127.0.0.1", 12414))
        app.send(_credentials(b"other", b"othersecret"), cmd=3)
        app.send(_credentials(b"other", b"short"))
        app.send(_credentials(b"other", key))
        await until(app.is_acked, "the app is acked", lambda: "")
        # It may have sent again before the answer came.
        app.send(_credentials(b"other", key))
        await until(lambda: app.is_acked() and len(app.answers) > 1, "the app is acked again", lambda: "")
        app.socket.close()
        return app.answers

    answers, kept = _configured(tmp_path, configure)
    assert answers == [wire.encode(2, b"")] * 2
    assert kept["current"] == ["other", "othersecret"]
