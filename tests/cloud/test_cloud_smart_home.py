"""The newer app gateway: what public programs send there, and what they read of the answer."""

import json

import pytest
from localcloud import catalog
from testkit.cloud_running import LAMP, PRODUCT_KEY, mqtt_device, wait_until
from testkit.patience import PATIENCE_S

from gagent import wire
from mcu_proto.datapoint import Schema

SCHEMA = Schema.from_definition(LAMP)
PASSWORD = "Passw0rd!"
LOGIN = "/app/smart_home/login/pwd"


def _envelope(data):
    return {"appKey": "0b" * 16, "data": data, "version": "1.0"}


def _login(cloud, name, password=PASSWORD):
    return cloud.app("POST", LOGIN, _envelope({"account": name, "password": password, "lang": "en"}))


def _call(cloud, method, path, token, body=None):
    return cloud.app(method, path, body, Authorization=token)


@pytest.fixture(scope="module")
def home(cloud):
    """(token, did, mac) of a user with a password and one lamp."""
    catalog.add_user(cloud.cloud.store, "anna", PASSWORD)
    token = _login(cloud, "anna").json["data"]["userToken"]
    did = cloud.register("6879C4D585AB")
    cloud.bind(token, "6879C4D585AB", dev_alias="hall")
    return token, did, "6879c4d585ab"


def test_a_login_is_answered_with_the_token_under_every_name(cloud, home):
    reply = _login(cloud, "anna")
    body = reply.json
    assert (reply.status, body["code"], body["error"]) == (200, "200", False)
    assert body["data"]["userToken"] == body["data"]["jwtAuthenticationDto"]["token"]
    assert cloud.app("GET", "/app/bindings", token=body["data"]["userToken"]).status == 200


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("nobody", PASSWORD)])
def test_a_failed_login_is_an_error_in_an_envelope_with_status_200(cloud, home, name, password):
    reply = _login(cloud, name, password)
    assert reply.status == 200
    assert (reply.json["code"], reply.json["error"], reply.json["data"]) == ("1000033", True, None)


@pytest.mark.parametrize("body", [{}, {"data": "x"}, {"data": {}}, {"data": {"account": 1, "password": []}}])
def test_a_login_without_account_or_password_is_an_invalid_form(cloud, body):
    assert cloud.app("POST", LOGIN, body).json["code"] == "9015"


@pytest.mark.parametrize("token", ["", "0" * 32, "Bearer x"])
def test_a_bad_token_is_code_505(cloud, home, token):
    _, _, mac = home
    paths = [
        ("GET", "/app/smart_home/users/devices"),
        ("GET", "/app/smartHome/v2/users/devices"),
        ("GET", "/app/device/shadow/%s/%s" % (PRODUCT_KEY, mac)),
        ("POST", "/app/device/control/%s/%s" % (PRODUCT_KEY, mac)),
    ]
    for method, path in paths:
        reply = _call(cloud, method, path, token)
        assert (reply.status, reply.json["code"]) == (200, "505")


@pytest.mark.parametrize("path", ["/app/smart_home/users/devices", "/app/smartHome/v2/users/devices"])
def test_devices_bear_the_names_of_both_apis(cloud, home, path):
    token, did, _ = home
    # The goodbye of the test before may be on its way; so below.
    cloud.goes_offline(did)
    (device,) = _call(cloud, "GET", path, token).json["data"]
    assert (device["did"], device["mac"], device["productKey"]) == (did, "6879C4D585AB", PRODUCT_KEY)
    assert (device["name"], device["onlineStatus"], device["product_key"]) == ("hall", 0, PRODUCT_KEY)


def test_the_open_api_takes_the_bare_token_as_well(cloud, home):
    token, did, _ = home
    (device,) = _call(cloud, "GET", "/app/bindings", token).json["devices"]
    assert device["did"] == did
    assert _call(cloud, "GET", "/app/devdata/%s/latest?show_expected_status=1" % did, token).status == 200


def test_the_shadow_shows_the_latest_state_and_the_connection(cloud, home):
    token, did, mac = home
    path = "/app/device/shadow/%s/%s" % (PRODUCT_KEY, mac)
    cloud.goes_offline(did)
    assert _call(cloud, "GET", path, token).json["data"]["ConnectType"] == "offline"
    with mqtt_device(cloud, did) as device:
        device.publish(wire.encode(wire.CLOUD_REPORT, SCHEMA.encode_report({"power": True, "mode": "night"})))
        wait_until(lambda: "power" in _call(cloud, "GET", path, token).json["data"])
        data = _call(cloud, "GET", path, token).json["data"]
    assert (data["power"], data["mode"], data["ConnectType"]) == (1, "night", "online")


@pytest.mark.parametrize("data", [json.dumps({"power": 1, "mode": 2}), {"power": True, "mode": "night"}])
def test_a_control_is_the_json_text_of_attributes_or_the_attributes(cloud, home, data):
    token, did, mac = home
    with mqtt_device(cloud, did) as device:
        reply = _call(cloud, "POST", "/app/device/control/%s/%s" % (PRODUCT_KEY, mac), token, _envelope(data))
        assert reply.json == {"code": "200", "message": "", "data": True, "error": False}
        _, payload = device.heard.get(timeout=PATIENCE_S)
    assert SCHEMA.decode_control(wire.decode(payload).p0) == {"power": True, "mode": "night"}


@pytest.mark.parametrize(
    ("data", "code"),
    [("{", "9015"), ("[]", "9015"), (None, "9015"), ("{}", "9015"), ('{"none": 1}', "9025"), ('{"power": 1}', "9042")],
)
def test_a_control_that_cannot_be_says_why(cloud, home, data, code):
    token, did, mac = home
    cloud.goes_offline(did)
    reply = _call(cloud, "POST", "/app/device/control/%s/%s" % (PRODUCT_KEY, mac), token, _envelope(data))
    assert (reply.status, reply.json["code"], reply.json["error"]) == (200, code, True)


@pytest.mark.parametrize("path", ["00" * 16 + "/6879c4d585ab", PRODUCT_KEY + "/none"])
def test_a_device_that_is_not_there_is_an_error_in_an_envelope(cloud, home, path):
    assert _call(cloud, "GET", "/app/device/shadow/" + path, home[0]).json["code"] == "9014"
