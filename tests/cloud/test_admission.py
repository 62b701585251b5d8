"""Who may log in, and how often somebody may try."""

import pytest
from localcloud.admission import BAD_CLIENT_ID, BAD_LOGIN, MAX_WRONG, WINDOW_S, Admission, Attempt, app_username
from localcloud.broker import AppLogin
from testkit.mqtt_parts import DID, LOGIN, OTHER, PASSCODE
from testkit.mqtt_parts import Store as Logins

UID, APP_ID, TOKEN = "u" * 32, "0a" * 16, "t" * 32
APP = app_username(APP_ID, UID)


class Credentials(Logins):
    """Two devices and one app."""

    def app(self, app_id, uid, token):
        return AppLogin(app_id, uid, "hash") if (uid, token) == (UID, TOKEN) else None


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def admission(clock):
    return Admission(Credentials(LOGIN, OTHER), clock)


def _device(password=PASSCODE, ip="10.0.0.1", did=DID):
    return Attempt(did, did, password, ip)


def test_a_device_with_its_passcode_and_an_app_with_its_token_come_in(admission):
    assert admission.judge(_device()).login == LOGIN
    assert admission.judge(Attempt("usr1", APP, TOKEN, "10.0.0.1")).login == AppLogin(APP_ID, UID, "hash")


@pytest.mark.parametrize(
    ("attempt", "code"),
    [
        (Attempt("x", "", "", "10.0.0.1"), BAD_LOGIN),
        (Attempt("x", APP, "", "10.0.0.1"), BAD_LOGIN),
        (Attempt("x", APP, "wrong", "10.0.0.1"), BAD_LOGIN),
        (Attempt("a/b", APP, TOKEN, "10.0.0.1"), BAD_CLIENT_ID),
        (Attempt("+", APP, TOKEN, "10.0.0.1"), BAD_CLIENT_ID),
        (Attempt("x", "2$zz$" + UID, TOKEN, "10.0.0.1"), BAD_CLIENT_ID),
        (Attempt("other", DID, PASSCODE, "10.0.0.1"), BAD_CLIENT_ID),
        (_device("wrong"), BAD_LOGIN),
        (_device(did="Nobody0000000000000022"), BAD_LOGIN),
    ],
    ids=str,
)
def test_everybody_else_stays_out(admission, attempt, code):
    verdict = admission.judge(attempt)
    assert (verdict.code, verdict.login) == (code, None)
    assert TOKEN not in verdict.why
    assert PASSCODE not in verdict.why


def test_after_ten_wrong_passwords_the_right_one_waits_for_the_end_of_the_minute(admission, clock):
    for _ in range(MAX_WRONG):
        assert admission.judge(_device("wrong")).code == BAD_LOGIN
    assert admission.judge(_device()).login is None
    clock.now = WINDOW_S - 0.1
    assert admission.judge(_device()).login is None
    clock.now = WINDOW_S
    assert admission.judge(_device()).login == LOGIN


def test_nobody_locks_out_a_device_from_another_address_nor_another_device(admission):
    for _ in range(MAX_WRONG):
        admission.judge(_device("wrong"))
    assert admission.judge(_device(ip="10.0.0.2")).login == LOGIN
    assert admission.judge(_device(OTHER.passcode, did=OTHER.did)).login == OTHER


def test_right_logins_are_not_counted(admission):
    for _ in range(3 * MAX_WRONG):
        assert admission.judge(_device()).login == LOGIN


def test_tokens_are_throttled_too(admission):
    for _ in range(MAX_WRONG):
        admission.judge(Attempt("usr1", APP, "wrong", "10.0.0.1"))
    assert admission.judge(Attempt("usr1", APP, TOKEN, "10.0.0.1")).login is None
