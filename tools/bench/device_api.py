"""The least of a device API that brings a module online: every mac gets a did, every did the same broker.

Not the local cloud: what its database costs at registration is not the agent's. Cloud manual, device side, chapter 3.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from broker import Broker

_DID_LENGTH = 22
# How long an end may take; it looks for it this often, which nothing measured here notices.
_STOP_S = 0.2


def did_of(mac: str) -> str:
    """The did that a module gets."""
    return mac.ljust(_DID_LENGTH, "0")


@contextmanager
def running_device_api(broker: Broker) -> Iterator[str]:
    """The URL of an API that sends modules to `broker`."""

    class Handler(_Handler):
        provision = b"host=%s&port=%d&server_ts=1700000000&" % (broker.host.encode(), broker.port)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _STOP_S}, daemon=True)
    thread.start()
    try:
        yield "http://127.0.0.1:%d" % server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers in one write, as the real one does."""

    protocol_version = "HTTP/1.1"
    provision = b""

    def do_GET(self) -> None:
        self._answer(200, self.provision)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if self.path == "/dev/devices":
            self._answer(201, b"did=" + did_of(form["mac"][0]).encode())
        else:
            self._answer(404, b'{"error_code": 9500}')

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes) -> None:
        head = b"HTTP/1.1 %d Answer\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        # An agent that was ended does not wait for its answer.
        with suppress(OSError):
            self.wfile.write(head + body)
