"""Update user information, log out: what a user may change about themselves, and what ends with it."""

import datetime

import pytest
from localcloud.limits import GUESSES
from testkit.people import OTHER_PASSWORD, PASSWORD, create, guess, login, outbox, path_of, sms_code


def change(cloud, token, **fields):
    return cloud.app("PUT", "/app/users", fields, token)


def me(cloud, token):
    return cloud.app("GET", "/app/users", token=token).json


def named(cloud, name):
    return create(cloud, username=name, password=PASSWORD).json["token"]


def test_logging_out_ends_that_token_and_no_other(cloud):
    first = named(cloud, "outgoing")
    second = login(cloud, "outgoing").json["token"]
    reply = cloud.app("DELETE", "/app/logout", token=first)
    assert (reply.status, reply.body) == (204, b"")
    assert cloud.app("GET", "/app/users", token=first).code == 9004
    assert cloud.app("GET", "/app/users", token=second).status == 200


def test_an_update_answers_with_the_time_in_utc(cloud):
    reply = change(cloud, named(cloud, "timely"), name="T")
    assert (reply.status, list(reply.json)) == (200, ["updatedAt"])
    at = datetime.datetime.strptime(reply.json["updatedAt"], "%Y-%m-%dT%H:%M:%S.%f")
    assert abs((at - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)).total_seconds()) < 60


def test_details_are_kept_and_what_is_not_given_stays(cloud):
    token = named(cloud, "detailed")
    details = {
        "name": "Ann 安 \N{FAMILY}\u200d",
        "gender": "F",
        "birthday": "1990-02-28",
        "address": "Main St 1",
        "lang": "zh-cn",
        "remark": "r",
    }
    assert change(cloud, token, **details).status == 200
    change(cloud, token, birthday="02-29", unknown={"a": [1]})
    assert me(cloud, token) == {**me(cloud, token), **details, "birthday": "02-29"}


def test_the_remark_is_also_known_under_the_name_in_the_manual(cloud):
    token = named(cloud, "remarked")
    change(cloud, token, remar="as printed")
    assert me(cloud, token)["remark"] == "as printed"


@pytest.mark.parametrize(
    "fields",
    [
        {"gender": "X"},
        {"gender": 1},
        {"birthday": "1990-02-30"},
        {"birthday": "90-1-1"},
        {"birthday": "0000-01-01"},
        {"lang": "de"},
        {"name": "x" * 129},
        {"address": "x" * 257},
        {"remark": ["x"]},
        {"name": "a\nb"},
        {"name": "\ud800"},
        {"username": "other", "password": PASSWORD},
        {"email": "other@example.com", "password": PASSWORD},
        {"new_pwd": OTHER_PASSWORD},
        {"new_pwd": "weak", "old_pwd": PASSWORD},
        {"phone": "+4915200000"},
    ],
)
def test_a_change_that_cannot_be_is_an_invalid_form_and_changes_nothing(cloud, fields):
    token = login(cloud, "unchanged").json.get("token") or named(cloud, "unchanged")
    before = me(cloud, token)
    assert change(cloud, token, **{"address": "new", **fields}).code == 9015
    assert me(cloud, token) == before


def test_an_anonymous_user_becomes_a_named_one_and_the_phone_id_someone_else(cloud):
    made = create(cloud, phone_id="to be named").json
    assert change(cloud, made["token"], username="renamed", password=PASSWORD).status == 200
    assert login(cloud, "renamed").json["uid"] == made["uid"]
    assert me(cloud, login(cloud, "renamed").json["token"])["is_anonymous"] is False
    # A phone id is no password: it must not open an account that has one.
    assert create(cloud, phone_id="to be named").json["uid"] != made["uid"]


def test_an_anonymous_user_becomes_one_with_a_phone(cloud):
    made = create(cloud, phone_id="to be called").json
    form = {"phone": "+4915200001", "password": PASSWORD}
    assert change(cloud, made["token"], **form, code="000000x").code == 9010
    assert change(cloud, made["token"], **form, code=sms_code(cloud, "+4915200001")).status == 200
    assert login(cloud, "+4915200001").json["uid"] == made["uid"]


def test_an_anonymous_user_becomes_one_with_an_address_and_gets_a_link(cloud):
    made = create(cloud, phone_id="to be mailed").json
    assert change(cloud, made["token"], email="otto@example.com", password=PASSWORD).status == 200
    assert login(cloud, "otto@example.com").json["uid"] == made["uid"]
    assert cloud.request("GET", path_of(outbox(cloud, "otto@example.com"))).status == 200


def test_what_belongs_to_another_is_unavailable(cloud):
    create(cloud, username="taken", password=PASSWORD)
    create(cloud, email="taken@example.com", password=PASSWORD)
    create(cloud, phone="+4915200002", code=sms_code(cloud, "+4915200002"))
    token = create(cloud, phone_id="taker").json["token"]
    assert change(cloud, token, password=PASSWORD, username="taken").code == 9019
    assert change(cloud, token, password=PASSWORD, email="Taken@example.com").code == 9022
    code = sms_code(cloud, "+4915200002")
    assert change(cloud, token, password=PASSWORD, phone="+4915200002", code=code).code == 9018
    assert me(cloud, token)["is_anonymous"] is True


def test_a_user_changes_the_phone_with_the_code_of_the_new_one(cloud):
    token = named(cloud, "mover")
    assert change(cloud, token, phone="+4915200003", code=sms_code(cloud, "+4915200003")).status == 200
    assert login(cloud, "+4915200003").json["uid"] == me(cloud, token)["uid"]


def test_a_new_password_needs_the_old_one_and_ends_the_other_sessions(cloud):
    token = named(cloud, "careful")
    other = login(cloud, "careful").json["token"]
    assert change(cloud, token, old_pwd="Wrong-word1", new_pwd=OTHER_PASSWORD).code == 9020
    assert change(cloud, token, old_pwd=PASSWORD, new_pwd=OTHER_PASSWORD).status == 200
    assert (login(cloud, "careful").code, login(cloud, "careful", OTHER_PASSWORD).status) == (9020, 200)
    assert cloud.app("GET", "/app/users", token=token).status == 200
    assert cloud.app("GET", "/app/users", token=other).code == 9004


def test_a_program_that_guesses_a_password_is_stopped_and_its_user_is_not(fresh_cloud):
    named(fresh_cloud, "guessed")
    for _ in range(12):
        assert login(fresh_cloud, "guessed").status == 200
    codes = guess(lambda: login(fresh_cloud, "guessed", "Wrong-word1").code, *GUESSES)
    assert set(codes[:-1]) == {9020}
    assert login(fresh_cloud, "nobody else").code == 9005


def test_others_are_told_when_a_token_ends(cloud):
    told = []
    uid = create(cloud, username="watched", password=PASSWORD).json["uid"]
    unsubscribe = cloud.cloud.bus.subscribe(lambda event: told.append(event) if event.kind == "token" else None)
    token = login(cloud, "watched").json["token"]
    cloud.app("DELETE", "/app/logout", token=token)
    token = login(cloud, "watched").json["token"]
    change(cloud, token, old_pwd=PASSWORD, new_pwd=OTHER_PASSWORD)
    unsubscribe()
    assert [event.data["uid"] for event in told] == [uid, uid]
    assert len(told[0].data["token_hash"]) == 64
    assert told[1].data["token_hash"] is None


def test_the_headers_of_an_empty_answer_say_nothing_of_a_body(cloud):
    reply = cloud.app("DELETE", "/app/logout", token=named(cloud, "gone"))
    assert reply.status == 204
    assert not {"content-type", "content-length"} & {name.lower() for name in reply.headers}
