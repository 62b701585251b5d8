"""Who calls: app id, user token, signature, password. Open API manual, HTTP Request Headers and Encrypting Parameters.

`anyone`, `app` and `user` stand in the table of routes: each takes a request and returns it with what it found out, or
raises ApiError. Compared are digests and hashes, never secrets letter by letter.
"""

import hashlib
import hmac
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import argon2

from .errors import (
    APP_AUTH_INVALID,
    APPID_INVALID,
    FORM_INVALID,
    SIGNATURE_INVALID,
    TIMESTAMP_INVALID,
    TOKEN_EXPIRED,
    TOKEN_INVALID,
    ApiError,
)
from .request import Request

if TYPE_CHECKING:
    from .app import Cloud

# Argon2id with 19 MiB and two rounds: the least that is recommended, and still quick on a Raspberry Pi.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# How far a caller's clock may be off, in seconds.
MAX_SKEW_S = 300

_APP_ID = re.compile(r"[0-9a-fA-F]{32}")
_CLASSES = (r"[A-Z]", r"[a-z]", r"[0-9]", r"[^A-Za-z0-9]")


def anyone(request: Request, cloud: "Cloud") -> Request:
    """Devices show no app id; what they may do hangs on their did and passcode."""
    return request


def app(request: Request, cloud: "Cloud") -> Request:
    """Needs an app id that this cloud accepts."""
    app_id = request.headers.get("x-gizwits-application-id", "").strip()
    if not _APP_ID.fullmatch(app_id):
        raise ApiError(APPID_INVALID, "X-Gizwits-Application-Id: expected 32 hex digits")
    app_id = app_id.lower()
    if cloud.settings.apps == "listed" and not cloud.store.products.has_app(app_id):
        raise ApiError(APPID_INVALID, "this app is not on the operator's list")
    return replace(request, app_id=app_id)


def user(request: Request, cloud: "Cloud") -> Request:
    """Needs an app id and the token of a user."""
    request = app(request, cloud)
    token = token_of(request)
    found = cloud.store.users.by_token(token) if token else None
    if found is None:
        raise ApiError(TOKEN_INVALID)
    who, expire_at = found
    if expire_at <= time.time():
        raise ApiError(TOKEN_EXPIRED)
    return replace(request, user=who)


def maybe_user(request: Request, cloud: "Cloud") -> Request:
    """Needs an app id; a token need not be shown, but then it is that of a user."""
    return user(request, cloud) if token_of(request) else app(request, cloud)


def app_token(request: Request, cloud: "Cloud") -> Request:
    """Needs an app id and a token of that app."""
    request = app(request, cloud)
    token = request.headers.get("x-gizwits-application-token", "").strip()
    expire_at = cloud.store.codes.app_token_expiry(request.app_id, token)
    if expire_at is None:
        raise ApiError(TOKEN_INVALID, "X-Gizwits-Application-Token: expected a token of POST /app/request_token")
    if expire_at <= time.time():
        raise ApiError(TOKEN_EXPIRED)
    return request


def check_app_auth(request: Request, secret: str | None) -> None:
    """Whether the caller knows the app's secret; of an app without one that is known, only the form is checked."""
    given = request.headers.get("x-gizwits-application-auth", "").strip().lower()
    # An app id may be shown in either case; the app hashes it as it shows it.
    shown = request.headers.get("x-gizwits-application-id", "").strip()
    if secret is not None:
        right = hashlib.md5((shown + secret).encode(), usedforsecurity=False).hexdigest()
        if not hmac.compare_digest(right.encode(), given.encode()):
            raise ApiError(APP_AUTH_INVALID, "expected the lower-case hex MD5 of app id and app secret")
    elif not _APP_ID.fullmatch(given):
        raise ApiError(APP_AUTH_INVALID, "expected 32 hex digits: the MD5 of app id and app secret")


def check_signature(request: Request, product_secret: str) -> None:
    """Whether the caller knows the product's secret, and says so now."""
    stamp = request.headers.get("x-gizwits-timestamp", "").strip()
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(int(stamp) - time.time()) > MAX_SKEW_S:
        raise ApiError(TIMESTAMP_INVALID, "expected Unix seconds within %d s of this server's clock" % MAX_SKEW_S)
    expected = hashlib.md5((product_secret + stamp).encode(), usedforsecurity=False).hexdigest()
    given = request.headers.get("x-gizwits-signature", "").strip().lower()
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise ApiError(SIGNATURE_INVALID, "expected the lower-case hex MD5 of product secret and timestamp")


def token_of(request: Request) -> str:
    """The user token the caller shows, or "". Apps of the vendor's own gateway show it bare in Authorization."""
    headers = request.headers
    return (headers.get("x-gizwits-user-token") or headers.get("authorization", "")).strip()


def check_strength(password: str) -> None:
    """The rule of the manual: 8 characters or more, of three of four kinds."""
    kinds = sum(1 for kind in _CLASSES if re.search(kind, password))
    if not 8 <= len(password) <= 128 or kinds < 3:
        raise ApiError(
            FORM_INVALID,
            "password: expected 8 to 128 characters of at least three kinds: upper case, lower case, digits, others",
        )


def hash_password(password: str) -> str:
    """Takes tens of milliseconds and 19 MiB: not for the event loop."""
    return _HASHER.hash(password)


def is_password(password_hash: str, password: str) -> bool:
    """The same price as `hash_password`."""
    try:
        return _HASHER.verify(password_hash, password)
    except argon2.exceptions.VerifyMismatchError:
        return False
