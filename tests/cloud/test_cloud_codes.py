"""Verification codes, captchas, links in mails: how a person proves who they are, and how that ends."""

import hashlib
import json
import re
import struct
import sys
import time
import zlib

import pytest
from localcloud import captcha, hook
from localcloud.store import codes as stored
from localcloud.store.codes import MAX_TRIES
from localcloud.store.products import App
from testkit.cloud_running import APP_ID, running_cloud
from testkit.patience import PATIENCE_S
from testkit.people import OTHER_PASSWORD, PASSWORD, app_token, ask, create, login, outbox, path_of, sms_code


def test_an_app_token_says_when_it_expires_under_both_names(cloud):
    answer = cloud.app("POST", "/app/request_token", X_Gizwits_Application_Auth="0" * 32).json
    assert answer["expired_at"] == answer["expire_at"]
    assert abs(answer["expire_at"] - time.time() - 7 * 86400) < 60


def test_an_app_whose_secret_is_known_must_know_it_too(fresh_cloud):
    fresh_cloud.cloud.store.products.put_app(App(APP_ID, "phone", "5ecret"))
    right = hashlib.md5((APP_ID + "5ecret").encode()).hexdigest()
    wrong = hashlib.md5((APP_ID + "other").encode()).hexdigest()
    statuses = [
        fresh_cloud.app("POST", "/app/request_token", X_Gizwits_Application_Auth=auth).status for auth in (right, wrong)
    ]
    assert statuses == [200, 400]
    assert fresh_cloud.app("POST", "/app/request_token").code == 9038


@pytest.mark.parametrize("token", ["", "0" * 32])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/app/sms_code"), ("GET", "/app/verify/codes"), ("PUT", "/app/verify/codes")]
)
def test_codes_are_for_apps_with_a_token(cloud, method, path, token):
    reply = cloud.app(method, path, {}, X_Gizwits_Application_Token=token)
    assert (reply.status, reply.code) == (400, 9004)


def test_an_app_token_of_another_app_is_none(cloud):
    token = app_token(cloud)
    headers = {"X_Gizwits_Application_Token": token, "X_Gizwits_Application_Id": "0b" * 16}
    assert cloud.app("GET", "/app/verify/codes", **headers).code == 9004


def test_an_app_token_that_ran_out_is_told_from_a_wrong_one(cloud):
    token = cloud.cloud.store.codes.issue_app_token(APP_ID, 1)
    assert cloud.app("GET", "/app/verify/codes", X_Gizwits_Application_Token=token).code == 9006


def test_a_code_is_good_once(cloud):
    code = sms_code(cloud, "+4915100001")
    assert re.fullmatch("[0-9]{6}", code)
    assert ask(cloud, "PUT", "/app/verify/codes", phone="+4915100001", sms_code=code).status == 200
    assert ask(cloud, "PUT", "/app/verify/codes", phone="+4915100001", sms_code=code).code == 9010


def test_sms_code_with_a_code_checks_it(cloud):
    code = sms_code(cloud, "+4915100002")
    assert ask(cloud, "POST", "/app/sms_code", phone="+4915100002", code="nonsense").code == 9010
    assert ask(cloud, "POST", "/app/sms_code", phone="+4915100002", code=code).status == 200


def test_a_code_is_good_for_its_phone_only(cloud):
    code = sms_code(cloud, "+4915100003")
    assert ask(cloud, "POST", "/app/sms_code", phone="+4915100004", code=code).code == 9010


def test_a_code_is_gone_after_some_wrong_tries(cloud):
    code = sms_code(cloud, "+4915100005")
    for _ in range(MAX_TRIES):
        assert ask(cloud, "POST", "/app/sms_code", phone="+4915100005", code="000000x").code == 9010
    assert ask(cloud, "POST", "/app/sms_code", phone="+4915100005", code=code).code == 9010


def test_a_code_that_ran_out_is_told_from_a_wrong_one(cloud):
    cloud.cloud.store.codes.put(stored.SMS, "+4915100006", "123456", expire_at=1)
    assert ask(cloud, "POST", "/app/sms_code", phone="+4915100006", code="123456").code == 9009


def test_a_new_code_replaces_the_older_one(cloud):
    cloud.cloud.store.codes.put(stored.SMS, "+4915100007", "older", time.time() + 60)
    code = sms_code(cloud, "+4915100007")
    assert ask(cloud, "POST", "/app/sms_code", phone="+4915100007", code="older").code == 9010
    assert ask(cloud, "POST", "/app/sms_code", phone="+4915100007", code=code).status == 200


def test_who_asks_for_one_code_after_another_is_throttled(fresh_cloud):
    replies = [ask(fresh_cloud, "POST", "/app/sms_code", phone="+4915100008") for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    assert replies[-1].code == 9041


@pytest.mark.parametrize("phone", [None, "", 5, "12ab", "+", "1234", "1" * 21, "+49 151", "\u0661" * 6])
def test_a_phone_that_is_none_is_an_invalid_form(cloud, phone):
    assert ask(cloud, "POST", "/app/sms_code", phone=phone, x=1).code == 9015


def test_the_log_tells_of_a_code_and_not_the_code(fresh_cloud, caplog):
    caplog.set_level("INFO", logger="localcloud")
    code = sms_code(fresh_cloud, "+4915100009")
    told = [record.getMessage() for record in caplog.records if "sms" in record.getMessage()]
    assert len(told) == 1
    assert code not in caplog.text
    assert "+4915100009" not in caplog.text


def test_the_digits_of_an_image_let_an_sms_go(cloud):
    answer = ask(cloud, "GET", "/app/verify/codes").json
    image = cloud.request("GET", path_of(answer["captcha_url"]))
    assert (image.status, image.headers["Content-Type"]) == (200, "image/png")
    # What a person reads there is not told to a test, so a code of our own takes its place.
    cloud.cloud.store.codes.replace(stored.CAPTCHA, answer["captcha_id"], "12345", time.time())
    form = {"captcha_id": answer["captcha_id"], "captcha_code": "12345", "phone": "+4915100010"}
    assert ask(cloud, "POST", "/app/verify/codes", **form).status == 200
    code = outbox(cloud, "+4915100010")
    assert ask(cloud, "PUT", "/app/verify/codes", phone="+4915100010", sms_code=code).status == 200
    assert ask(cloud, "POST", "/app/verify/codes", **form).code == 9010


def test_an_image_is_good_for_one_try(cloud):
    captcha_id = ask(cloud, "GET", "/app/verify/codes").json["captcha_id"]
    cloud.cloud.store.codes.replace(stored.CAPTCHA, captcha_id, "12345", time.time())
    form = {"captcha_id": captcha_id, "phone": "+4915100011"}
    assert ask(cloud, "POST", "/app/verify/codes", captcha_code="54321", **form).code == 9010
    assert ask(cloud, "POST", "/app/verify/codes", captcha_code="12345", **form).code == 9010


def test_an_image_that_is_not_there_is_not_found(cloud):
    assert cloud.request("GET", "/captcha/image/%s/" % ("0" * 40)).status == 404


def test_an_image_is_a_png_with_all_its_rows():
    image = captcha.draw("0123456789"[:5])
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", image[16:24]) == (captcha.WIDTH, captcha.HEIGHT)
    start = image.index(b"IDAT")
    (size,) = struct.unpack(">I", image[start - 4 : start])
    assert len(zlib.decompress(image[start + 4 : start + 4 + size])) == captcha.HEIGHT * (captcha.WIDTH + 1)
    assert image.endswith(b"IEND" + struct.pack(">I", zlib.crc32(b"IEND")))


def test_a_phone_user_registers_with_a_code_and_logs_in_with_the_phone(cloud):
    phone = "+4915100020"
    made = create(cloud, phone=phone, password=PASSWORD, code=sms_code(cloud, phone))
    assert made.status == 201
    assert login(cloud, phone).json["uid"] == made.json["uid"]
    user = cloud.app("GET", "/app/users", token=made.json["token"]).json
    assert (user["phone"], user["is_anonymous"], user["username"]) == (phone, False, "")


def test_a_phone_is_given_once_and_only_with_its_code(cloud):
    phone = "+4915100021"
    assert create(cloud, phone=phone, password=PASSWORD, code="000000x").code == 9010
    create(cloud, phone=phone, password=PASSWORD, code=sms_code(cloud, phone))
    assert create(cloud, phone=phone, password=PASSWORD, code=sms_code(cloud, phone)).code == 9018


def test_a_phone_and_its_code_alone_are_registration_and_login(cloud):
    phone = "+4915100022"
    first = create(cloud, phone=phone, code=sms_code(cloud, phone))
    second = create(cloud, phone=phone, code=sms_code(cloud, phone))
    assert (first.status, second.status) == (201, 201)
    assert first.json["uid"] == second.json["uid"]
    assert login(cloud, phone).code == 9005


def test_a_mail_user_can_log_in_in_any_case_of_letters(cloud):
    made = create(cloud, email="Gerd@Example.com", password=PASSWORD)
    assert made.status == 201
    assert login(cloud, "gerd@example.COM").json["uid"] == made.json["uid"]


def test_an_address_is_told_apart_before_and_after_it_was_confirmed(cloud):
    create(cloud, email="hans@example.com", password=PASSWORD)
    again = create(cloud, email="hans@example.com", password=PASSWORD)
    assert (again.status, again.code) == (400, 9077)
    link = path_of(outbox(cloud, "hans@example.com"))
    assert cloud.request("GET", link).status == 200
    assert cloud.request("GET", link).status == 404
    assert create(cloud, email="hans@example.com", password=PASSWORD).code == 9022


def test_an_address_cannot_be_taken_as_somebody_elses_user_name(cloud):
    create(cloud, email="ina@example.com", password=PASSWORD)
    assert create(cloud, username="ina@example.com", password=PASSWORD).code == 9019
    create(cloud, username="jan@example.com", password=PASSWORD)
    assert create(cloud, email="jan@example.com", password=PASSWORD).code == 9022


def test_a_forgotten_password_is_reset_by_sms_and_ends_every_session(cloud):
    phone = "+4915100030"
    token = create(cloud, phone=phone, password=PASSWORD, code=sms_code(cloud, phone)).json["token"]
    form = {"phone": phone, "new_pwd": OTHER_PASSWORD, "code": sms_code(cloud, phone)}
    assert cloud.app("POST", "/app/reset_password", {**form, "code": "000000x"}).code == 9010
    assert cloud.app("POST", "/app/reset_password", form).status == 200
    assert login(cloud, phone, OTHER_PASSWORD).status == 200
    assert login(cloud, phone).code == 9020
    assert cloud.app("GET", "/app/users", token=token).code == 9004


def test_a_forgotten_password_is_reset_by_a_link_that_is_good_once(cloud):
    create(cloud, email="karl@example.com", password=PASSWORD)
    assert cloud.app("POST", "/app/reset_password", {"email": "Karl@example.com"}).status == 200
    link = path_of(outbox(cloud, "karl@example.com"))
    assert b'<form method="post">' in cloud.request("GET", link).body
    weak = cloud.request("POST", link, "new_pwd=weak")
    assert (weak.status, b"three kinds" in weak.body) == (400, True)
    assert cloud.request("POST", link, "new_pwd=Other+word%2B22").status == 200
    assert cloud.request("POST", link, "new_pwd=Third+word%2B22").status == 404
    assert login(cloud, "karl@example.com", "Other word+22").status == 200
    # Whoever could read the mail owns the address.
    assert create(cloud, email="karl@example.com", password=PASSWORD).code == 9022


def test_a_link_names_the_address_that_was_called_and_not_what_the_caller_wrote(cloud):
    create(cloud, email="lena@example.com", password=PASSWORD)
    cloud.app("POST", "/app/reset_password", {"email": "lena@example.com"}, Host="evil.example")
    assert outbox(cloud, "lena@example.com").startswith("http://127.0.0.1:%d/" % cloud.cloud.http_port)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 9015),
        ({"email": "nobody@example.com"}, 9005),
        ({"email": 5}, 9015),
        ({"phone": "+4915100031"}, 9015),
        ({"phone": "+4915100031", "new_pwd": "weak", "code": "1"}, 9015),
        ({"phone": "+4915100031", "new_pwd": PASSWORD, "code": "1"}, 9010),
    ],
)
def test_a_reset_that_cannot_be_says_why(cloud, form, code):
    assert cloud.app("POST", "/app/reset_password", form).code == code


@pytest.fixture
def patient_hooks(monkeypatch):
    """An interpreter that starts on a busy machine may take longer than an app would wait."""
    monkeypatch.setattr(hook, "TIMEOUT", PATIENCE_S)


SENDER = """
import json, sys
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(json.load(sys.stdin)) + chr(10))
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.parametrize("status", [0, 1, 3])
def test_a_sender_of_the_operators_gets_the_code_and_the_outbox_does_not(tmp_path, patient_hooks, status):
    sender = (sys.executable, "-c", SENDER, str(tmp_path / "sent"), str(status))
    with running_cloud(tmp_path / "data", sender=sender) as cloud:
        reply = ask(cloud, "POST", "/app/sms_code", phone="+4915100040")
        sent = json.loads((tmp_path / "sent").read_text())
        assert (sent["kind"], sent["address"], sent["code"] in sent["text"]) == ("sms", "+4915100040", True)
        assert cloud.cloud.store.codes.sent(time.time()) == []
        if status:
            assert (reply.status, reply.code) == (500, 9037)
        else:
            assert ask(cloud, "POST", "/app/sms_code", phone="+4915100040", code=sent["code"]).status == 200


THIRD_PARTY = """
import json, sys
claim = json.load(sys.stdin)
if claim["token"] == "bad":
    sys.exit(1)
if claim["token"] == "broken":
    print("nonsense")
if claim["token"] == "alias":
    print(json.dumps({"uid": "real"}))
"""


def test_a_third_party_user_is_who_the_hook_says(tmp_path, patient_hooks):
    def enter(token, **more):
        return create(cloud, authData={"src": "google", "uid": "g1", "token": token, **more})

    with running_cloud(tmp_path, third_party=(sys.executable, "-c", THIRD_PARTY)) as cloud:
        first, second = enter("Bearer x"), enter("Bearer y", token_secret="z")
        assert (first.status, first.json["uid"]) == (201, second.json["uid"])
        assert create(cloud, src="google", uid="g1", token="Bearer z").json["uid"] == first.json["uid"]
        assert create(cloud, src="amazon", uid="g1", token="Bearer z").json["uid"] != first.json["uid"]
        assert (
            enter("alias").json["uid"]
            == create(cloud, authData={"src": "google", "uid": "real", "token": "t"}).json["uid"]
        )
        assert (enter("bad").code, enter("broken").code) == (9026, 9008)
        user = cloud.app("GET", "/app/users", token=first.json["token"]).json
        assert user["is_anonymous"] is False
