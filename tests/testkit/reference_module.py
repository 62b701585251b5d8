"""The reference module as the network sees it: raw sockets, one `recv` of 1024 bytes, no parser but a search for words.

It reads an HTTP answer with one recv, header and body alike, and looks for `did=`, `host=` and so on in the raw bytes.
Of what one recv brings from the broker it takes the first packet, and loses the rest.
"""

import select
import socket

from .patience import PATIENCE_S

RECV = 1024


class ReferenceModule:
    """Talks to a cloud on this machine."""

    def __init__(self, http_port: int) -> None:
        self._http_port = http_port
        self._mqtt: socket.socket | None = None

    def http(self, request: bytes) -> bytes:
        """What one recv brings of the answer."""
        with socket.create_connection(("127.0.0.1", self._http_port), timeout=PATIENCE_S) as sock:
            sock.sendall(request)
            assert select.select([sock], [], [], PATIENCE_S)[0], "no answer to %r" % request[:60]
            return sock.recv(RECV)

    def connect(self, port: int) -> None:
        """A new connection to the broker, in the place of an older one."""
        self.close()
        self._mqtt = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._mqtt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, packet: bytes) -> None:
        assert self._mqtt is not None
        self._mqtt.sendall(packet)

    def recv(self) -> bytes:
        """What one recv brings from the broker; b"" when it has closed."""
        assert self._mqtt is not None
        return self._mqtt.recv(RECV)

    def recv_exactly(self, size: int) -> bytes:
        """A packet that is longer than one recv, or not alone in it: this module could not use it."""
        assert self._mqtt is not None
        data = b""
        while len(data) < size and (piece := self._mqtt.recv(size - len(data))):
            data += piece
        return data

    def close(self) -> None:
        if self._mqtt is not None:
            self._mqtt.close()
        self._mqtt = None


def status(answer: bytes) -> int:
    """The code between the first two spaces."""
    return int(answer.split(b" ", 2)[1])


def did(answer: bytes) -> bytes:
    """22 characters after the first `did=`."""
    at = answer.index(b"did=") + 4
    return answer[at : at + 22]


def provision(answer: bytes) -> tuple[bytes, int, int]:
    """(host, port, server_ts): each from its word to the next `&`, the last one to `&` or the end of its line."""
    host, port = _until(answer, b"host=", b"&"), _until(answer, b"port=", b"&")
    stamp = _until(answer, b"server_ts=", b"&").split(b"\r", 1)[0]
    return host, int(port), int(stamp)


def _until(answer: bytes, word: bytes, end: bytes) -> bytes:
    start = answer.index(word) + len(word)
    return answer[start : answer.index(end, start)]
