"""HTTP to data and back: the table of routes as a starlette application.

Every answer is JSON or a module's text, errors of every kind included. What a module gets is chunked with a single
chunk, and headers are spelled the way people write them, because modules and scripts search the raw bytes for both.
"""

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route as HttpRoute
from starlette.types import Receive, Scope, Send

from .console_routes import CONSOLE_ROUTES
from .errors import FORM_INVALID, NOT_SERVED, SERVER_ERROR, ApiError
from .request import MAX_BODY, Answer, Blob, Content, Fields, Json, Request, Text, is_plain
from .routes import ROUTES, Route

if TYPE_CHECKING:
    from .app import Cloud

# So much of a body that is not wanted is read and thrown away: who is cut off while sending does not read the answer.
MAX_WASTE = 16 * MAX_BODY

# A page runs the console's own scripts, talks to this cloud alone, and is shown in nobody's frame.
_PAGE_HEADERS = [
    (
        b"Content-Security-Policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cache-Control", b"no-cache"),
]


def make_app(cloud: "Cloud") -> Starlette:
    """The application that answers for this cloud."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in (*ROUTES, *CONSOLE_ROUTES):
        by_path.setdefault(route.path, {})[route.method] = route
    app = Starlette(
        routes=[HttpRoute(path, _Endpoint(methods, cloud)) for path, methods in by_path.items()],
        exception_handlers={404: _not_found, Exception: _failed},
    )
    # A module must not be sent elsewhere because of a slash: it does not follow.
    app.router.redirect_slashes = False
    return app


class _Endpoint:
    """One path with its methods."""

    def __init__(self, methods: dict[str, Route], cloud: "Cloud") -> None:
        self._methods = methods
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        if http.method == "OPTIONS":
            await self._options(http)(scope, receive, send)
            return
        try:
            answer = await self._answer(http)
        except ApiError as error:
            answer = Json(error.body(), error.status)
        except ClientDisconnect:
            return
        await _response(http.url.path, answer)(scope, receive, send)

    def _options(self, http: HttpRequest) -> Response:
        """What a browser asks before a script of another site may call: everything is allowed but cookies."""
        response = _response(http.url.path, Text(""))
        wanted = http.headers.get("access-control-request-headers", "*")
        response.raw_headers += [
            (b"Allow", ", ".join(self._methods).encode()),
            (b"Access-Control-Allow-Methods", ", ".join(self._methods).encode()),
            (b"Access-Control-Allow-Headers", wanted.encode("latin-1")),
            (b"Access-Control-Max-Age", b"86400"),
        ]
        return response

    async def _answer(self, http: HttpRequest) -> Answer:
        route = self._methods.get("GET" if http.method == "HEAD" else http.method)
        # Modules behind one address are many, and what they may do is limited by what they know.
        if not http.url.path.startswith("/dev/"):
            self._cloud.limits.request(address(http.scope.get("client")))
        if route is None:
            raise ApiError(NOT_SERVED, "%s is not served here, %s is" % (http.method[:16], " and ".join(self._methods)))
        try:
            request = route.caller(_head(http), self._cloud)
        except ApiError:
            await _read(http, 0)
            raise
        body = await _read(http, route.max_body)
        if body is None:
            raise ApiError(FORM_INVALID, "the body is longer than %d bytes" % route.max_body)
        return await route.handler(replace(request, body=body), self._cloud)


def _head(http: HttpRequest) -> Request:
    """The request without its body: nothing is kept of what a stranger sends."""
    if not all(is_plain(value) for value in http.path_params.values()):
        raise ApiError(NOT_SERVED, "the path holds control characters")
    return Request(
        method=http.method,
        path=http.url.path,
        params=http.path_params,
        query=Fields(http.query_params),
        headers=http.headers,
        body=b"",
        host=address(http.scope.get("server")),
        ip=address(http.scope.get("client")),
    )


async def _read(http: HttpRequest, at_most: int) -> bytes | None:
    """The body; None when it is longer."""
    pieces, size = [], 0
    async for piece in http.stream():
        size += len(piece)
        if size <= at_most:
            pieces.append(piece)
        elif size > at_most + MAX_WASTE:
            break
    return b"".join(pieces) if size <= at_most else None


def address(end: tuple[str, int] | None) -> str:
    """An IPv4 address also when it comes in the clothes of IPv6: modules know no other. Without a zone."""
    return end[0].removeprefix("::ffff:").partition("%")[0] if end else ""


def _response(path: str, answer: Answer) -> Response:
    if isinstance(answer, Blob):
        return _file(answer)
    if isinstance(answer, Text):
        body, content_type = answer.text.encode(), "text/html; charset=utf-8"
    elif isinstance(answer, Content):
        body, content_type = answer.data, answer.content_type
    else:
        body = json.dumps(answer.data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        content_type = "application/json"
    response = Response(body, answer.status)
    if answer.status == 204:
        response.raw_headers = [(b"Access-Control-Allow-Origin", b"*")]
        return response
    response.raw_headers = [(b"Content-Type", content_type.encode())]
    if not body or not path.startswith("/dev/"):
        response.raw_headers.append((b"Content-Length", b"%d" % len(body)))
    if not path.startswith("/dev/"):
        response.raw_headers.append((b"Access-Control-Allow-Origin", b"*"))
    if isinstance(answer, Content):
        response.raw_headers += _PAGE_HEADERS
    return response


def _file(answer: Blob) -> Response:
    response = Response(answer.data, answer.status)
    length = (b"Content-Length", b"%d" % len(answer.data))
    heads = [(name.encode(), value.encode("latin-1")) for name, value in answer.heads]
    response.raw_headers = [length, *heads, (b"Content-Type", b"application/octet-stream")]
    return response


async def _not_found(http: HttpRequest, error: Exception) -> Response:
    answer = ApiError(NOT_SERVED, "there is no such path in this cloud")
    return _response(http.url.path, Json(answer.body(), answer.status))


async def _failed(http: HttpRequest, error: Exception) -> Response:
    """A fault of ours; the server logs it with its traceback, the caller learns nothing from it."""
    return _response(http.url.path, Json(ApiError(SERVER_ERROR).body(), 500))
