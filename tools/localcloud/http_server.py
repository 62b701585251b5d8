"""The HTTP server: uvicorn, made to send an answer as one TCP segment. Cloud manual, device side, chapter 3.2.

Reference modules call recv once and take what they got for the whole answer. uvicorn writes head, body and end of an
answer one by one, so what is written in one turn of the loop is held back to its end and sent together.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds in which requests that are being answered may come to their end when the server stops.
STOP_TIMEOUT = 3


class ListenError(Exception):
    """Nothing can listen there; says why and what to do."""


class HttpServer:
    def __init__(self, app: ASGIApp) -> None:
        self._config = uvicorn.Config(
            app,
            http=OneWriteProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=STOP_TIMEOUT,
        )
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listens; ListenError when that cannot be."""
        sock = _listen(host, port)
        self.port = sock.getsockname()[1]
        self._server = _Server(self._config)
        self._task = asyncio.create_task(self._server.serve(sockets=[sock]), name="http-server")
        await self._server.is_up.wait()

    async def stop(self) -> None:
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server = self._task = None


class OneWriteProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 over a transport that sends once per turn of the loop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_OneWrite(transport, self.loop))


class _OneWrite(asyncio.Transport):
    """A transport that joins what is written in one turn of the loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: Any) -> None:
        if not data:
            return
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(bytes(data))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._held = []
        self._transport.abort()

    def _flush(self) -> None:
        data, self._held = b"".join(self._held), []
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()


class _Server(uvicorn.Server):
    """Says when it is up, and leaves the signals to the program it runs in."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


_WHY = {
    errno.EADDRINUSE: "another program uses it: stop that one, or choose another port with --http-port",
    errno.EACCES: "ports below 1024 need the right to them: run as root, give python cap_net_bind_service (setcap), "
    "or choose another port with --http-port",
}


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        why = _WHY.get(error.errno or 0, "%s: see --http-host" % (error.strerror or error))
        raise ListenError("HTTP cannot listen on %s port %d: %s" % (host, port, why)) from None
    sock.setblocking(False)
    return sock
