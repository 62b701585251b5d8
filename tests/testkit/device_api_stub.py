"""The least of a cloud's HTTP side that brings a module on line: every mac gets a did, every did the same broker.

Not the local cloud: the tests of a port must not need it, and here each answer can be replaced by a bad one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

from .raw_server import http_answer, read_request, serving


class DeviceApiStub:
    """`asked` has (method, path, form) of each request; `broken` answers instead, as raw bytes, while it is set."""

    def __init__(self, broker_port: int) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.broken: bytes | None = None
        self.url = ""
        self._broker_port = broker_port

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["DeviceApiStub"]:
        async with serving(self._talk) as port:
            self.url = "http://127.0.0.1:%d" % port
            yield self

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await read_request(reader)
        method, path, _ = head.split(" ", 2)
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        self.asked.append((method, path, form))
        writer.write(self._answer(method, path, form) if self.broken is None else self.broken)
        await writer.drain()

    def _answer(self, method: str, path: str, form: dict[str, str]) -> bytes:
        if (method, path) == ("POST", "/dev/devices"):
            return http_answer("201 Created", b"did=" + did_of(form["mac"]).encode())
        if method == "GET":
            return http_answer("200 OK", b"host=127.0.0.1&port=%d&server_ts=1700000000&" % self._broker_port)
        if method == "DELETE":
            return http_answer("200 OK", b"")
        return http_answer("404 Not Found", b'{"error_code": 9500}')


def did_of(mac: str) -> str:
    """The did that the stub gives to a module."""
    return mac.ljust(22, "0")
