"""The WebSocket API on its own ports: connections in, text frames out. Cloud manual, WebSocket API.

    ws://<host>:8080/ws/app/v1       wss://<host>:8880/ws/app/v1, when there is a certificate

One task reads a connection, one writes it. A connection that falls silent, floods or does not read is closed.
"""

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from .certificate import TlsFiles
from .http_app import address
from .listener import Listener
from .websocket_hub import WebSocketHub
from .websocket_session import GOING_AWAY, NORMAL, PATH, Ending, Limits, Session

if TYPE_CHECKING:
    from .app import Cloud

log = logging.getLogger("localcloud")

# The library closes with 1009 (too big) above it.
MAX_FRAME = 65536
# Seconds in which a client takes its last message and the closing handshake.
CLOSE_TIMEOUT = 3
_LIMITS = Limits()


class WebSocketServer:
    """`port` and `tls_port` are valid after `start`; 0 says that nothing listens there."""

    def __init__(self, cloud: "Cloud", limits: Limits = _LIMITS) -> None:
        self._cloud = cloud
        self._limits = limits
        self._hub = WebSocketHub(cloud)
        self._serving: dict[Session, asyncio.Task[None] | None] = {}
        self._listeners: list[Listener] = []
        self.port = 0
        self.tls_port = 0

    async def start(self, host: str, port: int, tls_port: int, tls: TlsFiles | None) -> None:
        """Listens, with a certificate on `tls_port` too; ListenError when that cannot be."""
        self._hub.start()
        try:
            self.port = await self._listen(host, port, None, "--ws")
            if tls is not None:
                self.tls_port = await self._listen(host, tls_port, tls, "--wss")
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        for session in self._serving:
            session.end(GOING_AWAY)
        serving = [task for task in self._serving.values() if task is not None]
        if serving:
            await asyncio.wait(serving, timeout=CLOSE_TIMEOUT)
        for listener in self._listeners:
            await listener.stop()
        self._listeners.clear()
        await self._hub.stop()

    async def _listen(self, host: str, port: int, tls: TlsFiles | None, flag: str) -> int:
        config = uvicorn.Config(
            Starlette(routes=[WebSocketRoute(PATH, self._serve)]),
            ws="websockets-sansio",
            ws_max_size=MAX_FRAME,
            # The API has a heartbeat of its own; pings of the client are answered all the same.
            ws_ping_interval=None,
            # Costs memory per connection, and old clients stumble over it.
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=CLOSE_TIMEOUT,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
        listener = Listener(config, "WebSocket", flag)
        await listener.start(host, port)
        self._listeners.append(listener)
        return listener.port

    async def _serve(self, websocket: WebSocket) -> None:
        await websocket.accept()
        server, client = (address(websocket.scope.get(end)) for end in ("server", "client"))
        session = Session(self._cloud, self._hub, server, client, self._limits)
        self._serving[session] = asyncio.current_task()
        writing = asyncio.create_task(_write(websocket, session), name="websocket-write")
        try:
            await _read(websocket, session)
            # A client that does not take its last message is not waited for.
            await asyncio.wait((writing,), timeout=CLOSE_TIMEOUT)
        finally:
            del self._serving[session]
            session.log_out()
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


async def _read(websocket: WebSocket, session: Session) -> None:
    """Until the client is gone, silent, or the session has ended."""
    ended = asyncio.create_task(session.ended.wait())
    try:
        while not ended.done():
            reading = asyncio.create_task(websocket.receive())
            await asyncio.wait((reading, ended), timeout=session.patience_s, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                session.fell_silent()
                return
            frame = reading.result()
            if frame["type"] == "websocket.disconnect":
                session.end(NORMAL)
                return
            # A binary frame is no JSON either.
            await session.receive(frame.get("text") or "")
    finally:
        ended.cancel()


async def _write(websocket: WebSocket, session: Session) -> None:
    """Until the session ends or the client is gone."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            message = await session.outbox.get()
            if isinstance(message, Ending):
                await websocket.close(message.code)
                return
            await websocket.send_text(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
