"""The HTTP server: uvicorn, made to send an answer as one TCP segment. Cloud manual, device side, chapter 3.2.

Reference modules call recv once and take what they got for the whole answer. uvicorn writes head, body and end of an
answer one by one, so what is written in one turn of the loop is held back to its end and sent together.
"""

import asyncio
import json
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from .certificate import TlsFiles
from .errors import FORM_INVALID, ApiError
from .listener import Listener

# Seconds in which requests that are being answered may come to their end when the server stops.
STOP_TIMEOUT = 3


class HttpServer(Listener):
    """Serves `app`, with `tls` over HTTPS; `start` and `stop` of a Listener."""

    def __init__(self, app: ASGIApp, tls: TlsFiles | None = None) -> None:
        config = uvicorn.Config(
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
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
        super().__init__(config, "HTTPS" if tls else "HTTP", "--https" if tls else "--http")


class OneWriteProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 over a transport that sends once per turn of the loop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_OneWrite(transport, self.loop))

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets an error of the table like everything else."""
        body = json.dumps(ApiError(FORM_INVALID, "this is no HTTP request").body(), separators=(",", ":")).encode()
        size = str(len(body)).encode()
        headers = [(b"Content-Type", b"application/json"), (b"Content-Length", size), (b"Connection", b"close")]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()


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
