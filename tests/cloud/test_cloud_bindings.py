import hashlib
import time

import pytest
from testkit.cloud_running import PASSCODE, PRODUCT_KEY, PRODUCT_SECRET

# What clients index in an entry of the list, whether the manual names it or not.
FIELDS = """protoc ws_port port_s gw_did host sleep_duration port mcu_soft_version product_key state_last_timestamp role
    is_sandbox type product_name is_disabled mcu_hard_version wifi_soft_version dev_alias mesh_id is_online dev_label
    wss_port remark did mac passcode wifi_hard_version is_low_power""".split()


def _list(cloud, token, query=""):
    return cloud.app("GET", "/app/bindings" + query, token=token).json["devices"]


def _unbind(cloud, token, *dids):
    return cloud.app("DELETE", "/app/bindings", {"devices": [{"did": did} for did in dids]}, token)


def _bind_with(cloud, stamp: str, signature: str, product_key: str = PRODUCT_KEY, mac: str = "CC01"):
    return cloud.app(
        "POST",
        "/app/bind_mac",
        {"product_key": product_key, "mac": mac},
        cloud.user(),
        X_Gizwits_Timestamp=stamp,
        X_Gizwits_Signature=signature,
    )


def _signature(stamp: str) -> str:
    return hashlib.md5((PRODUCT_SECRET + stamp).encode()).hexdigest()


def test_a_bound_device_is_answered_and_listed_with_every_field_clients_index(cloud):
    did = cloud.register("CC0000000001")
    token = cloud.user("fields")
    bound = cloud.bind(token, "cc0000000001", dev_alias="lamp", remark="hall")
    assert bound.status == 201
    assert sorted(bound.json) == sorted(FIELDS)
    (listed,) = _list(cloud, token)
    assert listed == bound.json
    assert (listed["did"], listed["mac"], listed["passcode"]) == (did, "CC0000000001", PASSCODE)
    assert (listed["product_name"], listed["dev_alias"], listed["remark"]) == ("lamp", "lamp", "hall")
    assert (listed["host"], listed["port"]) == ("127.0.0.1", cloud.cloud.mqtt_port)
    assert (listed["is_online"], listed["role"]) == (False, "special")


def test_the_protocol_version_is_listed_when_asked_for(cloud):
    cloud.register("CC0000000002")
    token = cloud.user("proto")
    cloud.bind(token, "CC0000000002")
    assert _list(cloud, token, "?show_proto_ver=1&show_disabled=1")[0]["proto_ver"] == "04"
    assert "proto_ver" not in _list(cloud, token)[0]


def test_the_list_comes_in_pages_the_newest_first(cloud):
    token = cloud.user("pages")
    dids = [cloud.register("CC00000001%02d" % i) for i in range(5)]
    for i in range(5):
        cloud.bind(token, "CC00000001%02d" % i)
    pages = [_list(cloud, token, "?limit=2&skip=%d" % skip) for skip in (0, 2, 4, 6)]
    assert [[row["did"] for row in page] for page in pages] == [dids[:2:-1], dids[2:0:-1], dids[:1], []]


@pytest.mark.parametrize("query", ["?limit=x", "?limit=-1", "?limit=1001", "?skip=-1", "?skip=" + "9" * 40])
def test_a_page_that_cannot_be_is_an_invalid_form(cloud, query):
    assert cloud.app("GET", "/app/bindings" + query, token=cloud.user()).code == 9015


def test_binding_again_changes_the_labels_given_and_nothing_else(cloud):
    cloud.register("CC0000000003")
    token = cloud.user("again")
    cloud.bind(token, "CC0000000003", dev_alias="one", remark="kept")
    cloud.bind(token, "CC0000000003", dev_alias="two")
    (device,) = _list(cloud, token)
    assert (device["dev_alias"], device["remark"], device["role"]) == ("two", "kept", "special")


def test_the_first_user_is_special_and_hands_the_role_on_when_leaving(cloud):
    did = cloud.register("CC0000000004")
    first, second, third = (cloud.user(name) for name in ("role1", "role2", "role3"))
    roles = [cloud.bind(token, "CC0000000004").json["role"] for token in (first, second, third)]
    assert roles == ["special", "normal", "normal"]
    assert _unbind(cloud, first, did).json == {"success": [did], "failed": []}
    assert [_list(cloud, token)[0]["role"] for token in (second, third)] == ["special", "normal"]
    assert _list(cloud, first) == []


def test_a_normal_user_who_leaves_changes_no_role(cloud):
    did = cloud.register("CC0000000005")
    first, second = (cloud.user(name) for name in ("stay", "leave"))
    for token in (first, second):
        cloud.bind(token, "CC0000000005")
    _unbind(cloud, second, did)
    assert _list(cloud, first)[0]["role"] == "special"


def test_what_was_not_bound_fails_to_unbind(cloud):
    did = cloud.register("CC0000000006")
    token = cloud.user("unbind")
    cloud.bind(token, "CC0000000006")
    reply = _unbind(cloud, token, did, "nonsense", did)
    assert (reply.status, reply.json) == (200, {"success": [did], "failed": ["nonsense"]})


@pytest.mark.parametrize(
    "body", [{}, {"devices": "x"}, {"devices": ["x"]}, {"devices": [{"did": 1}]}, {"devices": [{"did": "\ud800"}]}]
)
def test_unbind_wants_a_list_of_dids(cloud, body):
    assert cloud.app("DELETE", "/app/bindings", body, cloud.user()).code == 9015


# Until it is looked at a time stamp only grows older: it is a minute away from the limit that it moves towards.
@pytest.mark.parametrize("off", [-240, 290])
def test_a_clock_may_be_off_by_less_than_five_minutes(cloud, off):
    cloud.register("CC01")
    stamp = str(int(time.time()) + off)
    assert _bind_with(cloud, stamp, _signature(stamp).upper()).status == 201


@pytest.mark.parametrize("off", [-310, 360])
def test_a_clock_that_is_off_by_more_is_refused(cloud, off):
    stamp = str(int(time.time()) + off)
    assert _bind_with(cloud, stamp, _signature(stamp)).code == 9043


@pytest.mark.parametrize("stamp", ["", "now", "1e9", "1" * 40])
def test_a_timestamp_that_is_no_number_is_refused(cloud, stamp):
    assert _bind_with(cloud, stamp, _signature(stamp)).code == 9043


@pytest.mark.parametrize("signature", ["", "00" * 16, "\xe9"])
def test_a_wrong_signature_is_refused(cloud, signature):
    assert _bind_with(cloud, str(int(time.time())), signature).code == 9044


def test_an_unknown_product_and_an_unknown_device_are_told_apart(cloud):
    stamp = str(int(time.time()))
    assert _bind_with(cloud, stamp, _signature(stamp), product_key="00" * 16).code == 9002
    reply = _bind_with(cloud, stamp, _signature(stamp), mac="CCFF")
    assert (reply.status, reply.code) == (404, 9014)
