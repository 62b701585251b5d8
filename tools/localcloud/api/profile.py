"""Open API manual, User Management: update user information.

An anonymous user gets a name, phone or address and a password; a named one a new password or phone; everyone their
details. Each change of who somebody is, is a row of `_CHANGES`.
"""

import datetime
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .. import auth
from ..errors import (
    EMAIL_UNAVAILABLE,
    FORM_INVALID,
    PHONE_UNAVAILABLE,
    USERNAME_PASSWORD_ERROR,
    USERNAME_UNAVAILABLE,
    ApiError,
)
from ..request import Fields, Json, Request
from ..store.users import hash_of
from .links import send_activation
from .passwords import is_right_password, new_password, set_password
from .user_fields import MAX_NAME, check_free, details_of, email_of, phone_of
from .verification import spend_sms_code

if TYPE_CHECKING:
    from ..app import Cloud


async def change(request: Request, cloud: "Cloud") -> Json:
    """Changes what is given, all of it or nothing."""
    form = request.json()
    columns: dict[str, Any] = details_of(form)
    for field, work_out in _CHANGES.items():
        if form.get(field):
            columns.update(await work_out(form, request, cloud))
    password_hash = columns.pop("password_hash", None)
    if columns and not cloud.store.users.change(request.caller.uid, **columns):
        raise ApiError(_taken(columns))
    if password_hash is not None:
        set_password(request.caller.uid, password_hash, cloud, keep=hash_of(auth.token_of(request)))
    if "email" in columns:
        await send_activation(request, cloud, request.caller.uid, columns["email"], request.caller.lang)
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    return Json({"updatedAt": now.isoformat(timespec="microseconds")})


async def _to_username(form: Fields, request: Request, cloud: "Cloud") -> dict[str, Any]:
    username = form.text("username", MAX_NAME)
    if username == request.caller.username:
        return {}
    _check_anonymous(request, "username")
    password_hash = await new_password(form, "password", cloud)
    check_free(username, cloud, USERNAME_UNAVAILABLE)
    return {"username": username, "password_hash": password_hash, **_NAMED}


async def _to_email(form: Fields, request: Request, cloud: "Cloud") -> dict[str, Any]:
    email = email_of(form)
    if email == request.caller.email:
        return {}
    _check_anonymous(request, "email")
    password_hash = await new_password(form, "password", cloud)
    check_free(email, cloud, EMAIL_UNAVAILABLE)
    return {"email": email, "password_hash": password_hash, **_NAMED}


async def _to_phone(form: Fields, request: Request, cloud: "Cloud") -> dict[str, Any]:
    """An anonymous user becomes one with a phone and a password; any other changes the phone."""
    phone = phone_of(form)
    if phone == request.caller.phone:
        return {}
    columns: dict[str, Any] = {"phone": phone}
    if request.caller.is_anonymous:
        columns.update(_NAMED, password_hash=await new_password(form, "password", cloud))
    spend_sms_code(phone, form.text("code", MAX_NAME), request, cloud)
    if cloud.store.users.by_phone(phone) is not None:
        raise ApiError(PHONE_UNAVAILABLE)
    return columns


async def _to_password(form: Fields, request: Request, cloud: "Cloud") -> dict[str, Any]:
    old, uid = form.text("old_pwd", MAX_NAME), request.caller.uid
    password_hash = await new_password(form, "new_pwd", cloud)
    cloud.limits.guess(uid, request.ip)
    known = request.caller.password_hash
    if known is None or not await is_right_password(known, old, cloud):
        raise ApiError(USERNAME_PASSWORD_ERROR)
    cloud.limits.right(uid, request.ip)
    return {"password_hash": password_hash}


_CHANGES: "dict[str, Callable[[Fields, Request, Cloud], Awaitable[dict[str, Any]]]]" = {
    "username": _to_username,
    "email": _to_email,
    "phone": _to_phone,
    "new_pwd": _to_password,
}
# Whoever has a name is no longer known by the phone id: it is no password.
_NAMED = {"app_id": None, "phone_id": None}
_TAKEN = {"username": USERNAME_UNAVAILABLE, "phone": PHONE_UNAVAILABLE, "email": EMAIL_UNAVAILABLE}


def _check_anonymous(request: Request, field: str) -> None:
    if not request.caller.is_anonymous:
        raise ApiError(FORM_INVALID, "%s: only an anonymous user can be given one" % field)


def _taken(columns: dict[str, Any]) -> int:
    return next((code for name, code in _TAKEN.items() if name in columns), FORM_INVALID)
