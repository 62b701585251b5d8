"""uvicorn on a port of this machine: what the HTTP server and the WebSocket server share."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn


class ListenError(Exception):
    """Nothing can listen there; says why and what to do."""


class Listener:
    """`what` ("HTTP") and `flag` ("--http") are for people: who listens, and which flags say where."""

    def __init__(self, config: uvicorn.Config, what: str, flag: str) -> None:
        self._config = config
        self._what = what
        self._flag = flag
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listens; ListenError when that cannot be."""
        sock = self._listen(host, port)
        self.port = sock.getsockname()[1]
        self._server = _Server(self._config)
        self._task = asyncio.create_task(self._server.serve(sockets=[sock]), name=self._what + " server")
        await self._server.is_up.wait()

    async def stop(self) -> None:
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server = self._task = None

    def _listen(self, host: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            sock = socket.create_server((host, port), family=family, backlog=128)
        except OSError as error:
            why = _WHY.get(error.errno or 0, "%s: see --http-host" % (error.strerror or error)) % {"flag": self._flag}
            raise ListenError("%s cannot listen on %s port %d: %s" % (self._what, host, port, why)) from None
        sock.setblocking(False)
        return sock


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
    errno.EADDRINUSE: "another program uses it: stop that one, or choose another port with %(flag)s-port",
    errno.EACCES: "ports below 1024 need the right to them: run as root, give python cap_net_bind_service (setcap), "
    "or choose another port with %(flag)s-port",
}
