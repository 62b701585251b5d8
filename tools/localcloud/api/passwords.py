"""Passwords of users: made, compared and changed, and reset by phone or mail. Open API manual, User Management.

Hashing takes tens of milliseconds and 19 MiB: it runs in a thread, two at a time.
"""

import asyncio
import time
from typing import TYPE_CHECKING

from .. import auth
from ..errors import FORM_INVALID, USER_NOT_EXIST, ApiError
from ..events import TOKEN, Event
from ..request import Fields, Json, Request
from ..store.codes import RESET
from .links import send_reset_link
from .user_fields import MAX_NAME, email_of, phone_of
from .verification import spend_sms_code

if TYPE_CHECKING:
    from ..app import Cloud


async def reset(request: Request, cloud: "Cloud") -> Json:
    """With the code of an SMS the new password counts at once; to an address a link is mailed."""
    form = request.json()
    if form.get("phone"):
        phone = phone_of(form)
        password_hash = await new_password(form, "new_pwd", cloud)
        spend_sms_code(phone, form.text("code", MAX_NAME), request, cloud)
        user = cloud.store.users.by_phone(phone)
        if user is None:
            raise ApiError(USER_NOT_EXIST)
        set_password(user.uid, password_hash, cloud)
        return Json({})
    if not form.get("email"):
        raise ApiError(FORM_INVALID, "expected email; or phone, code and new_pwd")
    user = cloud.store.users.by_email(email_of(form))
    if user is None or user.email is None:
        raise ApiError(USER_NOT_EXIST)
    await send_reset_link(request, cloud, user.uid, user.email, user.lang)
    return Json({})


async def reset_by_link(secret: str, form: Fields, cloud: "Cloud") -> bool:
    """Sets the password of the person whose link it is; False when the link is of no use any more."""
    # First the password: a weak one must not cost the link.
    password_hash = await new_password(form, "new_pwd", cloud)
    uid = cloud.store.codes.spend_link(RESET, secret, time.time())
    if uid is None:
        return False
    set_password(uid, password_hash, cloud)
    # Who follows a link owns the address it was sent to.
    return cloud.store.users.change(uid, is_email_active=True)


async def new_password(form: Fields, field: str, cloud: "Cloud") -> str:
    """The hash of a password that is new; ApiError when it is weak."""
    password = form.text(field, MAX_NAME)
    auth.check_strength(password)
    async with cloud.hashing:
        return await asyncio.to_thread(auth.hash_password, password)


async def is_right_password(password_hash: str, password: str, cloud: "Cloud") -> bool:
    """Whether it is that password."""
    async with cloud.hashing:
        return await asyncio.to_thread(auth.is_password, password_hash, password)


def set_password(uid: str, password_hash: str, cloud: "Cloud", keep: str = "") -> None:
    """A new password ends all sessions of that user; the token with the hash `keep` stays good."""
    cloud.store.users.set_password(uid, password_hash, keep)
    cloud.bus.publish(Event(TOKEN, "", {"uid": uid, "token_hash": None}))
