"""Who may log in to the broker, judged on the database. Cloud manual, device side, 4.1, 4.8 and chapter 6.

    device   username = client id = did        password = passcode
    app      username = 2$<app id>$<uid>       password = a token of that user     client id: anything plain
    nobody else; who gives no username is refused like who gives a wrong password

Wrong passwords are throttled: after ten in a minute from one address for one name, that pair is refused unseen until
the minute is over. The pair, because behind one address there are many devices, and a name alone could be locked out
by anybody.
"""

import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from . import access
from .broker import AppLogin, Credentials, DeviceLogin

# CONNACK codes of MQTT 3.1.
ACCEPTED, BAD_LEVEL, BAD_CLIENT_ID, BAD_LOGIN, NOT_ALLOWED = 0, 1, 2, 4, 5

MAX_WRONG = 10
WINDOW_S = 60.0
# Pairs that are remembered; a flood of made-up names costs the oldest ones.
MAX_PAIRS = 10000

_APP = re.compile(r"2\$([0-9a-fA-F]{32})\$([!-~]{1,64})")


class Attempt(NamedTuple):
    client_id: str
    username: str
    password: str
    ip: str


class Verdict(NamedTuple):
    """`code` is for the CONNACK, `why` for the log; the login that was accepted, if one was."""

    code: int
    why: str
    login: DeviceLogin | AppLogin | None = None


class Admission:
    def __init__(self, credentials: Credentials, clock: Callable[[], float] = time.monotonic) -> None:
        self._credentials = credentials
        self._throttle = Throttle(clock)

    def judge(self, attempt: Attempt) -> Verdict:
        """Whether a client may come in; a device without a known passcode is believed, once."""
        if not attempt.username or not attempt.password:
            return Verdict(BAD_LOGIN, "it gives no username or no password")
        pair = (attempt.ip, attempt.username)
        if self._throttle.is_closed(pair):
            return Verdict(BAD_LOGIN, "too many wrong passwords; it is asked again in a minute")
        app = parse_app(attempt.username)
        verdict = self._app(attempt, app) if app else self._device(attempt)
        if verdict.code == BAD_LOGIN:
            self._throttle.count(pair)
        return verdict

    def _app(self, attempt: Attempt, app: tuple[str, str]) -> Verdict:
        if not access.is_plain_did(attempt.client_id):
            return Verdict(BAD_CLIENT_ID, "its client id cannot be part of a topic")
        app_id, uid = app
        login = self._credentials.app(app_id, uid, attempt.password)
        if login is None:
            return Verdict(BAD_LOGIN, "it shows no valid token of that user")
        return Verdict(ACCEPTED, "", login)

    def _device(self, attempt: Attempt) -> Verdict:
        did = attempt.username
        if attempt.client_id != did or not access.is_plain_did(did):
            return Verdict(BAD_CLIENT_ID, "its client id and username are not both the did")
        login = self._credentials.device(did)
        if login is None:
            return Verdict(BAD_LOGIN, "the did is unknown here")
        if login.disabled:
            return Verdict(NOT_ALLOWED, "the did is disabled")
        if not login.passcode:
            self._credentials.learn_passcode(did, attempt.password)
        elif not hmac.compare_digest(attempt.password.encode(), login.passcode.encode()):
            return Verdict(BAD_LOGIN, "wrong passcode")
        return Verdict(ACCEPTED, "", login)


@dataclass
class _Wrong:
    since: float
    times: int


class Throttle:
    """Counts what went wrong per key, within a window that begins with the first time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: dict[tuple[str, str], _Wrong] = {}

    def is_closed(self, key: tuple[str, str]) -> bool:
        """Whether this key had its times in this window."""
        wrong = self._wrong.get(key)
        if wrong is not None and self._clock() - wrong.since >= WINDOW_S:
            del self._wrong[key]
            return False
        return wrong is not None and wrong.times >= MAX_WRONG

    def count(self, key: tuple[str, str]) -> None:
        """One more."""
        while len(self._wrong) >= MAX_PAIRS and key not in self._wrong:
            del self._wrong[next(iter(self._wrong))]
        self._wrong.setdefault(key, _Wrong(self._clock(), 0)).times += 1


def parse_app(username: str) -> tuple[str, str] | None:
    """(app id, uid) of an app's username, None when it is none."""
    match = _APP.fullmatch(username)
    return (match[1].lower(), match[2]) if match else None


def app_username(app_id: str, uid: str) -> str:
    """What an app logs in with."""
    return "2$%s$%s" % (app_id, uid)
