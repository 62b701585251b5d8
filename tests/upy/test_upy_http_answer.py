"""The chip's reader of HTTP answers: the same answer however it is cut, and nothing kept of what has no end."""

import pytest
from gagent_upy.http_answer import HttpAnswer

HELLO = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\ncontent-length:5\r\nX: " + b"y" * 300 + b"\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n01;a=b\r\nh\r\n4\r\nello\r\n0\r\nTrailer: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.0 200\nContent-Length: 5\n\nhello",
]


def _read(*pieces):
    """(complete, status, body) of an answer in pieces."""
    body = []
    answer = HttpAnswer(lambda piece: body.append(bytes(piece)))
    is_complete = [answer.feed(piece) for piece in pieces][-1]
    return is_complete, answer.status, b"".join(body)


@pytest.mark.parametrize("stream", HELLO)
def test_an_answer_is_the_same_cut_anywhere(stream):
    assert _read(stream) == (True, 200, b"hello")
    assert _read(*[bytes((b,)) for b in stream]) == (True, 200, b"hello")
    for cut in range(1, len(stream)):
        assert _read(stream[:cut]) != (True, 200, b"hello")
        assert _read(stream[:cut], stream[cut:]) == (True, 200, b"hello")


@pytest.mark.parametrize("stream", HELLO)
def test_what_follows_an_answer_is_not_of_it(stream):
    assert _read(stream + b"HTTP/1.1 500 No\r\n") == (True, 200, b"hello")


@pytest.mark.parametrize(
    "stream",
    [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
)
def test_an_answer_without_a_body_is_complete_with_its_head(stream):
    assert _read(stream)[0]
    assert not _read(stream[:-1])[0]


def test_a_body_of_no_length_ends_with_the_connection():
    answer = HttpAnswer(lambda piece: None)
    assert not answer.is_whole()
    assert not answer.feed(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert answer.is_whole()


@pytest.mark.parametrize("stream", HELLO[:3])
def test_a_body_with_a_length_does_not(stream):
    answer = HttpAnswer(lambda piece: None)
    answer.feed(stream[:-1])
    assert not answer.is_whole()


@pytest.mark.parametrize(
    "stream",
    [
        b"\n",
        b"hello\n",
        b"HTTP/2 200\n",
        b"HTTP/1.1 OK\n",
        b"HTTP/1.1\n",
        b"HTTP/1.1 200 OK\nContent-Length: -1\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0x10\n",
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n-5\n",
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n\n",
        b"HTTP/1.1 200 OK\n" + b"A: b\n" * 1000,
        b"x" * 5000,
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n" + b"0" * 5000,
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n" + b"A: b\n" * 1000,
    ],
)
def test_what_is_not_http_raises(stream):
    with pytest.raises(ValueError):
        _read(stream)


def test_chunks_may_go_on_for_ever():
    stream = b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n" + b"1\nx\n" * 5000
    assert _read(stream) == (False, 200, b"x" * 5000)
