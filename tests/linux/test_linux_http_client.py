"""The HTTP client against a server that sends what it likes: one answer for each request, with a reason in words."""

import asyncio

import pytest
from gagent_linux.http_client import MAX_BODY, HttpClient
from testkit.heard import Heard, in_loop, until
from testkit.mosquitto_running import free_port
from testkit.patience import PATIENCE_S
from testkit.raw_server import http_answer, read_request, serving

from gagent.effects import HttpRequest

SECRET = b"passcode=ABCDEFGHIJ&mac=1"


def exchange(talk, method="POST", path="/dev/devices", body=SECRET, timeout_s=PATIENCE_S):
    """What the client answers when the server does `talk(reader, writer)`."""

    async def scene():
        async with serving(talk) as port:
            return await ask("http://127.0.0.1:%d%s" % (port, path), method, body, timeout_s)

    return in_loop(scene())


async def ask(url, method="GET", body=b"", timeout_s=PATIENCE_S):
    heard = Heard()
    client = HttpClient(heard.note("response"), heard.note("failed"), timeout_s)
    client.request(HttpRequest(7, method, url, body))
    answer = await heard.next()
    client.close()
    assert heard.nothing_more()
    return answer


def sends(*pieces, wait=None):
    """A server that reads the request and sends `pieces`, each in a write of its own."""

    async def talk(reader, writer):
        await read_request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if wait is not None:
            await wait

    return talk


def stays_open(*pieces):
    async def talk(reader, writer):
        await sends(*pieces)(reader, writer)
        await reader.read()

    return talk


@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
def test_a_request_is_sent_as_the_device_api_wants_it(method):
    seen = []

    async def talk(reader, writer):
        seen.append(await read_request(reader))
        writer.write(http_answer("200 OK", b""))

    body = b"" if method == "GET" else SECRET
    assert exchange(talk, method, "/dev/devices/x?a=b", body) == ("response", 7, 200, b"")
    head, sent = seen[0]
    assert head.startswith("%s /dev/devices/x?a=b HTTP/1.1\r\n" % method)
    assert "\r\nContent-Type: application/x-www-form-urlencoded\r\n" in head
    assert "\r\nHost: 127.0.0.1:" in head
    assert sent == body


@pytest.mark.parametrize(
    ("pieces", "status", "body"),
    [
        ((http_answer("201 Created", b"did=1"),), 201, b"did=1"),
        (tuple(bytes((b,)) for b in http_answer("200 OK", b"did=1")), 200, b"did=1"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"did=1"), 200, b"did=1"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",), 200, b""),
        ((b"HTTP/1.0 200 OK\r\n\r\ndid=1",), 200, b"did=1"),
        ((b"HTTP/1.1 200 OK\n\ndid=1",), 200, b"did=1"),
        ((b"HTTP/1.1 200\r\n\r\n",), 200, b""),
        ((b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno",), 500, b"no"),
        ((b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",), 302, b""),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MAX_BODY, b"x" * MAX_BODY), 200, b"x" * MAX_BODY),
    ],
)
def test_an_answer_is_taken_however_it_is_framed(pieces, status, body):
    assert exchange(sends(*pieces)) == ("response", 7, status, body)


def test_an_answer_without_length_on_a_line_that_stays_open_ends_with_the_time():
    talk = stays_open(b"HTTP/1.1 200 OK\r\n\r\nhost=a&port=1883&")
    # Long enough that all of it comes before the time is over, on whatever machine.
    assert exchange(talk, timeout_s=5.0) == ("response", 7, 200, b"host=a&port=1883&")


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((b"",), "without an answer"),
        ((b"HTTP/1.1 20",), "not HTTP"),
        ((b"\x00\xff\x16\x03garbage\r\n\r\n",), "not HTTP"),
        ((b"hello\r\n",), "not HTTP"),
        ((b"HTTP/1.1 abc OK\r\n\r\n",), "not HTTP"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ndid=1",), "cut short"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndid=1",), "cut short"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\ndid=1",), "cut short"),
        ((b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",), "not HTTP"),
        ((b"HTTP/1.1 200 OK\r\na: " + b"b" * 70000 + b"\r\n\r\n",), "not HTTP"),
        ((b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY + 1),), "longer than 65536 bytes"),
    ],
)
def test_an_answer_that_cannot_be_used_fails_with_a_reason(pieces, words):
    kind, ref, reason = exchange(sends(*pieces))
    assert (kind, ref) == ("failed", 7)
    assert words in reason
    assert "127.0.0.1:" in reason


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"HTTP/1.1 200 OK\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ndid=1",),
        (b"HTTP/1.1 200 OK\r\n\r\n",),
    ],
)
def test_a_server_that_stops_talking_fails_with_the_time(pieces):
    kind, _, reason = exchange(stays_open(*pieces), timeout_s=0.3)
    assert kind == "failed"
    assert "no answer from 127.0.0.1:" in reason


def test_a_head_that_trickles_in_for_ever_is_cut_off():
    async def talk(reader, writer):
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)

    kind, _, reason = exchange(talk, timeout_s=0.1)
    assert kind == "failed"
    assert "no answer from" in reason


@pytest.mark.parametrize(
    "pieces",
    [(), (b"",), (b"nonsense " + SECRET + b"\r\n",), (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + SECRET,)],
)
def test_a_reason_never_holds_what_was_sent(pieces):
    _, _, reason = exchange(sends(*pieces), path="/dev/devices/THEDID?x=QUERY")
    assert [secret for secret in ("ABCDEFGHIJ", "THEDID", "QUERY") if secret in reason] == []


def test_a_closed_port_fails_with_a_reason():
    port = free_port()
    kind, _, reason = in_loop(ask("http://127.0.0.1:%d/dev/devices" % port))
    assert kind == "failed"
    assert reason == "no connection to 127.0.0.1:%d: Connection refused" % port


@pytest.mark.parametrize(
    "url", ["", "ftp://x/", "http://", "http:///dev", "http://[::1/", "http://x:port/", "http://x:99999/"]
)
def test_a_url_that_is_none_fails_with_a_reason(url):
    kind, _, reason = in_loop(ask(url))
    assert kind == "failed"
    assert "http://host" in reason


def test_a_name_that_does_not_resolve_fails_with_a_reason():
    kind, _, reason = in_loop(ask("http://no-such-name.invalid:80/dev/devices", timeout_s=10))
    assert kind == "failed"
    assert "no-such-name.invalid" in reason


def test_a_request_that_was_given_up_is_never_answered():
    async def scene():
        asked = asyncio.Event()

        async def talk(reader, writer):
            await read_request(reader)
            asked.set()
            await reader.read()

        async with serving(talk) as port:
            heard = Heard()
            client = HttpClient(heard.note("response"), heard.note("failed"))
            client.request(HttpRequest(1, "GET", "http://127.0.0.1:%d/" % port, b""))
            await asked.wait()
            client.close()
        await until(lambda: len(asyncio.all_tasks()) <= 2, "the request is over")
        assert heard.nothing_more()

    in_loop(scene())
