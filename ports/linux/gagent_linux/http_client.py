"""One request of the device API -> `http_response` or `http_failed`. Cloud manual, device side, chapter 3.

Exactly one answer for each request, within 12 s. Survives: names that do not resolve, dead and slow servers, answers
that are not HTTP, are cut short, have no length (they end when the server closes, or with the time), or are too long.
Redirects are not followed: the agent gets the 3xx. A reason never holds the path or the body: dids and passcodes travel
in both.
"""

import asyncio
import http.client
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from gagent import effects as e

from . import worker
from .tls import TlsError, TlsSettings, make_context

# The vendor's cloud answers within 5 s; on a bad mobile line twice that is seen.
TIMEOUT_S = 10
# What may be left when the time of the reads is over: a resolver that hangs, a head that trickles in.
_GRACE_S = 2
# The longest answer in use is a provisioning of some 300 bytes.
MAX_BODY = 65536

_NOT_A_URL = "the URL is not one of http://host[:port]/ or https://host[:port]/"


class HttpClient:
    """`on_response(ref, status, body)` or `on_failed(ref, reason)` for every `request`; `tls` is for https:// URLs,
    `headers` go with every request, an answer has at most `max_body` bytes.
    """

    def __init__(
        self,
        on_response: Callable[[int, int, bytes], None],
        on_failed: Callable[[int, str], None],
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        headers: dict[str, str] | None = None,
        max_body: int = MAX_BODY,
    ) -> None:
        self._on_response = on_response
        self._on_failed = on_failed
        self._timeout_s = timeout_s
        self._tls = tls
        self._headers = headers or {}
        self._max_body = max_body
        self._tasks: set[asyncio.Task] = set()

    def request(self, effect: e.HttpRequest) -> None:
        """Start the request of an `HttpRequest`."""
        task = asyncio.get_running_loop().create_task(self._answer(effect))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Forget what is under way; no answer comes any more."""
        for task in self._tasks:
            task.cancel()

    async def _answer(self, effect: e.HttpRequest) -> None:
        try:
            status, body = await self._exchange(effect)
        except HttpError as error:
            self._on_failed(effect.ref, str(error))
        else:
            self._on_response(effect.ref, status, body)

    async def _exchange(self, effect: e.HttpRequest) -> tuple[int, bytes]:
        exchange = Exchange(effect.url, self._timeout_s, self._tls)
        exchange.headers = self._headers
        exchange.max_body = self._max_body
        try:
            async with asyncio.timeout(self._timeout_s + _GRACE_S):
                return await worker.run(exchange.run, effect.method, effect.body)
        except TimeoutError:
            raise HttpError(exchange.late()) from None
        finally:
            exchange.abort()


def fetch(
    method: str, url: str, body: bytes = b"", tls: ssl.SSLContext | None = None, timeout_s: float = TIMEOUT_S
) -> tuple[int, bytes]:
    """One request, blocking: for commands that do nothing else. (status, body), or HttpError."""
    return Exchange(url, timeout_s, tls).run(method, body)


class HttpError(Exception):
    """No usable answer; the text is the reason, fit for a log."""


class Exchange:
    """One connection, one request, one answer. `run` blocks; `abort` may be called from another thread."""

    def __init__(self, url: str, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        try:
            parts = urlsplit(url)
            host = parts.hostname
            if not host:
                raise ValueError(url)
            self._where = host + (":%d" % parts.port if parts.port else "")
            open_connection = _OPEN[parts.scheme]
            self._open = partial(open_connection, host, parts.port, timeout_s, tls)
        except (KeyError, ValueError):
            raise HttpError(_NOT_A_URL) from None
        self.path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        self._timeout_s = timeout_s
        self.headers: dict[str, str] = {}
        self.max_body = MAX_BODY
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None

    def run(self, method: str, body: bytes) -> tuple[int, bytes]:
        """(status, body) of the answer; HttpError otherwise."""
        deadline = time.monotonic() + self._timeout_s
        return self.guarded(lambda: self._run(method, body, deadline))

    def connect(self) -> tuple[http.client.HTTPConnection, socket.socket]:
        """The connection, open."""
        connection = self._connection = self._open()
        connection.connect()
        self._socket = connection.sock
        return connection, connection.sock

    def guarded(self, talk: Callable[[], Any]) -> Any:
        """What `talk` returns, with the connection closed after it; HttpError for all that can go wrong on the way."""
        try:
            return talk()
        except TlsError as error:
            raise HttpError("TLS with %s: %s" % (self._where, error)) from None
        except TimeoutError:
            raise HttpError(self.late()) from None
        except socket.gaierror as error:
            raise HttpError("the name in %s does not resolve (%s)" % (self._where, error.strerror)) from None
        except http.client.IncompleteRead:
            raise HttpError("the answer of %s was cut short" % self._where) from None
        except http.client.RemoteDisconnected:
            raise HttpError("%s closed the connection without an answer" % self._where) from None
        except http.client.InvalidURL:
            raise HttpError(_NOT_A_URL) from None
        # UnicodeError: an answer's head, or a host name, that is not text.
        except (http.client.HTTPException, ValueError) as error:
            raise HttpError("what %s answered is not HTTP (%s)" % (self._where, type(error).__name__)) from None
        except OSError as error:
            raise HttpError("no connection to %s: %s" % (self._where, error.strerror or error)) from None
        finally:
            if self._connection is not None:
                self._connection.close()

    def late(self) -> str:
        """The reason when the time is over."""
        return "no answer from %s within %d s" % (self._where, self._timeout_s)

    def abort(self) -> None:
        """Wake the thread that may still be in a read."""
        if self._socket is None:
            return
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is closed already
            pass

    def _run(self, method: str, body: bytes, deadline: float) -> tuple[int, bytes]:
        connection, sock = self.connect()
        headers = {"Connection": "close", "Content-Type": "application/x-www-form-urlencoded", **self.headers}
        connection.request(method, self.path, body=body or None, headers=headers)
        sock.settimeout(_left(deadline))
        response = connection.getresponse()
        return response.status, self._body(sock, response, deadline)

    def _body(self, sock: socket.socket, response: http.client.HTTPResponse, deadline: float) -> bytes:
        framed = response.chunked or response.length is not None
        body = b""
        while len(body) <= self.max_body:
            try:
                sock.settimeout(_left(deadline))
                piece = response.read1(MAX_BODY)
            except TimeoutError:
                # A server that gives neither a length nor an end: what came is all that will come.
                if framed or not body:
                    raise
                return body
            if not piece:
                # read1 does not complain of an end that came before the announced length.
                if response.length:
                    raise http.client.IncompleteRead(body, response.length)
                return body
            body += piece
        raise HttpError("the answer of %s is longer than %d bytes" % (self._where, self.max_body))


def _open_plain(host: str, port: int | None, timeout_s: float, tls: Any) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def _open_secure(host: str, port: int | None, timeout_s: float, tls: Any) -> http.client.HTTPConnection:
    # The cloud may name an https:// address where the settings have none.
    context = tls or make_context(TlsSettings())
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


_OPEN = {"http": _open_plain, "https": _open_secure}


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
