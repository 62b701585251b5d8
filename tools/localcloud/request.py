"""A request and an answer as data: what a handler gets, what it returns.

Forms and JSON come from modules and scripts of every kind, so they are read leniently and checked field by field; a
field that cannot be used raises ApiError naming it.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from .errors import FORM_INVALID, ApiError
from .store.users import User

# Nothing the two APIs take comes near it; a route may have a limit of its own.
MAX_BODY = 65536


class Fields(dict[str, Any]):
    """The fields of a form, a JSON object or a query."""

    def text(self, name: str, at_most: int) -> str:
        """A field that must be there: printable text of 1 to `at_most` characters."""
        value = self.optional_text(name, at_most)
        if not value:
            raise ApiError(FORM_INVALID, "%s is missing" % name)
        return value

    def optional_text(self, name: str, at_most: int) -> str:
        """The same for a field that may be left out or empty: "" then."""
        value = self.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > at_most or not is_plain(value):
            raise ApiError(FORM_INVALID, "%s: expected text of at most %d characters" % (name, at_most))
        return value

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number, given as one or as its digits."""
        value = self.get(name, default)
        if value is None:
            raise ApiError(FORM_INVALID, "%s is missing" % name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise ApiError(FORM_INVALID, "%s: expected a whole number from %d to %d" % (name, low, high))
        return value


def is_plain(text: str) -> bool:
    """Whether it is text that can be stored and shown: no control characters, no half of a surrogate pair."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


@dataclass(frozen=True)
class Request:
    """`host` is the address the request came to, `ip` the one it came from. `app_id` and `user` are set by `auth`."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Fields
    headers: Mapping[str, str]
    body: bytes
    host: str
    ip: str
    app_id: str = ""
    user: User | None = None

    @property
    def caller(self) -> User:
        """The user who calls; only for routes that demand one."""
        if self.user is None:
            raise RuntimeError("%s %s is open to callers without a user" % (self.method, self.path))
        return self.user

    def json(self) -> Fields:
        """The JSON object in the body; no body counts as an empty one."""
        if not self.body.strip():
            return Fields()
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise ApiError(FORM_INVALID, "the body is no JSON") from None
        if not isinstance(value, dict):
            raise ApiError(FORM_INVALID, "the body is no JSON object")
        return Fields(value)

    def form(self) -> Fields:
        """The form in the body. Modules do not percent-encode, other clients do; a + is a +."""
        text = self.body.decode("utf-8", "replace").strip("\r\n\t \0")
        fields = Fields()
        for pair in text.split("&"):
            name, _, value = pair.partition("=")
            fields.setdefault(unquote(name), unquote(value))
        return fields


@dataclass(frozen=True)
class Json:
    data: Any
    status: int = 200


@dataclass(frozen=True)
class Text:
    text: str
    status: int = 200


@dataclass(frozen=True)
class Content:
    """Bytes of another kind, such as an image."""

    data: bytes
    content_type: str
    status: int = 200


@dataclass(frozen=True)
class Blob:
    """A file for a device: bytes, with the heads that it reads."""

    data: bytes
    heads: list[tuple[str, str]]
    status: int = 200


Answer = Json | Text | Content | Blob
