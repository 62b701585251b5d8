"""People who use an app of the cloud: they register, read the codes that were sent to them, and log in."""

import re
import time
from collections.abc import Callable
from typing import Any

from localcloud.errors import REQUEST_THROTTLED

from .cloud_running import Reply, RunningCloud

PASSWORD = "Secret-word1"
OTHER_PASSWORD = "Other-word22"


def create(cloud: RunningCloud, **form: Any) -> Reply:
    """A new user."""
    return cloud.app("POST", "/app/users", form)


def login(cloud: RunningCloud, username: str, password: str = PASSWORD) -> Reply:
    return cloud.app("POST", "/app/login", {"username": username, "password": password, "lang": "en"})


def guess(try_one: Callable[[], int], at_once: int, a_minute: float) -> list[int]:
    """The codes of wrong tries up to the first that is not looked at; no sooner and no later than those rates say."""
    began = time.monotonic()
    codes = [try_one()]
    while codes[-1] != REQUEST_THROTTLED:
        codes.append(try_one())
    # Each try takes a machine's time, in which the next one is granted.
    granted = at_once + (time.monotonic() - began) * a_minute / 60
    assert at_once <= len(codes) - 1 <= granted, codes
    return codes


def app_token(cloud: RunningCloud) -> str:
    """The token with which an app asks for codes."""
    token: str = cloud.app("POST", "/app/request_token", X_Gizwits_Application_Auth="0" * 32).json["token"]
    return token


def ask(cloud: RunningCloud, method: str, path: str, **form: Any) -> Reply:
    """A call about codes."""
    return cloud.app(method, path, form or None, X_Gizwits_Application_Token=app_token(cloud))


def sms_code(cloud: RunningCloud, phone: str) -> str:
    """The code that was sent to a phone."""
    assert ask(cloud, "POST", "/app/sms_code", phone=phone).status == 200
    return outbox(cloud, phone)


def outbox(cloud: RunningCloud, address: str) -> str:
    """The newest code or link that was sent to that phone or address."""
    return next(sent.code for sent in cloud.cloud.store.codes.sent(time.time()) if sent.address == address)


def path_of(link: str) -> str:
    """Where a link leads in this cloud."""
    return re.sub(r"http://[^/]+", "", link)
