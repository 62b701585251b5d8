"""What public programs send and what they read of the answers, program by program. No code of theirs, no code of ours.

They run unchanged against this cloud but for a host name; each test is one of them, and fails where that one would.
"""

import base64
import hashlib
import json
import re
import time

import pytest
from localcloud import catalog
from testkit.cloud_running import LAMP, PASSCODE, PRODUCT_KEY, PRODUCT_SECRET, mqtt_device, wait_until
from testkit.patience import PATIENCE_S

from gagent import wire
from mcu_proto.datapoint import Schema

SCHEMA = Schema.from_definition(LAMP)
NAME, PASSWORD = "anna@example.com", "Passw0rd!"
MAC = "ACCF23500001"


class _Client:
    """A program with its own app id and its own spelling of the headers."""

    def __init__(self, cloud, app_id, token_header="X-Gizwits-User-token"):
        self.cloud = cloud
        self.app_id = app_id
        self.token_header = token_header
        self.token = ""

    def call(self, method, path, body=None, **headers):
        sent = {"X-Gizwits-Application-Id": self.app_id, "Content-Type": "application/json", **headers}
        if self.token:
            sent[self.token_header] = self.token
        return self.cloud.request(method, path, b"" if body is None else json.dumps(body), sent)

    def login(self, **fields):
        reply = self.call("POST", "/app/login", {"username": NAME, "password": PASSWORD, **fields})
        assert reply.status == 200
        self.token = reply.json["token"]
        return reply.json


@pytest.fixture(scope="module")
def lamp(cloud):
    """The did of a lamp that belongs to the user all these programs log in as."""
    catalog.add_user(cloud.cloud.store, NAME, PASSWORD)
    did = cloud.register(MAC)
    cloud.bind(_logged_in(cloud, "0c" * 16).token, MAC, dev_alias="hall", remark='{"channel1": "left"}')
    return did


@pytest.fixture
def online(cloud, lamp):
    """The lamp, online, with a state."""
    with mqtt_device(cloud, lamp) as device:
        device.publish(wire.encode(wire.CLOUD_REPORT, SCHEMA.encode_report({"power": True, "mode": "night"})))
        wait_until(lambda: cloud.app("GET", "/app/devdata/%s/latest" % lamp).json["updated_at"])
        yield device


def _logged_in(cloud, app_id, **spelling):
    client = _Client(cloud, app_id, **spelling)
    client.login()
    return client


def _heard(device):
    return SCHEMA.decode_control(wire.decode(device.heard.get(timeout=PATIENCE_S)[1]).p0)


def test_the_spa_integration_of_home_assistant(cloud, online):
    client = _Client(cloud, "98" * 16)
    wrong = client.call("POST", "/app/login", {"username": NAME, "password": "wrong", "lang": "en"})
    # It parses an error only when the content type is exactly this.
    assert (wrong.headers["Content-Type"], wrong.code) == ("application/json", 9020)
    assert client.call("POST", "/app/login", {"username": "nobody", "password": "x", "lang": "en"}).code == 9005
    client.login(lang="en")
    (device,) = client.call("GET", "/app/bindings").json["devices"]
    for name in ("protoc", "product_name", "mcu_soft_version", "mcu_hard_version", "wifi_soft_version"):
        assert name in device
    assert device["wifi_hard_version"] is None or device["wifi_hard_version"]
    assert isinstance(device["is_online"], bool)
    latest = client.call("GET", "/app/devdata/%s/latest" % online.did).json
    assert latest["attr"]["power"] == 1
    assert latest["updated_at"] > 0
    sent = client.call("POST", "/app/control/" + online.did, {"attrs": {"power": 0}})
    assert (sent.status, sent.json) == (200, {})
    assert _heard(online) == {"power": False}


def test_the_spa_integration_meets_a_device_that_is_off_line_or_was_never_seen(cloud, lamp):
    client = _logged_in(cloud, "98" * 16)
    # The goodbye of the test before may be on its way.
    cloud.goes_offline(lamp)
    assert client.call("POST", "/app/control/" + lamp, {"attrs": {"power": 0}}).code == 9042
    did = cloud.register("ACCF23500002")
    assert client.call("GET", "/app/devdata/%s/latest" % did).code == 9017
    assert cloud.app("GET", "/app/devdata/%s/latest" % did).json["updated_at"] == 0
    client.token = "0" * 32
    refused = client.call("GET", "/app/bindings")
    assert (refused.status, refused.code) == (400, 9004)


def test_the_heater_client_in_python(cloud, online):
    client = _logged_in(cloud, "c7" * 16)
    (device,) = client.call("GET", "/app/bindings").json["devices"]
    assert client.call("GET", "/app/devices/" + device["did"]).json == device
    for name in ("host", "port_s", "ws_port", "wss_port"):
        assert name in device
    assert client.call("POST", "/app/control/" + online.did, {"raw": [2]}).status in (200, 204)
    assert wire.decode(online.heard.get(timeout=PATIENCE_S)[1]).p0 == b"\x02"


def test_the_heater_client_in_typescript_checks_types(cloud, online):
    client = _Client(cloud, "c7" * 16)
    token = client.login()
    assert token["token"]
    assert type(token["expire_at"]) is int
    (device,) = client.call("GET", "/app/bindings").json["devices"]
    assert all(type(device[name]) is str for name in ("dev_alias", "did", "product_key", "product_name"))
    assert type(client.call("GET", "/app/devdata/%s/latest" % online.did).json["attr"]) is dict


def test_the_heater_plugin_of_homebridge(cloud, online):
    client = _logged_in(cloud, "c7" * 16)
    assert len(client.call("GET", "/app/bindings?limit=20&skip=0").json["devices"]) == 1
    for mode in ("warm", 1):
        client.call("POST", "/app/control/" + online.did, {"attrs": {"mode": mode}})
        assert _heard(online) == {"mode": "warm"}


def test_scripts_in_shell_and_php_that_search_the_text(cloud, online):
    client = _logged_in(cloud, "ab" * 16, token_header="x-gizwits-user-token")
    text = client.call("GET", "/app/bindings").body.decode()
    assert re.search(r'"did":"([0-9A-Za-z]{22})"', text).group(1) == online.did
    assert re.search(r'"power":1', client.call("GET", "/app/devdata/%s/latest" % online.did).body.decode())


def test_the_aquarium_integration_logs_in_at_the_app_gateway(cloud, lamp):
    client = _Client(cloud, "c3" * 16)
    data = {"account": NAME, "password": PASSWORD, "lang": "en", "refreshToken": True}
    envelope = {"appKey": client.app_id, "data": data, "version": "1.0"}
    client.token = client.call("POST", "/app/smart_home/login/pwd", envelope).json["data"]["userToken"]
    (device,) = client.call("GET", "/app/bindings").json["devices"]
    # It keeps the names of the channels in the remark.
    assert json.loads(device["remark"]) == {"channel1": "left"}
    envelope["data"] = {**data, "password": "wrong"}
    refused = client.call("POST", "/app/smart_home/login/pwd", envelope).json
    assert refused["error"] is True
    assert refused["code"] in ("1000000", "1000033")


def test_the_aquarium_tool_tries_the_gateway_and_then_the_old_api(cloud, online):
    client = _Client(cloud, "b4" * 16, token_header="Authorization")
    data = {"account": NAME, "password": PASSWORD, "lang": "fr", "refreshToken": True}
    body = client.call("POST", "/app/smart_home/login/pwd", {"appKey": "", "data": data, "version": "1.0"}).json
    assert int(body["code"]) == 200
    client.token = body["data"]["jwtAuthenticationDto"]["token"]
    assert len(client.call("GET", "/app/smartHome/v2/users/devices").json["data"]) == 1
    latest = client.call("GET", "/app/devdata/%s/latest?show_expected_status=1" % online.did)
    assert latest.json["attr"]["power"] == 1
    assert client.call("GET", "/app/datapoint?product_key=" + PRODUCT_KEY).json["entities"]
    old = _Client(cloud, "07" * 16)
    phone = {"phone_id": "x", "os": "Linux", "os_ver": "5.4", "sdk_version": "2.23.23.01613", "phone_model": "P"}
    assert old.call("POST", "/app/provision", phone).status == 200
    old.login()
    assert old.call("GET", "/app/bindings?limit=20").json["devices"]


def test_the_newer_spa_client_speaks_to_the_gateway_only(cloud, online):
    client = _Client(cloud, "39" * 16, token_header="Authorization")

    def call(method, path, data=None):
        body = None if data is None else {"appKey": client.app_id, "data": data, "version": "1.0"}
        digest = base64.b64encode(hashlib.md5(json.dumps(body).encode()).digest()).decode()
        return client.call(method, path, body, **{"Content-MD5": digest, "Version": "1.0", "date": "null"}).json

    login = {"account": NAME, "password": PASSWORD, "lang": "en", "refreshToken": True}
    client.token = call("POST", "/app/smart_home/login/pwd", login)["data"]["userToken"]
    (device,) = call("GET", "/app/smart_home/users/devices")["data"]
    assert (device["productKey"], device["onlineStatus"], device["name"]) == (PRODUCT_KEY, 1, "hall")
    path = "%s/%s" % (device["productKey"], device["mac"].lower())
    assert call("GET", "/app/device/shadow/" + path)["data"]["ConnectType"] == "online"
    answer = call("POST", "/app/device/control/" + path, json.dumps({"power": 0}))
    assert (answer["code"], answer["data"]) == ("200", True)
    assert _heard(online) == {"power": False}
    client.token = "gone"
    assert call("GET", "/app/smart_home/users/devices")["code"] == "505"


def test_the_sdk_in_java(cloud):
    client = _Client(cloud, "1f" * 16)
    made = client.call("POST", "/app/users", {"phone_id": "java", "lang": "en"})
    assert made.status == 201
    client.token = made.json["token"]
    did = cloud.register("ACCF23500003")
    stamp = str(int(time.time()))
    signed = {
        "X-Gizwits-Timestamp": stamp,
        "X-Gizwits-Signature": hashlib.md5((PRODUCT_SECRET + stamp).encode()).hexdigest(),
    }
    form = {"product_key": PRODUCT_KEY, "mac": "ACCF23500003"}
    assert client.call("POST", "/app/bind_mac", form, **signed).status in (200, 201)
    (device,) = client.call("GET", "/app/bindings?show_disabled=1&limit=20&skip=0").json["devices"]
    assert (device["mac"], device["did"], device["is_online"], device["dev_alias"]) == (form["mac"], did, False, "")
    gone = client.call("DELETE", "/app/bindings", {"devices": [{"did": did}]})
    assert gone.json == {"success": [did], "failed": []}


def test_the_sdks_in_python_and_php_bind_by_passcode(cloud):
    client = _Client(cloud, "2f" * 16)
    client.token = client.call("POST", "/app/users", {"phone_id": "php"}).json["token"]
    did = cloud.register("ACCF23500004")
    rows = {"devices": [{"did": did, "passcode": PASSCODE, "remark": ""}]}
    assert client.call("POST", "/app/bindings", rows).json["success"] == [did]
    with mqtt_device(cloud, did) as device:
        assert client.call("POST", "/app/control/" + did, {"raw": [5, 97]}).status == 200
        assert wire.decode(device.heard.get(timeout=PATIENCE_S)[1]).p0 == b"\x05\x61"
    for path in ("/app/devdata2?did=%s&name=power" % did, "/app/devices?product_key=%s&mac=x" % PRODUCT_KEY):
        assert client.call("GET", path).code == 9045


def test_the_air_conditioner_client_searches_the_text_of_an_error(cloud, lamp):
    client = _logged_in(cloud, "d8" * 16)
    (device,) = client.call("GET", "/app/bindings?limit=200").json["devices"]
    assert (device["gw_did"], device["mesh_id"]) == (None, None)
    definition = client.call("GET", "/v2/datapoint?product_key=%s&format=json" % PRODUCT_KEY).json
    assert definition["product_key"] == PRODUCT_KEY
    uid = client.call("GET", "/app/users").json["uid"]
    client.token = cloud.cloud.store.users.issue_token(uid, expire_at=1)
    body = client.call("GET", "/app/bindings").body
    assert b"token expired" in body
    assert b'"error_code":9006' in body
