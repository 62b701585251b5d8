"""What holds for every call of the Open API: app id, token, errors, other sites' scripts."""

from pathlib import Path

import pytest
from localcloud.auth import anyone
from localcloud.errors import ERRORS
from localcloud.routes import ROUTES
from sqlalchemy import create_engine, text
from testkit.cloud_running import APP_ID, running_cloud

OPEN = [route for route in ROUTES if route.caller is not anyone]
FOR_USERS = [route for route in OPEN if route.caller.__name__ == "user"]


def _path(route) -> str:
    return route.path.replace("{did}", "x" * 22)


@pytest.mark.parametrize("route", OPEN, ids=lambda route: "%s %s" % route[:2])
@pytest.mark.parametrize("app_id", [None, "", "0a", "zz" * 16])
def test_no_call_is_served_without_an_app_id(cloud, route, app_id):
    headers = {} if app_id is None else {"X-Gizwits-Application-Id": app_id}
    reply = cloud.request(route.method, _path(route), headers=headers)
    assert (reply.status, reply.code) == (400, 9003)


@pytest.mark.parametrize("route", FOR_USERS, ids=lambda route: "%s %s" % route[:2])
@pytest.mark.parametrize("token", ["", "0" * 32, "\xff"])
def test_no_call_of_a_user_is_served_without_a_token(cloud, route, token):
    reply = cloud.app(route.method, _path(route), token=token)
    assert (reply.status, reply.code) == (400, 9004)


def test_a_token_that_ran_out_is_told_from_a_wrong_one(cloud):
    uid = cloud.app("POST", "/app/users", {"phone_id": "expired"}).json["uid"]
    token = cloud.cloud.store.users.issue_token(uid, expire_at=1)
    reply = cloud.app("GET", "/app/bindings", token=token)
    assert (reply.status, reply.code) == (400, 9006)
    assert b'"error_code":9006' in reply.body


def test_headers_may_be_spelled_in_any_case(cloud):
    headers = {"X-GIZWITS-application-ID": APP_ID.upper(), "x-gizwits-user-TOKEN": cloud.user()}
    assert cloud.request("GET", "/app/bindings", headers=headers).status == 200


def test_only_listed_apps_are_served_when_the_settings_say_so(tmp_path: Path):
    with running_cloud(tmp_path, apps="listed") as cloud:
        assert cloud.app("GET", "/status").code == 9003
        cloud.cloud.add_app("phone", APP_ID)
        assert cloud.app("GET", "/status").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("GET", "/app/nothing"),
        ("PATCH", "/app/users"),
        ("GET", "/app/login"),
        ("POST", "/dev/devices/"),
    ],
)
def test_what_is_not_served_is_an_error_of_the_table(cloud, method, path):
    reply = cloud.app(method, path)
    assert (reply.status, reply.code, reply.headers["Content-Type"]) == (404, 9045, "application/json")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"text"', b"\xff", b"[" * 10000, b"1" * 70000, b'{"username": {}, "password": 1}', b"null"]
)
def test_a_body_that_is_no_json_object_is_an_invalid_form(cloud, body):
    reply = cloud.request("POST", "/app/login", body, {"X-Gizwits-Application-Id": APP_ID})
    assert (reply.status, reply.code, reply.headers["Content-Type"]) == (400, 9015, "application/json")


def test_an_error_carries_its_detail_under_both_names(cloud):
    body = cloud.app("POST", "/app/login", {}).json
    assert body["error_message"] == "form invalid!"
    assert body["detail_message"] == body["detail_msg"] == "username is missing"


def test_scripts_of_other_sites_may_call(cloud):
    preflight = cloud.request(
        "OPTIONS", "/app/bindings", headers={"Origin": "http://x", "Access-Control-Request-Headers": "x-a, x-b"}
    )
    assert preflight.status == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert preflight.headers["Access-Control-Allow-Headers"] == "x-a, x-b"
    assert "DELETE" in preflight.headers["Access-Control-Allow-Methods"]
    assert cloud.app("GET", "/app/nothing").headers["Access-Control-Allow-Origin"] == "*"


def test_a_fault_of_ours_is_a_server_error_and_not_a_traceback(cloud):
    cloud.cloud.add_product({"name": "x", "product_key": "cc" * 16, "entities": []}, "dd" * 16)
    engine = create_engine(cloud.cloud.settings.database_url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE products SET definition = 'no json' WHERE product_key = :key"), {"key": "cc" * 16}
        )
    engine.dispose()
    reply = cloud.app("GET", "/app/datapoint?product_key=" + "cc" * 16)
    assert (reply.status, reply.code) == (500, 9008)
    assert "Traceback" not in reply.body.decode()


def test_status_names_the_edition_of_the_api(cloud):
    assert cloud.app("GET", "/status").json == {"status": {"version": "2.36.0"}}


def test_errors_lists_the_whole_table(cloud):
    rows = cloud.app("GET", "/errors").json
    assert {row["error_code"] for row in rows} == set(ERRORS)
    assert {"status": 404, "error_code": 9220, "error_message": "scene not found!"} in rows
