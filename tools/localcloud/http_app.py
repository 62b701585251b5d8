"""HTTP to data and back: the table of routes as a starlette application.

Every answer is JSON or a module's text, errors of every kind included. What a module gets is chunked with a single
chunk, and headers are spelled the way people write them, because modules and scripts search the raw bytes for both.
"""

import json
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route as HttpRoute
from starlette.types import Receive, Scope, Send

from .errors import FORM_INVALID, NOT_SERVED, SERVER_ERROR, ApiError
from .request import MAX_BODY, Answer, Fields, Json, Request, Text
from .routes import ROUTES, Route

if TYPE_CHECKING:
    from .app import Cloud


def make_app(cloud: "Cloud") -> Starlette:
    """The application that answers for this cloud."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
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
        if route is None:
            raise ApiError(NOT_SERVED, "%s is not served here, %s is" % (http.method[:16], " and ".join(self._methods)))
        request = route.caller(await _read(http), self._cloud)
        return await route.handler(request, self._cloud)


async def _read(http: HttpRequest) -> Request:
    body = b""
    async for piece in http.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise ApiError(FORM_INVALID, "the body is longer than %d bytes" % MAX_BODY)
    server, client = http.scope.get("server"), http.scope.get("client")
    return Request(
        method=http.method,
        path=http.url.path,
        params=http.path_params,
        query=Fields(http.query_params),
        headers=http.headers,
        body=body,
        host=_plain(server[0]) if server else "",
        ip=_plain(client[0]) if client else "",
    )


def _plain(address: str) -> str:
    """An IPv4 address also when it comes in the clothes of IPv6: modules know no other."""
    return address.removeprefix("::ffff:")


def _response(path: str, answer: Answer) -> Response:
    if isinstance(answer, Text):
        body, content_type = answer.text.encode(), "text/html; charset=utf-8"
    else:
        body = json.dumps(answer.data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        content_type = "application/json"
    response = Response(body, answer.status)
    response.raw_headers = [(b"Content-Type", content_type.encode())]
    if not body or not path.startswith("/dev/"):
        response.raw_headers.append((b"Content-Length", b"%d" % len(body)))
    if not path.startswith("/dev/"):
        response.raw_headers.append((b"Access-Control-Allow-Origin", b"*"))
    return response


async def _not_found(http: HttpRequest, error: Exception) -> Response:
    answer = ApiError(NOT_SERVED, "there is no such path in this cloud")
    return _response(http.url.path, Json(answer.body(), answer.status))


async def _failed(http: HttpRequest, error: Exception) -> Response:
    """A fault of ours; the server logs it with its traceback, the caller learns nothing from it."""
    return _response(http.url.path, Json(ApiError(SERVER_ERROR).body(), 500))
