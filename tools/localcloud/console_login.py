"""Who may see the operator's pages of the web console: whoever knows the password of `localcloud console password`.

    X-Console-Token: <expires, Unix seconds>.<HMAC-SHA256 of it, keyed with the hash of the password>

The token needs no table: every worker can check it, and it ends by itself or with the password. A user of the Open API
is no operator, an operator no user.
"""

import asyncio
import hashlib
import hmac
import time
from typing import TYPE_CHECKING

from . import auth
from .errors import TOKEN_EXPIRED, TOKEN_INVALID, USERNAME_PASSWORD_ERROR, ApiError
from .request import Json, Request
from .store.store import Store

if TYPE_CHECKING:
    from .app import Cloud

TOKEN_S = 12 * 3600
_MAX_PASSWORD = 128
NO_PASSWORD = "no operator password is set: run `localcloud console password`"  # noqa: S105 - says that there is none


def set_password(store: Store, password: str) -> None:
    """The operator's password from now on; ApiError when it is too weak."""
    auth.check_strength(password)
    store.operators.set_password_hash(auth.hash_password(password))


async def login(request: Request, cloud: "Cloud") -> Json:
    """A token for the operator's pages."""
    password = request.json().text("password", _MAX_PASSWORD)
    password_hash = cloud.store.operators.password_hash()
    if password_hash is None:
        raise ApiError(USERNAME_PASSWORD_ERROR, NO_PASSWORD)
    cloud.limits.guess("operator", request.ip)
    async with cloud.hashing:
        is_right = await asyncio.to_thread(auth.is_password, password_hash, password)
    if not is_right:
        raise ApiError(USERNAME_PASSWORD_ERROR)
    cloud.limits.right("operator", request.ip)
    expire_at = int(time.time()) + TOKEN_S
    return Json({"token": _token(password_hash, expire_at), "expire_at": expire_at})


def operator(request: Request, cloud: "Cloud") -> Request:
    """Needs the operator's token. A caller for the table of routes, as `auth.user` is."""
    token = request.headers.get("x-console-token", "").strip()
    stamp = token.partition(".")[0]
    password_hash = cloud.store.operators.password_hash()
    if password_hash is None or not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise ApiError(TOKEN_INVALID)
    if not hmac.compare_digest(token.encode(), _token(password_hash, int(stamp)).encode()):
        raise ApiError(TOKEN_INVALID)
    if int(stamp) <= time.time():
        raise ApiError(TOKEN_EXPIRED)
    return request


def _token(password_hash: str, expire_at: int) -> str:
    return "%d.%s" % (expire_at, hmac.new(password_hash.encode(), b"%d" % expire_at, hashlib.sha256).hexdigest())
