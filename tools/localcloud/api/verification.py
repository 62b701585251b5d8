"""Open API manual, User Management: tokens of apps, SMS verification codes, image verification codes."""

import secrets
import time
from typing import TYPE_CHECKING

from .. import auth, captcha
from ..errors import CODE_EXPIRED, CODE_INVALID, NOT_SERVED, ApiError
from ..request import Answer, Content, Fields, Json, Request
from ..senders import SMS as BY_SMS
from ..store.codes import CAPTCHA, SMS
from .links import notify, url
from .user_fields import MAX_NAME, language_of, phone_of

if TYPE_CHECKING:
    from ..app import Cloud

# Seconds. A person reads an image at once.
CAPTCHA_LIFE = 600
# A wrong try at an image needs a new image.
CAPTCHA_TRIES = 1

_SUBJECT = {"en": "Verification code", "zh-cn": "验证码"}
_TEXT = {
    "en": "Your verification code is %s. It is good for %d hours. Tell it to nobody.",
    "zh-cn": "您的验证码是 %s，%d 小时内有效。请勿告诉他人。",
}


async def request_token(request: Request, cloud: "Cloud") -> Json:
    """A token with which an app asks for codes."""
    auth.check_app_auth(request, cloud.store.products.app_secret(request.app_id))
    expire_at = int(time.time()) + cloud.settings.token_days * 86400
    token = cloud.store.codes.issue_app_token(request.app_id, expire_at)
    # The manual calls the field expired_at here and expire_at everywhere else.
    return Json({"token": token, "expired_at": expire_at, "expire_at": expire_at})


async def sms_code(request: Request, cloud: "Cloud") -> Json:
    """Sends a code to a phone; with a code, checks it."""
    form = request.json()
    phone = phone_of(form)
    if form.get("code"):
        spend_sms_code(phone, form.text("code", MAX_NAME), request, cloud)
    else:
        await _send_sms_code(phone, form, request, cloud)
    return Json({})


async def get_captcha(request: Request, cloud: "Cloud") -> Json:
    """Where the image of a new captcha is."""
    captcha_id = secrets.token_hex(20)
    cloud.store.codes.put(CAPTCHA, captcha_id, captcha.new_code(), int(time.time()) + CAPTCHA_LIFE, CAPTCHA_TRIES)
    return Json({"captcha_url": url("/captcha/image/%s/" % captcha_id, request, cloud), "captcha_id": captcha_id})


async def captcha_image(request: Request, cloud: "Cloud") -> Answer:
    """The image; who looks again gets another image with another code."""
    captcha_id = request.params["captcha_id"]
    code = captcha.new_code()
    if not cloud.store.codes.replace(CAPTCHA, captcha_id, code, time.time()):
        raise ApiError(NOT_SERVED, "there is no such image, or no longer")
    return Content(captcha.draw(code), "image/png")


async def check_captcha(request: Request, cloud: "Cloud") -> Json:
    """Sends a code to a phone when the digits of the image are right."""
    form = request.json()
    phone = phone_of(form)
    captcha_id, code = form.text("captcha_id", MAX_NAME), form.text("captcha_code", MAX_NAME)
    _check(cloud.store.codes.spend(CAPTCHA, captcha_id, code, time.time()))
    await _send_sms_code(phone, form, request, cloud)
    return Json({})


async def check_sms_code(request: Request, cloud: "Cloud") -> Json:
    form = request.json()
    spend_sms_code(phone_of(form), form.text("sms_code", MAX_NAME), request, cloud)
    return Json({})


def spend_sms_code(phone: str, code: str, request: Request, cloud: "Cloud") -> None:
    """ApiError when it is not the code that was sent to that phone; a right one is of no use any more."""
    cloud.limits.guess(phone, request.ip)
    _check(cloud.store.codes.spend(SMS, phone, code, time.time()))
    cloud.limits.right(phone, request.ip)


async def _send_sms_code(phone: str, form: Fields, request: Request, cloud: "Cloud") -> None:
    cloud.limits.notice(phone, request.ip)
    code = "%06d" % secrets.randbelow(10**6)
    hours = cloud.settings.code_hours
    expire_at = int(time.time()) + hours * 3600
    cloud.store.codes.put(SMS, phone, code, expire_at)
    lang = language_of(form)
    await notify(cloud, BY_SMS, phone, _SUBJECT[lang], _TEXT[lang] % (code, hours), code, expire_at, lang)


def _check(is_right: bool | None) -> None:
    if is_right is None:
        raise ApiError(CODE_EXPIRED)
    if not is_right:
        raise ApiError(CODE_INVALID)
