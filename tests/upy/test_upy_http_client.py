"""The chip's HTTP client against servers that cut, delay and garble: exactly one answer for each request."""

import asyncio

import pytest
from testkit import upy_program
from testkit.certificates import Authority, self_signed
from testkit.datagrams import DatagramServer, a_record, dns_answer
from testkit.deaf_port import deaf_port
from testkit.raw_server import http_answer, read_request, serving

pytestmark = pytest.mark.micropython

_PROGRAM = """
from gagent.effects import HttpRequest
from gagent_upy.http_client import HttpClient

tls = None
if %(ca)r:
    from gagent_upy.tls import Tls
    tls = Tls(%(ca)r)
http = HttpClient(poll, network, buf, feed, agent, tls)
requests = %(requests)r
for request in requests:
    http.request(HttpRequest(*request))
spin(http, lambda: len(heard) == len(requests))
spin(http, lambda: False, 20000)
print(clock.now() // 1000)
for item in heard:
    print(repr(item))
"""


async def _ask(tmp_path, *requests, ca=""):
    """(seconds on the program's clock, answers) of these requests."""
    seconds, *lines = await upy_program.run(_PROGRAM % {"requests": requests, "ca": str(ca)}, tmp_path)
    answers = [eval(line) for line in lines]
    # A response has a status, a failure has a reason.
    assert [name for name, *_ in answers] == ["http_failed" if len(a) == 3 else "http_response" for a in answers]
    return int(seconds) - 20, [tuple(answer[1:]) for answer in answers]


def _answer_of(tmp_path, *pieces, is_closed=True, method="GET", body=b""):
    """What comes out when a server sends these pieces, one after the other."""

    async def scenario():
        async def talk(reader, writer):
            await read_request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                # So that it leaves as a segment of its own.
                await asyncio.sleep(0.01)
            if not is_closed:
                await reader.read()

        async with serving(talk) as port:
            _, answers = await _ask(tmp_path, (7, method, "http://127.0.0.1:%d/x" % port, body))
            return answers

    (answer,) = asyncio.run(scenario())
    return answer


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", b"\r\n", b"hello"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nhe\r\n3;x=y\r\nll", b"o\r\n0\r\n\r\n"),
        (b"HTTP/1.0 200\r\n\r\n", b"hel", b"lo"),
        tuple(bytes((b,)) for b in b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    ],
    ids=["one piece", "head and body apart", "chunks", "until the end", "byte by byte"],
)
def test_an_answer_comes_whole_however_it_was_sent(tmp_path, pieces):
    assert _answer_of(tmp_path, *pieces) == (7, 200, b"hello")


def test_what_was_asked_arrives(tmp_path):
    async def scenario():
        asked = []

        async def talk(reader, writer):
            asked.append(await read_request(reader))
            writer.write(http_answer("201 Created", b"did=x"))

        async with serving(talk) as port:
            where = "127.0.0.1:%d" % port
            _, answers = await _ask(tmp_path, (1, "POST", "http://%s/dev/devices" % where, b"mac=1&passcode=2"))
        return where, asked, answers

    where, [(head, body)], answers = asyncio.run(scenario())
    assert answers == [(1, 201, b"did=x")]
    lines = head.split("\r\n")
    assert lines[0] == "POST /dev/devices HTTP/1.1"
    assert "Host: " + where in lines
    assert "Content-Length: 16" in lines
    assert body == b"mac=1&passcode=2"


def test_requests_are_answered_one_after_the_other_in_their_order(tmp_path):
    async def scenario():
        async def talk(reader, writer):
            head, _ = await read_request(reader)
            writer.write(http_answer("200 OK", head.split(" ")[1].encode()))

        async with serving(talk) as port:
            url = "http://127.0.0.1:%d/" % port
            return await _ask(tmp_path, *[(n, "GET", url + str(n), b"") for n in (1, 2, 3)])

    _, answers = asyncio.run(scenario())
    assert answers == [(1, 200, b"/1"), (2, 200, b"/2"), (3, 200, b"/3")]


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "no HTTP"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",), "closed by the other side"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",), "closed by the other side"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhel",), "a chunk without its size"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",), "a length that is none"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n" + bytes(1025),), "longer than 1024 bytes"),
        ((b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000,), "a head without end"),
        ((), "closed by the other side"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_answer_is_a_failure_with_its_reason(tmp_path, pieces, reason):
    ref, text = _answer_of(tmp_path, *pieces)
    assert ref == 7
    assert reason in text


def test_a_body_at_the_limit_is_taken(tmp_path):
    body = bytes(range(256)) * 4
    assert _answer_of(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + body) == (7, 200, body)


def test_a_server_that_never_ends_its_answer_gets_ten_seconds(tmp_path):
    assert _answer_of(tmp_path, b"HTTP/1.1 200 OK\r\n\r\nhost=x", is_closed=False) == (7, 200, b"host=x")


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"])
def test_a_server_that_stalls_is_given_up(tmp_path, sent):
    ref, reason = _answer_of(tmp_path, sent, is_closed=False)
    assert ref == 7
    assert reason.endswith("within 10 s")


def test_a_server_that_is_not_there_is_a_failure_and_the_next_is_asked(tmp_path):
    async def scenario():
        async def talk(reader, writer):
            await read_request(reader)
            writer.write(http_answer("200 OK", b"x"))

        with deaf_port() as gone:
            async with serving(talk) as port:
                urls = ["http://127.0.0.1:%d/secret" % p for p in (gone, port)]
                return await _ask(tmp_path, *[(n, "GET", url, b"") for n, url in enumerate(urls)])

    _, answers = asyncio.run(scenario())
    assert "ECONNREFUSED" in answers[0][1]
    assert "secret" not in answers[0][1]
    assert answers[1] == (1, 200, b"x")


_GIVEN_UP = """
from gagent.effects import HttpRequest
from gagent_upy.http_client import HttpClient

http = HttpClient(poll, network, buf, feed, agent)
for ref in (1, 2, 3):
    http.request(HttpRequest(ref, "GET", "http://127.0.0.1:{silent}/", b""))
spin(http, lambda: False, 1000)
http.give_up("gone")
print(heard, http.due)
http.request(HttpRequest(4, "GET", "http://127.0.0.1:{good}/", b""))
spin(http, lambda: len(heard) == 4)
print(heard[3], clock.now() // 1000)
"""


def test_what_is_given_up_fails_at_once_and_the_next_request_does_not_wait(tmp_path):
    async def scenario():
        async def silent(reader, writer):
            await reader.read()

        async def good(reader, writer):
            await read_request(reader)
            writer.write(http_answer("200 OK", b"x"))

        async with serving(silent) as silent_port, serving(good) as good_port:
            return await upy_program.run(_GIVEN_UP.format(silent=silent_port, good=good_port), tmp_path)

    given_up, answer = asyncio.run(scenario())
    assert given_up == "%r None" % [("http_failed", ref, "gone") for ref in (1, 2, 3)]
    assert answer == "('http_response', 4, 200, b'x') 1"


def test_more_requests_than_may_wait_fail_at_once(tmp_path):
    async def scenario():
        async def talk(reader, writer):
            await reader.read()

        async with serving(talk) as port:
            url = "http://127.0.0.1:%d/" % port
            return await _ask(tmp_path, *[(n, "GET", url, b"") for n in range(8)])

    seconds, answers = asyncio.run(scenario())
    assert sorted(answer[0] for answer in answers) == list(range(8))
    assert answers[0] == (0, "more than 6 requests wait")
    assert 60 <= seconds <= 80


_BY_NAME = """
from gagent.effects import HttpRequest
from gagent_upy import resolver
from gagent_upy.http_client import HttpClient

# The port of name servers is not ours to bind.
Lookup = resolver.Lookup
resolver.Lookup = lambda host, server, poll, now: Lookup(host, server, poll, now, {dns})
network.dns = "127.0.0.1"
http = HttpClient(poll, network, buf, feed, agent)
http.request(HttpRequest(1, "GET", "http://cloud.example.com:{http}/x", b""))
spin(http, lambda: heard)
print(repr(heard), clock.now() // 1000)
"""


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (bytes((127, 0, 0, 1)), "[('http_response', 1, 200, b'cloud.example.com')] 0"),
        (b"", "[('http_failed', 1, 'no answer from cloud.example.com:%d: the name server knows no address')] 0"),
        (None, "[('http_failed', 1, 'no answer from cloud.example.com:%d within 10 s')] 10"),
    ],
    ids=["known", "unknown", "the name server is silent"],
)
def test_a_name_is_looked_up(tmp_path, address, expected):
    async def scenario():
        async def talk(reader, writer):
            head, _ = await read_request(reader)
            name = head.split("Host: ")[1].split(":")[0]
            writer.write(http_answer("200 OK", name.encode()))

        def answer(query, count):
            return [] if address is None else [dns_answer(query, [a_record(address)] if address else [])]

        async with serving(talk) as port, DatagramServer(answer).running() as dns:
            return port, await upy_program.run(_BY_NAME.format(dns=dns, http=port), tmp_path)

    port, (line,) = asyncio.run(scenario())
    assert line == (expected % port if "%d" in expected else expected)


def test_https_without_a_certificate_to_check_by_is_refused(tmp_path):
    _, answers = asyncio.run(_ask(tmp_path, (1, "GET", "https://127.0.0.1:1/", b"")))
    assert answers == [(1, "https needs ca_file in the settings")]


def test_a_server_with_a_certificate_of_ours_is_talked_to(tmp_path):
    assert _tls_answer(tmp_path, "127.0.0.1") == (1, 200, b"hello")


@pytest.mark.parametrize("name", ["10.0.0.1", None])
def test_a_server_without_a_right_certificate_is_not(tmp_path, name):
    ref, reason = _tls_answer(tmp_path, name)
    assert ref == 1
    assert reason.startswith("no answer from ")


def _tls_answer(tmp_path, name):
    """What comes of a server whose certificate of our authority is for `name`; None: it has one of its own."""
    authority = Authority(tmp_path)
    identity = authority.issue(name) if name else self_signed(tmp_path, "127.0.0.1")

    async def scenario():
        async def talk(reader, writer):
            await read_request(reader)
            writer.write(http_answer("200 OK", b"hello"))

        async with serving(talk, identity.server_context()) as port:
            _, answers = await _ask(tmp_path, (1, "GET", "https://127.0.0.1:%d/" % port, b""), ca=authority.ca)
            return answers

    (answer,) = asyncio.run(scenario())
    return answer
