"""Accounts with other companies: whether somebody is who they say is asked of a program of the operator's.

It gets {"src", "uid", "token", "token_secret", "app_id"} on stdin. Status 0: it is so; a {"uid": "…"} on stdout is then
who they really are. Status 1: it is not so.
"""

from typing import TYPE_CHECKING

from .errors import FORM_INVALID, SERVER_ERROR, USER_INVALID, ApiError
from .hook import HookError, HookRefusal, run_hook
from .request import Fields, Request

if TYPE_CHECKING:
    from .app import Cloud

SOURCES = ("qq", "sina", "baidu", "wechat", "twitter", "facebook", "google", "amazon")
MAX_UID = 128
# Some are signed documents.
MAX_TOKEN = 8192


async def identify(fields: Fields, request: Request, cloud: "Cloud") -> tuple[str, str]:
    """(company, uid there) of the caller; ApiError when they are not who they say."""
    src, uid = fields.text("src", 16), fields.text("uid", MAX_UID)
    token, secret = fields.text("token", MAX_TOKEN), fields.optional_text("token_secret", MAX_TOKEN)
    if src not in SOURCES:
        raise ApiError(FORM_INVALID, "src: expected one of %s" % ", ".join(SOURCES))
    if not cloud.settings.third_party:
        raise ApiError(FORM_INVALID, "this cloud asks no other company who somebody is")
    claim = {"src": src, "uid": uid, "token": token, "token_secret": secret, "app_id": request.app_id}
    try:
        answer = await run_hook(cloud.settings.third_party, claim)
    except HookRefusal:
        raise ApiError(USER_INVALID, "%s does not know this token" % src) from None
    except HookError as error:
        cloud.log.error("account with %s not checked: %s", src, error)
        raise ApiError(SERVER_ERROR, "the account could not be checked") from None
    known = answer.get("uid", uid)
    if not isinstance(known, str) or not 0 < len(known) <= MAX_UID:
        raise ApiError(SERVER_ERROR, "the account could not be checked")
    return src, known
