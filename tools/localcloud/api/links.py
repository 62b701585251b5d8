"""What is sent to people: notices, and the links in them that lead to a page of this cloud."""

import time
from typing import TYPE_CHECKING

from ..errors import SEND_FAILED, ApiError
from ..request import Request
from ..senders import EMAIL, Notice, SendError
from ..store.codes import ACTIVATION, RESET

if TYPE_CHECKING:
    from ..app import Cloud

RESET_PATH = "/account/password/"
ACTIVATION_PATH = "/account/activation/"

# kind of link -> (its path, language -> subject and text)
_LINKS = {
    RESET: (
        RESET_PATH,
        {
            "en": (
                "Reset your password",
                "To choose a new password, open %s within %d hours. If you did not ask for it, do nothing.",
            ),
            "zh-cn": ("重置密码", "请在 %s 设置新密码，链接 %d 小时内有效。如非本人操作，请忽略。"),
        },
    ),
    ACTIVATION: (
        ACTIVATION_PATH,
        {
            "en": ("Confirm your e-mail address", "To confirm that this address is yours, open %s within %d hours."),
            "zh-cn": ("确认邮箱", "请打开 %s 确认您的邮箱，链接 %d 小时内有效。"),
        },
    ),
}


def url(path: str, request: Request, cloud: "Cloud") -> str:
    """Where a person finds a path of this cloud. Not from the Host header: a caller writes there what they like."""
    host = cloud.app_host(request)
    return "http://%s:%d%s" % ("[%s]" % host if ":" in host else host, cloud.http_port, path)


async def send_reset_link(request: Request, cloud: "Cloud", uid: str, email: str, lang: str) -> None:
    """Mails a link to the page on which that person chooses a new password."""
    cloud.limits.notice(email, request.ip)
    await _send_link(RESET, request, cloud, uid, email, lang)


async def send_activation(request: Request, cloud: "Cloud", uid: str, email: str, lang: str) -> None:
    """Mails a link that proves whose the address is. The user can log in without, so a failure is only logged."""
    try:
        cloud.limits.notice(email, request.ip)
        await _send_link(ACTIVATION, request, cloud, uid, email, lang)
    except ApiError as error:
        cloud.log.warning("no activation link was sent: %s", error.detail)


async def notify(
    cloud: "Cloud", kind: str, address: str, subject: str, text: str, code: str, expire_at: int, lang: str
) -> None:
    """Sends it; ApiError when that fails."""
    try:
        await cloud.sender.send(Notice(kind, address, subject, text, code, expire_at, lang))
    except SendError as error:
        cloud.log.error("%s not sent: %s", kind, error)
        raise ApiError(SEND_FAILED, "%s could not be sent" % kind) from None


async def _send_link(kind: str, request: Request, cloud: "Cloud", uid: str, email: str, lang: str) -> None:
    path, texts = _LINKS[kind]
    hours = cloud.settings.code_hours
    expire_at = int(time.time()) + hours * 3600
    link = url(path + cloud.store.codes.make_link(kind, uid, expire_at), request, cloud)
    subject, text = texts[lang]
    await notify(cloud, EMAIL, email, subject, text % (link, hours), link, expire_at, lang)
