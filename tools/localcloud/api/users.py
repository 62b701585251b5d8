"""Open API manual, User Management: create a user, log in, get the user.

Two kinds of users exist here: anonymous ones, known by the phone id their app drew, and those with a name and a
password. What a cloud without SMS, mail and third parties cannot check (phone, email, authData) is refused.
"""

import asyncio
import time
from typing import TYPE_CHECKING

from .. import auth
from ..errors import FORM_INVALID, USER_NOT_EXIST, USERNAME_PASSWORD_ERROR, USERNAME_UNAVAILABLE, ApiError
from ..request import Fields, Json, Request

if TYPE_CHECKING:
    from ..app import Cloud

LANGUAGES = ("en", "zh-cn")
# Columns of the users table.
MAX_NAME = 128


async def create(request: Request, cloud: "Cloud") -> Json:
    """A new user and a token. An anonymous user who is known gets a token only: for those this call is the login."""
    form = request.json()
    lang = _language(form)
    username = form.optional_text("username", MAX_NAME)
    if username:
        password = form.text("password", MAX_NAME)
        auth.check_strength(password)
        async with cloud.hashing:
            password_hash = await asyncio.to_thread(auth.hash_password, password)
        user = cloud.store.users.add(username, password_hash, lang)
        if user is None:
            raise ApiError(USERNAME_UNAVAILABLE)
    else:
        phone_id = form.optional_text("phone_id", MAX_NAME)
        if not phone_id:
            raise ApiError(FORM_INVALID, "expected phone_id, or username and password; other users are not supported")
        user = cloud.store.users.anonymous(request.app_id, phone_id, lang)
    return Json(_token(user.uid, cloud), status=201)


async def login(request: Request, cloud: "Cloud") -> Json:
    form = request.json()
    user = cloud.store.users.by_name(form.text("username", MAX_NAME))
    password = form.text("password", MAX_NAME)
    if user is None or user.password_hash is None:
        raise ApiError(USER_NOT_EXIST)
    async with cloud.hashing:
        is_right = await asyncio.to_thread(auth.is_password, user.password_hash, password)
    if not is_right:
        raise ApiError(USERNAME_PASSWORD_ERROR)
    return Json(_token(user.uid, cloud))


async def get(request: Request, cloud: "Cloud") -> Json:
    user = request.caller
    return Json(
        {
            "uid": user.uid,
            "username": user.username or "",
            "is_anonymous": user.username is None,
            "lang": user.lang,
            "phone": "",
            "email": "",
            "name": "",
            "gender": "N",
            "birthday": "",
            "address": "",
            "remark": "",
        }
    )


def _language(form: Fields) -> str:
    # Apps send whatever their phone is set to; the two of the manual are kept, others read English.
    lang = form.optional_text("lang", 16).lower()
    return lang if lang in LANGUAGES else "en"


def _token(uid: str, cloud: "Cloud") -> dict[str, object]:
    expire_at = int(time.time()) + cloud.settings.token_days * 86400
    return {"uid": uid, "token": cloud.store.users.issue_token(uid, expire_at), "expire_at": expire_at}
