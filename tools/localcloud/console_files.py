"""The files of the web console, as they are in `web/`, with the headers that keep strangers' scripts out of it."""

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from .errors import NOT_SERVED, ApiError
from .request import Content, Request

if TYPE_CHECKING:
    from .app import Cloud

INDEX = "index.html"
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}


async def index(request: Request, cloud: "Cloud") -> Content:
    return _file(INDEX)


async def file(request: Request, cloud: "Cloud") -> Content:
    return _file(request.params["name"])


@cache
def names() -> frozenset[str]:
    """What there is: a request names one of these or nothing."""
    found = (entry.name for entry in resources.files(__package__ + ".web").iterdir() if entry.is_file())
    return frozenset(name for name in found if name.rpartition(".")[2] in _TYPES)


def _file(name: str) -> Content:
    if name not in names():
        raise ApiError(NOT_SERVED, "the console has no such file")
    return Content(_content(name), _TYPES[name.rpartition(".")[2]])


@cache
def _content(name: str) -> bytes:
    return (resources.files(__package__ + ".web") / name).read_bytes()
