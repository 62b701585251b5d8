"""Device and app at the two ends of a running cloud: reports go up, controls go down, records are kept."""

import base64
import time

import pytest
from localcloud.relay import MAX_CONTROL
from testkit import device_state
from testkit.cloud_running import APP_ID, LAMP, PRODUCT_KEY, mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S

from gagent import wire
from mcu_proto.datapoint import Schema

SCHEMA = Schema.from_definition(LAMP)
VALUES = {"power": True, "mode": "night", "level": 37.5, "scene": b"\x01\x02\x03\x04", "heat": -5}


class _Home:
    """One bound device and its user."""

    def __init__(self, cloud, mac):
        self.cloud = cloud
        self.did = cloud.register(mac)
        self.token = cloud.user("user of " + mac)
        self.uid = cloud.app("GET", "/app/users", token=self.token).json["uid"]
        assert cloud.bind(self.token, mac).status == 201

    def latest(self):
        return self.cloud.app("GET", "/app/devdata/%s/latest" % self.did).json

    def control(self, **body):
        return self.cloud.app("POST", "/app/control/" + self.did, body, self.token)

    def records(self, kind, start=None, end=None, extra=""):
        now = int(time.time())
        query = "?type=%s&start_time=%d&end_time=%d%s" % (kind, start or now - 60, end or now + 60, extra)
        return self.cloud.app("GET", "/app/devices/%s/raw_data%s" % (self.did, query), token=self.token)


def _report(**values) -> bytes:
    return wire.encode(wire.CLOUD_REPORT, SCHEMA.encode_report(values))


def _heard(device) -> bytes:
    topic, payload = device.heard.get(timeout=PATIENCE_S)
    kind, did, client = topic.split("/")
    assert (kind, did) == ("app2dev", device.did)
    assert client.startswith("usr")
    assert len(client) == 23
    envelope = wire.decode(payload)
    assert envelope.cmd == wire.CLOUD_COMMAND
    return envelope.p0


def test_a_report_becomes_the_latest_state(cloud):
    home = _Home(cloud, "DD01")
    with mqtt_device(cloud, home.did) as device:
        device.publish(_report(**VALUES))
        wait_until(lambda: home.latest()["updated_at"])
    assert home.latest()["attr"] == {"power": 1, "mode": "night", "level": 37.5, "scene": "01020304", "heat": -5}
    assert abs(home.latest()["updated_at"] - time.time()) < 60


def test_bools_are_true_and_false_for_products_that_want_them_so(tmp_path):
    with running_cloud(tmp_path) as cloud:
        cloud.cloud.add_product(LAMP, "5e" * 16, bools="literal")
        home = _Home(cloud, "DD02")
        with mqtt_device(cloud, home.did) as device:
            device.publish(_report(**VALUES))
            wait_until(lambda: home.latest()["updated_at"])
        assert home.latest()["attr"]["power"] is True


def test_a_device_that_never_reported_has_no_state(cloud):
    did = cloud.register("DD03")
    assert cloud.app("GET", "/app/devdata/%s/latest" % did).json == {"did": did, "updated_at": 0, "attr": {}}


def test_a_state_older_than_a_day_is_not_the_latest(cloud):
    home = _Home(cloud, "DD04")
    device_state.report(cloud.cloud.store, home.did, {"power": True}, time.time() - 86500)
    assert home.latest() == {"did": home.did, "updated_at": 0, "attr": {}}


def test_a_report_that_cannot_be_read_is_kept_and_changes_no_state(cloud):
    home = _Home(cloud, "DD05")
    with mqtt_device(cloud, home.did) as device:
        for payload in (b"", b"garbage", wire.encode(wire.CLOUD_REPORT, b"\x04\x01"), wire.encode(0x0091, b"")):
            device.publish(payload)
        device.publish(_report(**VALUES))
        wait_until(lambda: home.latest()["updated_at"])
    payloads = [row["payload_bin"] for row in home.records("cmd", extra="&sort=asc").json["objects"]]
    assert payloads[:2] == ["", b"garbage".hex()]
    assert len(payloads) == 5


def test_attributes_are_sent_to_the_device_by_name(cloud):
    home = _Home(cloud, "DD06")
    with mqtt_device(cloud, home.did) as device:
        reply = home.control(attrs={"power": 1, "mode": 1, "level": 100, "scene": "0a0b"})
        assert (reply.status, reply.json) == (200, {})
        assert SCHEMA.decode_control(_heard(device)) == {
            "power": True,
            "mode": "warm",
            "level": 100,
            "scene": b"\x0a\x0b\x00\x00",
        }


@pytest.mark.parametrize(("mode", "label"), [("night", "night"), (2, "night"), (0, "white")])
def test_an_enum_is_set_by_label_or_by_index(cloud, mode, label):
    home = _Home(cloud, "DD1A")
    with mqtt_device(cloud, home.did) as device:
        assert home.control(attrs={"mode": mode}).status == 200
        assert SCHEMA.decode_control(_heard(device)) == {"mode": label}


@pytest.mark.parametrize("scene", [base64.b64encode(b"\xff\xfe\xfd\xfc").decode(), [255, 254, 253, 252]])
def test_binary_attributes_come_as_base64_or_as_numbers(cloud, scene):
    home = _Home(cloud, "DD07")
    with mqtt_device(cloud, home.did) as device:
        assert home.control(attrs={"scene": scene}, binary_coding="base64").status == 200
        assert SCHEMA.decode_control(_heard(device)) == {"scene": b"\xff\xfe\xfd\xfc"}


@pytest.mark.parametrize(
    "body",
    [
        {"raw": [5, 97, 255]},
        {"raw": [5, 97, 255], "binary_coding": "array"},
        {"raw": "0561ff"},
        {"raw": "0561ff", "binary_coding": "hex"},
        {"raw": "BWH/", "binary_coding": "base64"},
    ],
)
def test_raw_bytes_are_sent_as_they_are(cloud, body):
    home = _Home(cloud, "DD08")
    with mqtt_device(cloud, home.did) as device:
        assert home.control(**body).status == 200
        assert _heard(device) == b"\x05\x61\xff"


def test_the_longest_raw_command_is_sent_and_a_longer_one_is_not(cloud):
    home = _Home(cloud, "DD09")
    with mqtt_device(cloud, home.did) as device:
        assert home.control(raw=[5] * (MAX_CONTROL + 1)).code == 9025
        assert home.control(raw=[5] * MAX_CONTROL).status == 200
        assert _heard(device) == b"\x05" * MAX_CONTROL


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 9015),
        ({"attrs": {}}, 9015),
        ({"attrs": [1]}, 9015),
        ({"raw": [1], "binary_coding": "octal"}, 9015),
        ({"raw": []}, 9025),
        ({"raw": [256]}, 9025),
        ({"raw": [True]}, 9025),
        ({"raw": "xyz"}, 9025),
        ({"raw": "BWH", "binary_coding": "base64"}, 9025),
        ({"attrs": {"nothing": 1}}, 9025),
        ({"attrs": {"\ud800": 1}}, 9025),
        ({"attrs": {"mode": "x" * 60000}}, 9025),
        ({"attrs": {"heat": 1}}, 9025),
        ({"attrs": {"level": 101}}, 9025),
        ({"attrs": {"level": None}}, 9025),
        ({"attrs": {"mode": "dark"}}, 9025),
        ({"attrs": {"power": {}}}, 9025),
        ({"attrs": {"scene": 10**9}}, 9025),
        ({"attrs": {"scene": "0102030405"}}, 9025),
        ({"raw": "0561ff", "binary_coding": "array"}, 9025),
        ({"raw": "0561f"}, 9025),
        ({"raw": [256]}, 9025),
        ({"raw": [5], "binary_coding": "octal"}, 9015),
    ],
)
def test_a_control_that_means_nothing_is_refused_and_the_device_hears_nothing(cloud, body, code):
    home = _Home(cloud, "DD10")
    with mqtt_device(cloud, home.did) as device:
        reply = home.control(**body)
        assert (reply.status, reply.code) == (400, code)
        assert reply.json["detail_message"]
        home.control(attrs={"power": 0})
        assert SCHEMA.decode_control(_heard(device)) == {"power": False}


def test_a_device_that_is_offline_is_not_controlled(cloud):
    home = _Home(cloud, "DD11")
    reply = home.control(attrs={"power": 1})
    assert (reply.status, reply.code) == (400, 9042)


def test_commands_to_one_device_reach_it_in_order(cloud):
    home = _Home(cloud, "DD12")
    with mqtt_device(cloud, home.did) as device:
        for level in range(10):
            assert home.control(attrs={"level": level}).status == 200
        assert [SCHEMA.decode_control(_heard(device))["level"] for _ in range(10)] == list(range(10))


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/app/devices/%s"), ("POST", "/app/control/%s"), ("GET", "/app/devices/%s/raw_data")]
)
def test_a_device_is_shown_to_and_controlled_by_its_users_only(cloud, method, path):
    did = cloud.register("DD13")
    assert cloud.app(method, path % did, token=cloud.user("stranger")).code == 9017
    reply = cloud.app(method, path % ("x" * 22), token=cloud.user("stranger"))
    assert (reply.status, reply.code) == (404, 9014)


def test_the_details_of_a_device_are_those_of_the_list(cloud):
    home = _Home(cloud, "DD14")
    with mqtt_device(cloud, home.did):
        details = cloud.app("GET", "/app/devices/" + home.did, token=home.token).json
        assert details["is_online"] is True
        assert [details] == cloud.app("GET", "/app/bindings", token=home.token).json["devices"]


def test_the_datapoints_are_served_as_they_were_added(cloud):
    assert cloud.app("GET", "/app/datapoint?product_key=" + PRODUCT_KEY.upper()).json == LAMP
    assert cloud.app("GET", "/app/datapoint?product_key=" + "00" * 16).code == 9002
    assert cloud.app("GET", "/app/datapoint").code == 9015


def test_the_datapoints_are_served_to_the_old_site_address_too(cloud):
    assert cloud.request("GET", "/v2/datapoint?format=json&product_key=" + PRODUCT_KEY).json == LAMP


def test_the_latest_state_needs_no_user_and_one_who_is_shown_must_be_bound(cloud):
    home = _Home(cloud, "DD19")
    path = "/app/devdata/%s/latest" % home.did
    assert cloud.app("GET", path).status == cloud.app("GET", path, token=home.token).status == 200
    assert cloud.app("GET", path, token=cloud.user("stranger")).code == 9017
    assert cloud.app("GET", path, token="0" * 32).code == 9004
    assert cloud.app("GET", path.replace(home.did, "x" * 22)).code == 9014


def test_messages_are_recorded_in_both_directions(cloud):
    home = _Home(cloud, "DD15")
    with mqtt_device(cloud, home.did) as device:
        home.control(raw=[2])
        _heard(device)
        device.publish(_report(**VALUES))
        wait_until(lambda: home.latest()["updated_at"])
    answer = home.records("cmd", extra="&sort=ase").json
    assert answer["meta"] == {**answer["meta"], "sort": "asc", "total": 2, "limit": 20, "skip": 0, "type": "cmd"}
    down, up = answer["objects"]
    assert (down["type"], down["payload_bin"], down["source"]) == ("app2dev", "000000030400009002", "client")
    assert (down["uid"], down["appid"], down["ip"]) == (home.uid, APP_ID, "127.0.0.1")
    assert (up["type"], up["payload_bin"], up["ip"]) == ("dev2app", _report(**VALUES).hex(), "127.0.0.1")
    assert home.records("cmd", extra="&sort=dese").json["objects"] == [up, down]
    assert home.records("cmd").json["meta"]["sort"] == "desc"


def test_records_come_in_pages_with_their_total(cloud):
    home = _Home(cloud, "DD16")
    with mqtt_device(cloud, home.did) as device:
        for n in range(5):
            device.publish(bytes((n,)))
        wait_until(lambda: home.records("cmd").json["meta"]["total"] == 5)
    page = home.records("cmd", extra="&limit=2&skip=1&sort=asc").json
    assert [row["payload_bin"] for row in page["objects"]] == ["01", "02"]
    assert page["meta"]["total"] == 5


@pytest.mark.parametrize(
    ("kind", "start", "end", "extra"),
    [
        ("all", -60, 0, ""),
        ("cmd", 0, 0, ""),
        ("cmd", -60, -61, ""),
        ("cmd", -60, 3600, ""),
        ("cmd", -2 * 86400 - 1, 0, ""),
        ("cmd", -60, 0, "&limit=1001"),
        ("cmd", -60, 0, "&skip=4990"),
        ("cmd", -60, 0, "&sort=up"),
    ],
)
def test_records_of_a_span_the_manual_forbids_are_refused(cloud, kind, start, end, extra):
    home = _Home(cloud, "DD17")
    now = int(time.time())
    assert home.records(kind, now + start, now + end, extra).code == 9015


def test_a_product_replaced_while_the_cloud_runs_is_read_with_its_new_datapoints(fresh_cloud):
    home = _Home(fresh_cloud, "DD18")
    attrs = [{**row, "name": row["name"].upper()} for row in LAMP["entities"][0]["attrs"]]
    with mqtt_device(fresh_cloud, home.did) as device:
        device.publish(_report(**VALUES))
        wait_until(lambda: home.latest()["updated_at"])
        fresh_cloud.cloud.add_product({**LAMP, "entities": [{"attrs": attrs}]}, "5e" * 16)
        device.publish(_report(**VALUES))
        wait_until(lambda: home.latest()["attr"].get("POWER") == 1)
