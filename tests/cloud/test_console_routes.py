"""The console's own paths: who may call which, and what they answer. The pages themselves: test_console_pages."""

import json
import time

import pytest
from localcloud import console, console_files, console_login
from localcloud.console_login import set_password
from localcloud.console_routes import CONSOLE_ROUTES
from localcloud.limits import GUESSES
from localcloud.settings import Settings, SettingsError, read_settings
from localcloud.store.codes import SentCode
from testkit.cloud_running import LAMP, PRODUCT_SECRET, mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S
from testkit.people import guess

from gagent import wire
from mcu_proto.datapoint import Schema

PASSWORD = "Operator-word1"
SCHEMA = Schema.from_definition(LAMP)
MAC = "021122334455"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("console")) as running:
        running.do(_prepare(running.cloud))
        yield running


async def _prepare(cloud):
    set_password(cloud.store, PASSWORD)


@pytest.fixture(scope="module")
def operator(cloud):
    return cloud.request("POST", "/console/operator", json.dumps({"password": PASSWORD})).json["token"]


def _as_operator(cloud, operator, method, path, body=None):
    sent = b"" if body is None else json.dumps(body)
    return cloud.request(method, "/console/operator" + path, sent, {"X-Console-Token": operator})


OPERATORS = [route for route in CONSOLE_ROUTES if route.caller.__name__ == "operator"]
USERS = [route for route in CONSOLE_ROUTES if route.caller.__name__ == "user"]


@pytest.mark.parametrize("route", OPERATORS, ids=lambda route: "%s %s" % (route.method, route.path))
def test_an_operators_path_is_closed_to_users_and_strangers(cloud, route):
    path = route.path.replace("{did}", "x")
    token = cloud.user()
    for headers in (
        {},
        {"X-Console-Token": token},
        {"X-Console-Token": "%d.%s" % (time.time() + 1000, "0" * 64)},
        {"X-Console-Token": "9" * 500},
        {"X-Console-Token": "\u00b2.x"},
        {"X-Gizwits-Application-Id": "0" * 32, "X-Gizwits-User-token": token},
    ):
        reply = cloud.request(route.method, path, b"{}", headers)
        assert (reply.status, reply.code) == (400, 9004), headers


@pytest.mark.parametrize("route", USERS, ids=lambda route: "%s %s" % (route.method, route.path))
def test_a_users_path_is_for_users_bound_to_that_device(cloud, operator, route):
    did = cloud.register("0211223344aa")
    cloud.bind(cloud.user("owner"), "0211223344aa")
    path = route.path.replace("{did}", did)
    assert cloud.app(route.method, path).code == 9004
    assert cloud.request(route.method, path, b"", {"X-Console-Token": operator}).code == 9003
    assert cloud.app(route.method, path, token=cloud.user("stranger")).code == 9017
    assert cloud.app(route.method, path, token=cloud.user("owner")).status == 200


def test_an_operators_token_ends_by_itself_and_with_the_password(tmp_path):
    with running_cloud(tmp_path) as cloud:
        no_password = cloud.request("POST", "/console/operator", b'{"password": "x"}')
        assert "localcloud console password" in no_password.json["detail_message"]
        cloud.do(_prepare(cloud.cloud))
        token = cloud.request("POST", "/console/operator", json.dumps({"password": PASSWORD})).json["token"]
        assert _as_operator(cloud, token, "GET", "/apps").status == 200
        password_hash = cloud.cloud.store.operators.password_hash()
        past = console_login._token(password_hash, int(time.time()) - 1)
        assert _as_operator(cloud, past, "GET", "/apps").code == 9006
        cloud.do(_change(cloud.cloud))
        assert _as_operator(cloud, token, "GET", "/apps").code == 9004


async def _change(cloud):
    set_password(cloud.store, "Another-word1")


def test_operator_passwords_cannot_be_tried_for_ever(tmp_path):
    with running_cloud(tmp_path) as cloud:
        cloud.do(_prepare(cloud.cloud))
        wrong = b'{"password": "Wrong-word1"}'
        codes = guess(lambda: cloud.request("POST", "/console/operator", wrong).code, *GUESSES)
        assert set(codes[:-1]) == {9020}


def test_the_console_knows_its_ports_before_anybody_logs_in(cloud):
    about = cloud.request("GET", "/console/about").json
    assert about == {
        "app_id": console.APP_ID,
        "ws_port": cloud.cloud.websocket.port,
        "wss_port": 0,
        "has_operator": True,
    }


def test_every_file_is_served_with_its_type_and_a_policy_that_lets_no_stranger_in(cloud):
    assert cloud.request("GET", "/").body == cloud.request("GET", "/web/index.html").body
    for name in console_files.names():
        reply = cloud.request("GET", "/web/" + name)
        assert reply.status == 200
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert b"http://" not in reply.body.replace(b"http://www.w3.org/", b""), "%s loads from elsewhere" % name
        assert b"https://" not in reply.body


@pytest.mark.parametrize("name", ["__init__.py", "nothing.js", "..%2f__main__.py", "%2e%2e%2fapp.py"])
def test_no_other_file_is_served(cloud, name):
    assert cloud.request("GET", "/web/" + name).status == 404


def test_the_log_has_what_crossed_and_who_came_in_words_newest_first(cloud):
    did = cloud.register(MAC)
    token = cloud.user("log")
    cloud.bind(token, MAC)
    with mqtt_device(cloud, did) as device:
        cloud.app("POST", "/app/control/" + did, {"attrs": {"power": True, "scene": "0102"}}, token)
        device.heard.get(timeout=PATIENCE_S)
        device.publish(wire.encode(wire.CLOUD_REPORT, SCHEMA.encode_report({"level": 12.5})))
        device.publish(wire.encode(wire.CLOUD_REPORT, b"\x04"))
        device.publish(wire.encode(wire.CLOUD_REPORT, b"\x06abc"))
        device.publish(b"garbage")
        wait_until(lambda: len(_rows_of(cloud, did, token)) == 6)
        rows = _rows_of(cloud, did, token)
    told = [(row["way"], row["words"].split(":")[0], row["attrs"]) for row in reversed(rows)][1:]
    state = {"power": False, "mode": "white", "level": 12.5, "scene": "00000000", "heat": -20}
    assert told == [
        ("down", "control", {"power": True, "scene": "01020000"}),
        ("up", "report", state),
        ("up", "cannot be read", {}),
        ("up", "transparent from MCU", {}),
        ("up", "cannot be read", {}),
    ]
    assert rows[-1]["words"] == "online"
    window = "before=%r&limit=200" % (rows[-2]["at"] - 0.0005)
    (older,) = cloud.app("GET", "/console/log/%s?%s" % (did, window), token=token).json["rows"]
    assert older == rows[-1]


def _rows_of(cloud, did, token):
    return cloud.app("GET", "/console/log/" + did, token=token).json["rows"]


@pytest.mark.parametrize("query", ["before=x", "before=nan", "limit=0", "limit=201", "before=1e999"])
def test_a_window_of_the_log_that_is_none_is_refused_or_empty(cloud, query):
    did = cloud.register("0211223344ab")
    token = cloud.user("log")
    cloud.bind(token, "0211223344ab")
    reply = cloud.app("GET", "/console/log/%s?%s" % (did, query), token=token)
    assert reply.status == 200 or reply.code == 9015


def test_the_code_of_a_device_binds_it_and_only_its_first_user_shows_it(cloud):
    did = cloud.register("0211223344ac")
    first, second = cloud.user("first"), cloud.user("second")
    cloud.bind(first, "0211223344ac")
    shown = cloud.app("GET", "/console/qr/" + did, token=first).json
    assert shown["svg"].startswith("<svg")
    assert cloud.app("POST", "/app/bind_latest", {"qr_content": shown["content"]}, second).status == 201
    assert cloud.app("GET", "/console/qr/" + did, token=second).code == 9093


def test_an_adopted_device_shows_did_and_passcode(cloud, operator):
    did = "2" * 22
    assert cloud.request("GET", "/dev/devices/" + did).status == 200
    with mqtt_device(cloud, did):
        shown = _as_operator(cloud, operator, "GET", "/qr/" + did).json
    assert shown["content"].endswith("/?did=%s&passcode=ABCDEFGHIJ" % did)
    assert cloud.app("POST", "/app/bind_latest", {"qr_content": shown["content"]}, cloud.user("adopter")).status == 201


def test_the_operator_sees_devices_codes_products_and_apps(cloud, operator):
    did = cloud.register("0211223344ad")
    cloud.do(_keep_code(cloud.cloud))
    devices = _as_operator(cloud, operator, "GET", "/devices").json
    assert did in [device["did"] for device in devices["devices"]]
    (sent,) = _as_operator(cloud, operator, "GET", "/codes").json["codes"]
    assert (sent["address"], sent["code"]) == ("13800138000", "123456")
    (product,) = _as_operator(cloud, operator, "GET", "/products").json["products"]
    assert (product["name"], product["attributes"]) == ("lamp", 5)
    assert PRODUCT_SECRET not in json.dumps(product)
    added = _as_operator(cloud, operator, "POST", "/apps", {"name": "phone"})
    assert added.status == 201
    assert added.json in _as_operator(cloud, operator, "GET", "/apps").json["apps"]


async def _keep_code(cloud):
    cloud.store.codes.keep_sent(SentCode(1.0, "sms", "13800138000", "123456", "your code", 2**31 - 1))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"definition": "{", "secret": PRODUCT_SECRET},
        {"definition": [], "secret": PRODUCT_SECRET},
        {"definition": LAMP, "secret": "x"},
        {"definition": {**LAMP, "entities": 5}, "secret": PRODUCT_SECRET},
        {"definition": "[" * 30000, "secret": PRODUCT_SECRET},
    ],
)
def test_a_product_that_cannot_be_is_refused_with_words(cloud, operator, body):
    reply = _as_operator(cloud, operator, "POST", "/products", body)
    assert (reply.status, reply.code) == (400, 9015)
    assert reply.json["detail_message"]


def test_a_cloud_with_listed_apps_lists_its_console(tmp_path):
    with running_cloud(tmp_path, apps="listed") as cloud:
        assert cloud.app("POST", "/app/users", {"phone_id": "x"}).code == 9003
        headers = {"X-Gizwits-Application-Id": console.APP_ID}
        assert cloud.request("POST", "/app/users", b'{"phone_id": "x"}', headers).status == 201


def test_an_app_is_told_the_host_of_its_region_and_others_the_address_they_came_to(tmp_path):
    regions = {"euapi.gizwits.com": "eum2m.gizwits.com"}
    with running_cloud(tmp_path, regions=regions) as cloud:
        cloud.register(MAC)
        token = cloud.user()
        cloud.bind(token, MAC)
        for host, told in (("EUapi.gizwits.com", "eum2m.gizwits.com"), ("euapi.gizwits.com:443", "eum2m.gizwits.com"),
                           ("usapi.gizwits.com", "127.0.0.1")):  # fmt: skip
            (device,) = cloud.app("GET", "/app/bindings", token=token, Host=host).json["devices"]
            assert device["host"] == told
        # Modules keep addresses of 15 characters: they are told the address they came to.
        answer = cloud.request("GET", "/dev/devices/" + device["did"], headers={"Host": "euapi.gizwits.com"})
        assert answer.body.startswith(b"host=127.0.0.1&")


def test_regions_are_a_table_of_host_names(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('[regions]\n"EUapi.gizwits.com" = "eum2m.gizwits.com"\n')
    assert read_settings(path, {"data_dir": tmp_path}) == Settings(
        tmp_path, regions={"euapi.gizwits.com": "eum2m.gizwits.com"}
    )
    for bad in ('regions = "eu"', "[regions]\neu = 5", '[regions]\neu = "a&b"'):
        path.write_text(bad)
        with pytest.raises(SettingsError, match=r"line 1: regions is .*expected a table of host names"):
            read_settings(path, {})
