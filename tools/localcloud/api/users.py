"""Open API manual, User Management: create a user, log in and out, get the user.

A user is known by a phone id (anonymous), a username, a phone, an e-mail address, or an account with another company;
each way to become one is a row of `_WAYS`.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from .. import auth
from ..errors import (
    EMAIL_NOT_ACTIVE,
    EMAIL_UNAVAILABLE,
    FORM_INVALID,
    PHONE_UNAVAILABLE,
    USER_NOT_EXIST,
    USERNAME_PASSWORD_ERROR,
    USERNAME_UNAVAILABLE,
    ApiError,
)
from ..events import TOKEN, Event
from ..request import Answer, Fields, Json, Request, Text
from ..store.users import User, hash_of
from ..third_party import identify
from .links import send_activation
from .passwords import is_right_password, new_password
from .user_fields import MAX_EMAIL, MAX_NAME, check_free, email_of, language_of, phone_of
from .verification import spend_sms_code

if TYPE_CHECKING:
    from ..app import Cloud


async def create(request: Request, cloud: "Cloud") -> Json:
    """A new user and a token. For those without a password, this call is the login too."""
    form = request.json()
    for field, make in _WAYS.items():
        if form.get(field):
            user = await make(form, request, cloud)
            return Json(await _token(user, request, cloud), status=201)
    raise ApiError(FORM_INVALID, "expected phone_id; username or email, and password; phone and code; or authData")


async def login(request: Request, cloud: "Cloud") -> Json:
    form = request.json()
    name, password = form.text("username", MAX_EMAIL), form.text("password", MAX_NAME)
    cloud.limits.guess(name.lower(), request.ip)
    user = cloud.store.users.by_name(name)
    if user is None or user.password_hash is None:
        raise ApiError(USER_NOT_EXIST)
    if not await is_right_password(user.password_hash, password, cloud):
        raise ApiError(USERNAME_PASSWORD_ERROR)
    cloud.limits.right(name.lower(), request.ip)
    return Json(await _token(user, request, cloud))


async def logout(request: Request, cloud: "Cloud") -> Answer:
    """The token shown is of no use any more, and what is connected with it is cut off."""
    token_hash = hash_of(auth.token_of(request))
    cloud.store.users.end_token(token_hash)
    cloud.bus.publish(Event(TOKEN, "", {"uid": request.caller.uid, "token_hash": token_hash}))
    return Text("", status=204)


async def get(request: Request, cloud: "Cloud") -> Json:
    user = request.caller
    return Json(
        {
            "uid": user.uid,
            "username": user.username or "",
            "is_anonymous": user.is_anonymous,
            "lang": user.lang,
            "phone": user.phone or "",
            "email": user.email or "",
            "name": user.name,
            "gender": user.gender,
            "birthday": user.birthday,
            "address": user.address,
            "remark": user.remark,
        }
    )


async def _anonymous(form: Fields, request: Request, cloud: "Cloud") -> User:
    return cloud.store.users.anonymous(request.app_id, form.text("phone_id", MAX_NAME), language_of(form))


async def _with_username(form: Fields, request: Request, cloud: "Cloud") -> User:
    username = form.text("username", MAX_NAME)
    password_hash = await new_password(form, "password", cloud)
    check_free(username, cloud, USERNAME_UNAVAILABLE)
    user = cloud.store.users.add(username=username, password_hash=password_hash, lang=language_of(form))
    if user is None:
        raise ApiError(USERNAME_UNAVAILABLE)
    return user


async def _with_phone(form: Fields, request: Request, cloud: "Cloud") -> User:
    """With a password a new user; without one also the login of a known one."""
    phone = phone_of(form)
    has_password = bool(form.get("password"))
    password_hash = await new_password(form, "password", cloud) if has_password else None
    spend_sms_code(phone, form.text("code", MAX_NAME), request, cloud)
    known = cloud.store.users.by_phone(phone)
    if known is not None and not has_password:
        return known
    user = cloud.store.users.add(phone=phone, password_hash=password_hash, lang=language_of(form))
    if user is None:
        raise ApiError(PHONE_UNAVAILABLE)
    return user


async def _with_email(form: Fields, request: Request, cloud: "Cloud") -> User:
    email = email_of(form)
    password_hash = await new_password(form, "password", cloud)
    known = cloud.store.users.by_email(email)
    if known is not None and not known.is_email_active:
        await send_activation(request, cloud, known.uid, email, known.lang)
        raise ApiError(EMAIL_NOT_ACTIVE)
    check_free(email, cloud, EMAIL_UNAVAILABLE)
    user = cloud.store.users.add(email=email, password_hash=password_hash, lang=language_of(form))
    if user is None:
        raise ApiError(EMAIL_UNAVAILABLE)
    await send_activation(request, cloud, user.uid, email, user.lang)
    return user


async def _with_third_party(form: Fields, request: Request, cloud: "Cloud") -> User:
    """The manual has the three fields side by side, its machine-readable edition has them in authData."""
    inner = form.get("authData", form)
    if not isinstance(inner, dict):
        raise ApiError(FORM_INVALID, "authData: expected an object with src, uid and token")
    src, third_uid = await identify(Fields(inner), request, cloud)
    return cloud.store.users.of_third_party(src, third_uid, language_of(form))


# The first field that is there decides.
_WAYS: "dict[str, Callable[[Fields, Request, Cloud], Awaitable[User]]]" = {
    "authData": _with_third_party,
    "src": _with_third_party,
    "phone": _with_phone,
    "email": _with_email,
    "username": _with_username,
    "phone_id": _anonymous,
}


async def _token(user: User, request: Request, cloud: "Cloud") -> dict[str, object]:
    """A new token; with it an app may log in to the broker too."""
    expire_at = int(time.time()) + cloud.settings.token_days * 86400
    token = cloud.store.users.issue_token(user.uid, expire_at)
    await cloud.admit_app(request.app_id, user.uid, token)
    return {"uid": user.uid, "token": token, "expire_at": expire_at}
