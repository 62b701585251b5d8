"""The metrics page over HTTP, on an address of this machine: GET /metrics, one request a connection.

Whoever connects gets at most 5 s and 4 kB of request; more than 8 at once are turned away. Nothing of a request is kept
or logged.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

_REQUEST_S = 5
_MAX_REQUEST = 4096
_MAX_CLIENTS = 8
_PATHS = ("/metrics", "/")


class MetricsServer:
    """Serves what `page()` gives, as `content_type`."""

    def __init__(self, host: str, port: int, page: Callable[[], str], content_type: str) -> None:
        self._host = host
        self._port = port
        self._page = page
        self._content_type = content_type
        self._clients = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; OSError when the address cannot be had."""
        self._server = await asyncio.start_server(self._answer, self._host, self._port, limit=_MAX_REQUEST)

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def port(self) -> int:
        """The port listened on: of a server that was given port 0, the one it got."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            async with asyncio.timeout(_REQUEST_S):
                writer.write(self._respond(await _read_request(reader)))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            self._clients -= 1

    def _respond(self, request: bytes) -> bytes:
        words = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _response(HTTPStatus.BAD_REQUEST)
        if self._clients > _MAX_CLIENTS:
            return _response(HTTPStatus.SERVICE_UNAVAILABLE)
        if words[0] not in ("GET", "HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED)
        if words[1].split("?")[0] not in _PATHS:
            return _response(HTTPStatus.NOT_FOUND)
        response = _response(HTTPStatus.OK, self._page(), self._content_type)
        return response if words[0] == "GET" else response[: response.index(b"\r\n\r\n") + 4]


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    """The head of a request; b"" when it is cut or too long."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b""


def _response(status: HTTPStatus, text: str = "", content_type: str = "text/plain; charset=utf-8") -> bytes:
    body = (text or status.phrase + "\n").encode()
    head = "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return (head % (status, status.phrase, content_type, len(body))).encode() + body
