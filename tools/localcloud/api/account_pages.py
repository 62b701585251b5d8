"""The two pages that links in mails lead to: choose a new password, confirm an address. For people, without scripts."""

import html
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from ..errors import ApiError
from ..request import Fields, Request, Text
from ..store.codes import ACTIVATION, RESET
from .passwords import reset_by_link

if TYPE_CHECKING:
    from ..app import Cloud

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer"><title>%(title)s</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26em; margin: 3em auto; padding: 0 1em; color: #222 }
input, button { font: inherit; width: 100%%; box-sizing: border-box; padding: .6em; margin: .3em 0 }
button { background: #0a62b0; color: #fff; border: 0; border-radius: .3em }
.wrong { color: #a00 }
</style></head><body><h1>%(title)s</h1>%(body)s</body></html>"""
_FORM = """<p class="wrong">%s</p>
<form method="post"><label>New password<input type="password" name="new_pwd" required minlength="8"
autocomplete="new-password" autofocus></label><button>Save</button></form>
<p>At least 8 characters of three kinds: upper case, lower case, digits, others.</p>"""
_GONE = "<p>This link has been used or is too old. Ask for a new one in the app.</p>"


async def password_form(request: Request, cloud: "Cloud") -> Text:
    """Looking at the link does not spend it."""
    if cloud.store.codes.whose_link(RESET, request.params["secret"], time.time()) is None:
        return _page("Reset your password", _GONE, 404)
    return _page("Reset your password", _FORM % "")


async def set_password(request: Request, cloud: "Cloud") -> Text:
    # Unlike a module's form, a browser's has + for a blank.
    form = Fields(parse_qsl(request.body.decode("utf-8", "replace")))
    try:
        is_done = await reset_by_link(request.params["secret"], form, cloud)
    except ApiError as error:
        return _page("Reset your password", _FORM % html.escape(error.detail or ""), error.status)
    if not is_done:
        return _page("Reset your password", _GONE, 404)
    return _page("Reset your password", "<p>Your new password is stored. Log in with it in the app.</p>")


async def activate(request: Request, cloud: "Cloud") -> Text:
    uid = cloud.store.codes.spend_link(ACTIVATION, request.params["secret"], time.time())
    if uid is None:
        return _page("Confirm your address", _GONE, 404)
    cloud.store.users.change(uid, is_email_active=True)
    return _page("Confirm your address", "<p>Thank you. Your address is confirmed.</p>")


def _page(title: str, body: str, status: int = 200) -> Text:
    return Text(_PAGE % {"title": title, "body": body}, status)
