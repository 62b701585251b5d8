import hashlib
import time

import pytest
from testkit.cloud_running import APP_ID
from testkit.people import PASSWORD, create, login


def test_an_anonymous_user_is_made_once_per_phone_and_gets_a_token_every_time(cloud):
    first, second = (create(cloud, phone_id="p1", lang="en") for _ in range(2))
    assert (first.status, second.status) == (201, 201)
    assert first.json["uid"] == second.json["uid"]
    assert first.json["token"] != second.json["token"]
    assert cloud.app("GET", "/app/users", token=first.json["token"]).status == 200


def test_the_same_phone_id_under_two_apps_is_two_users(cloud):
    other = cloud.app("POST", "/app/users", {"phone_id": "p2"}, X_Gizwits_Application_Id="0b" * 16)
    assert other.json["uid"] != create(cloud, phone_id="p2").json["uid"]


def test_a_token_lasts_as_long_as_the_settings_say(cloud):
    expire_at = create(cloud, phone_id="p3").json["expire_at"]
    assert abs(expire_at - time.time() - 7 * 86400) < 60


def test_a_named_user_can_log_in(cloud):
    made = create(cloud, username="anna", password=PASSWORD)
    assert made.status == 201
    again = login(cloud, "anna")
    assert (again.status, again.json["uid"]) == (200, made.json["uid"])
    assert set(again.json) == {"uid", "token", "expire_at"}


def test_a_wrong_password_and_an_unknown_user_are_told_apart(cloud):
    create(cloud, username="bert", password=PASSWORD)
    assert login(cloud, "bert", "Wrong-word1").code == 9020
    assert login(cloud, "nobody").code == 9005


def test_a_name_is_given_once(cloud):
    create(cloud, username="carl", password=PASSWORD)
    reply = create(cloud, username="carl", password=PASSWORD)
    assert (reply.status, reply.code) == (400, 9019)


@pytest.mark.parametrize("password", ["short1A", "onlylowercaseletters", "lowerand12345", "", None, 12345678])
def test_a_weak_password_is_refused(cloud, password):
    assert create(cloud, username="dora", password=password).code == 9015


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"phone": "123", "password": PASSWORD, "code": "1"},
        {"phone": "+14246531234", "password": PASSWORD},
        {"email": "a b@c", "password": PASSWORD},
        {"email": "@", "password": PASSWORD},
        {"authData": {"src": "qq", "uid": "1", "token": "2"}},
        {"authData": "qq"},
        {"authData": {"src": "myspace", "uid": "1", "token": "2"}},
        {"src": "qq"},
        {"phone_id": 7},
        {"phone_id": "x" * 129},
        {"username": "e\x00", "password": PASSWORD},
    ],
)
def test_a_form_that_makes_no_user_is_invalid(cloud, form):
    reply = create(cloud, **form)
    assert (reply.status, reply.code) == (400, 9015)
    assert reply.json["detail_message"]


def test_get_user_has_every_field_of_the_manual(cloud):
    token = create(cloud, username="emil", password=PASSWORD, lang="zh-cn").json["token"]
    user = cloud.app("GET", "/app/users", token=token).json
    assert (user["username"], user["lang"], user["is_anonymous"]) == ("emil", "zh-cn", False)
    assert set(user) == set("uid username is_anonymous lang phone email name gender birthday address remark".split())


@pytest.mark.sqlite
def test_the_database_holds_neither_tokens_nor_passwords(cloud):
    token = create(cloud, username="fred", password=PASSWORD).json["token"]
    data = b"".join(path.read_bytes() for path in cloud.cloud.settings.data_dir.glob("cloud.db*"))
    assert token.encode() not in data
    assert PASSWORD.encode() not in data
    assert hashlib.sha256(token.encode()).hexdigest().encode() in data
    assert b"$argon2id$" in data


def test_bodies_may_come_as_any_content_type(cloud):
    headers = {"X-Gizwits-Application-Id": APP_ID, "Content-Type": "application/x-www-form-urlencoded"}
    assert cloud.request("POST", "/app/users", '{"phone_id": "p9"}', headers).status == 201
