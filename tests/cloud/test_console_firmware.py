"""What the operator's firmware pages ask of the cloud, and what it says to orders that cannot be."""

import csv
import io
import json
import os
import urllib.parse

import pytest
from localcloud.console_login import set_password
from localcloud.ota_orders import MAX_IMAGE
from testkit.cloud_running import PASSCODE, PRODUCT_KEY, running_cloud

PASSWORD = "Operator-word1"
IMAGE = os.urandom(200_000)
HARD, OLD, NEW = "00000001", "00000001", "00000002"
FIELDS = {"product": PRODUCT_KEY, "kind": "mcu", "hard": HARD, "soft": NEW, "name": "pump v2.hex"}


class Operator:
    """Whoever has the password of the console."""

    def __init__(self, cloud):
        self._cloud = cloud
        self._token = cloud.request("POST", "/console/operator", json.dumps({"password": PASSWORD})).json["token"]

    def ask(self, method, path, body=None):
        """A request with a JSON body."""
        return self.send(method, path, b"" if body is None else json.dumps(body))

    def send(self, method, path, data):
        """A request with that body."""
        return self._cloud.request(method, "/console/operator" + path, data, {"X-Console-Token": self._token})

    def add(self, data=IMAGE, **changes):
        return self.send("POST", "/firmware?" + urllib.parse.urlencode({**FIELDS, **changes}), data)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("cloud")) as running:
        set_password(running.cloud.store, PASSWORD)
        yield running, Operator(running)


@pytest.fixture
def cloud(running):
    """The cloud of all tests, without firmware."""
    for firmware in running[0].cloud.store.firmware.all():
        running[0].cloud.store.firmware.remove(firmware.id)
    return running[0]


@pytest.fixture
def operator(cloud, running):
    return running[1]


def check(cloud, did, soft, hard=HARD):
    body = "passcode=%s&type=2&hard_version=%s&soft_version=%s" % (PASSCODE, hard, soft)
    return cloud.request("POST", "/dev/ota/v4.1/update_and_check/" + did, body)


def verified(cloud, operator, mac="AA0000000301"):
    """The path of an image that ran on one device."""
    path = "/firmware/%d" % operator.add().json["id"]
    did = cloud.register(mac)
    check(cloud, did, OLD)
    assert operator.ask("POST", path + "/trial", {"did": did}).status == 200
    check(cloud, did, OLD)
    check(cloud, did, NEW)
    return path


def test_an_image_is_kept_as_it_was_sent_and_named_as_modules_read_it(cloud, operator):
    reply = operator.add()
    assert (reply.status, reply.json["name"], reply.json["size"]) == (201, "pumpv2.hex", len(IMAGE))
    assert cloud.request("GET", "/dev/ota/v4.1/download/%d" % reply.json["id"]).body == IMAGE
    (row,) = operator.ask("GET", "/firmware").json["firmware"]
    assert (row["kind"], row["standing"], row["is_signed"], row["product_name"]) == (
        "mcu",
        "not verified",
        False,
        "lamp",
    )


def test_an_image_of_16_megabytes_is_taken_and_none_that_is_larger(cloud, operator):
    largest = bytes(MAX_IMAGE)
    number = operator.add(largest).json["id"]
    assert cloud.request("GET", "/dev/ota/v4.1/download/%d" % number).body == largest
    reply = operator.add(largest + b"x", soft="00000003")
    assert (reply.code, reply.json["detail_message"]) == (9015, "the body is longer than %d bytes" % MAX_IMAGE)


def test_other_paths_take_no_body_of_that_size_and_strangers_none_at_all(cloud, operator):
    assert "longer than 65536 bytes" in operator.send("POST", "/apps", bytes(100_000)).json["detail_message"]
    path = "/console/operator/firmware?" + urllib.parse.urlencode(FIELDS)
    assert cloud.request("POST", path, IMAGE, {"X-Console-Token": "no"}).code == 9004
    assert cloud.cloud.store.firmware.all() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"soft": "2"}, "expected 8 printable characters"),
        ({"hard": "a=b&c=d "}, "expected 8 printable characters"),
        ({"kind": "car"}, "expected one of module, mcu"),
        ({"product": "f" * 32}, "is not known"),
        ({"product": ""}, "product is missing"),
        ({"data": b""}, "expected 1 to"),
    ],
)
def test_an_image_that_cannot_be_offered_is_refused_in_words(operator, changes, words):
    reply = operator.add(**changes)
    assert (reply.status, reply.code) == (400, 9015)
    assert words in reply.json["detail_message"]


def test_the_devices_on_which_it_can_be_tried_are_those_it_is_for(cloud, operator):
    path = "/firmware/%d" % operator.add().json["id"]
    dids = {name: cloud.register("AA000000031%d" % n) for n, name in enumerate(("old", "new", "other", "silent"))}
    check(cloud, dids["old"], OLD)
    check(cloud, dids["new"], NEW)
    check(cloud, dids["other"], OLD, hard="00000009")
    found = operator.ask("GET", path + "/devices").json
    listed = {device["did"] for device in found["devices"]} & set(dids.values())
    assert listed == {dids["old"], dids["silent"]}
    (row,) = operator.ask("GET", path + "/devices?find=aa0000000310").json["devices"]
    assert row == {"did": dids["old"], "mac": "AA0000000310", "soft_version": OLD, "is_online": False}
    for name in ("new", "other"):
        assert operator.ask("POST", path + "/trial", {"did": dids[name]}).code == 9015
    assert operator.ask("POST", path + "/trial", {"did": dids["silent"]}).status == 200


def test_a_rule_is_for_verified_firmware(operator):
    path = "/firmware/%d" % operator.add().json["id"]
    assert "has not run on any device" in operator.ask("POST", path + "/rules", {}).json["detail_message"]


def test_a_rule_covers_whom_it_names_and_stops_when_it_is_stopped(cloud, operator):
    path = verified(cloud, operator)
    one, two = cloud.register("AA0000000321"), cloud.register("AA0000000322")
    order = {"percent": 100, "from_versions": [OLD], "addresses": "aa0000000321\n", "window": "00:00-00:00"}
    rule = operator.ask("POST", path + "/rules", order)
    assert rule.status == 201
    assert "100 %, from 00000001, 1 address, since " in rule.json["words"]
    assert [check(cloud, did, OLD).status for did in (one, two)] == [200, 404]
    assert operator.ask("PUT", "/rules/%d" % rule.json["id"], {"is_running": False}).status == 200
    assert check(cloud, one, OLD).status == 404
    (row,) = operator.ask("GET", path).json["rules"]
    assert row["is_running"] is False


@pytest.mark.parametrize(
    "order",
    [
        {"percent": 0},
        {"percent": 101},
        {"percent": "many"},
        {"from_versions": "00000001"},
        {"from_versions": [1]},
        {"from_versions": ["1"]},
        {"from_versions": [NEW]},
        {"from_versions": ["00010001"]},
        {"addresses": ["a"]},
        {"addresses": "AA:BB"},
        {"window": "2-5"},
        {"starts_at": -1},
        {"starts_at": 1e300},
        {"starts_at": 200, "ends_at": 100},
    ],
    ids=json.dumps,
)
def test_a_rule_that_cannot_be_is_refused_in_words(cloud, operator, order):
    path = verified(cloud, operator)
    reply = operator.ask("POST", path + "/rules", order)
    assert (reply.status, reply.code) == (400, 9015)
    assert reply.json["detail_message"]
    assert operator.ask("GET", path).json["rules"] == []


def test_progress_is_told_for_all_and_for_each_and_saved_as_a_table_without_formulas(cloud, operator):
    path = verified(cloud, operator)
    number = int(path.rpartition("/")[2])
    dids = [cloud.register("=AA00000%03d" % n) for n in range(250)]
    for n, did in enumerate(dids):
        cloud.cloud.store.upgrades.put(did, number, "failed" if n == 7 else "under way", 50, "-cmd", float(n))
    found = operator.ask("GET", path).json
    assert (found["counts"], found["total"], found["percent"]) == (
        {"under way": 249, "done": 1, "failed": 1},
        251,
        50,
    )
    assert (len(found["devices"]), found["devices"][0]["did"]) == (200, dids[7])
    assert len(operator.ask("GET", path + "?skip=200").json["devices"]) == 51
    reply = operator.ask("GET", path + "/result")
    rows = list(csv.reader(io.StringIO(reply.body.decode())))
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert rows[0] == ["did", "mac", "state", "percent", "detail", "at"]
    assert len(rows) == 252
    assert rows[1][:5] == [dids[7], "'=AA00000007", "failed", "50", "'-cmd"]


@pytest.mark.parametrize("number", ["0", "99999", "x", "-1", "1e3", "99999999999999999999"])
def test_what_is_not_there_is_not_found(operator, number):
    asked = [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/devices"),
        ("GET", "/result"),
        ("POST", "/trial"),
        ("POST", "/rules"),
    ]
    for method, rest in asked:
        assert operator.ask(method, "/firmware/%s%s" % (number, rest), {}).code == 9027, rest
    assert operator.ask("PUT", "/rules/" + number, {"is_running": True}).code in (9015, 9027)


def test_a_removed_image_is_gone_and_its_number_is_nobody_elses(cloud, operator):
    path = verified(cloud, operator)
    operator.ask("POST", path + "/rules", {})
    number = int(path.rpartition("/")[2])
    assert operator.ask("DELETE", path).status == 200
    assert cloud.request("GET", "/dev/ota/v4.1/download/%d" % number).code == 9027
    assert operator.add().json["id"] != number
