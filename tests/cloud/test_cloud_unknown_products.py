"""A device of a product that nobody has added: refused, or let in with a product that passes everything undecoded."""

import hashlib
import time

import pytest
from testkit.cloud_running import LAMP, PASSCODE, PRODUCT_SECRET, mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S

from gagent import wire
from mcu_proto.datapoint import Schema

KEY = "b2" * 16
MAC = "AB0000000001"
BODY = "passcode=%s&mac=%s&product_key=%s" % (PASSCODE, MAC, KEY)


@pytest.fixture
def open_cloud(tmp_path):
    with running_cloud(tmp_path, products="any") as cloud:
        yield cloud


def register(cloud):
    reply = cloud.request("POST", "/dev/devices", BODY)
    assert reply.status == 201
    return reply.body.decode().removeprefix("did=")


def bind(cloud, token, secret):
    stamp = str(int(time.time()))
    headers = {
        "X_Gizwits_Timestamp": stamp,
        "X_Gizwits_Signature": hashlib.md5((secret + stamp).encode()).hexdigest(),
    }
    return cloud.app("POST", "/app/bind_mac", {"product_key": KEY, "mac": MAC}, token, **headers)


def test_with_listed_products_it_is_refused_and_nothing_is_stored(fresh_cloud, caplog):
    reply = fresh_cloud.request("POST", "/dev/devices", BODY)
    assert (reply.status, reply.code) == (400, 9002)
    assert fresh_cloud.cloud.store.products.get(KEY) is None
    assert fresh_cloud.cloud.store.devices.by_mac(KEY, MAC) is None
    assert "device %s has product key %s, which is unknown: see `localcloud product add`" % (MAC, KEY) in caplog.text


def test_with_any_product_it_is_let_in_and_its_p0_passes_undecoded(open_cloud):
    did = register(open_cloud)
    assert register(open_cloud) == did
    token = open_cloud.user()
    assert bind(open_cloud, token, open_cloud.cloud.store.products.get(KEY).secret).status == 201
    with mqtt_device(open_cloud, did) as device:
        reply = open_cloud.app("POST", "/app/control/" + did, {"raw": [1, 2, 3]}, token)
        assert reply.status == 200
        assert wire.decode(device.heard.get(timeout=PATIENCE_S)[1]).p0 == b"\x01\x02\x03"
        refused = open_cloud.app("POST", "/app/control/" + did, {"attrs": {"power": 1}}, token)
        assert (refused.status, refused.code) == (400, 9025)
        device.publish(wire.encode(wire.CLOUD_REPORT, b"\x04any bytes"))
        query = "?type=cmd&start_time=%d&end_time=%d" % (time.time() - 60, time.time() + 60)
        records = "/app/devices/%s/raw_data%s" % (did, query)
        wait_until(lambda: open_cloud.app("GET", records, token=token).json["meta"]["total"] == 2)
    assert open_cloud.app("GET", "/app/devdata/%s/latest" % did).json["attr"] == {}


def test_a_definition_that_is_added_later_gives_its_devices_attributes(open_cloud):
    did = register(open_cloud)

    async def add():
        open_cloud.cloud.add_product({**LAMP, "product_key": KEY}, PRODUCT_SECRET)

    open_cloud.do(add())
    assert register(open_cloud) == did
    token = open_cloud.user()
    assert bind(open_cloud, token, PRODUCT_SECRET).status == 201
    with mqtt_device(open_cloud, did) as device:
        device.publish(wire.encode(wire.CLOUD_REPORT, Schema.from_definition(LAMP).encode_report({"power": True})))
        wait_until(lambda: open_cloud.app("GET", "/app/devdata/%s/latest" % did).json["attr"].get("power") == 1)
        assert open_cloud.app("POST", "/app/control/" + did, {"attrs": {"power": 0}}, token).status == 200


@pytest.mark.parametrize("key", ["b2" * 15, "zz" * 16, "b2" * 15 + "+#"])
def test_a_key_that_is_none_is_refused_all_the_same(open_cloud, key):
    reply = open_cloud.request("POST", "/dev/devices", "passcode=%s&mac=%s&product_key=%s" % (PASSCODE, MAC, key))
    assert (reply.status, reply.code) == (400, 9002)
    assert len(open_cloud.cloud.store.products.all()) == 1
