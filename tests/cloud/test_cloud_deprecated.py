"""Calls of old editions: refused unless the operator serves them, because they ask for no user."""

import time

import pytest
from testkit.cloud_running import LAMP, PASSCODE, PRODUCT_KEY, mqtt_device, running_cloud, wait_until

from gagent import wire
from mcu_proto.datapoint import Schema

SCHEMA = Schema.from_definition(LAMP)
FIND = "/app/devices?product_key=%s&mac=%s"
HISTORY = "/app/devdata2?product_key=%s&did=%s&name=%s&limit=%d&skip=%d"


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("served"), deprecated="served") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def lamp(serving):
    """The did of a lamp that was dimmed five times."""
    did = serving.register("D201")
    with mqtt_device(serving, did) as device:
        device.publish(b"no envelope")
        for level in range(5):
            device.publish(wire.encode(wire.CLOUD_REPORT, SCHEMA.encode_report({"level": level, "power": True})))
        path = "/app/devdata/%s/latest" % did
        wait_until(lambda: serving.app("GET", path).json["attr"].get("level") == 4)
    return did


def _levels(cloud, did, limit=20, skip=0):
    rows = cloud.app("GET", HISTORY % (PRODUCT_KEY, did, "level", limit, skip)).json["data"]
    return [row["attr"]["level"] for row in rows]


def test_a_phone_that_introduces_itself_learns_where_the_broker_is(cloud):
    reply = cloud.app("POST", "/app/provision", {"phone_id": "x", "os": "Linux", "os_ver": "5.4"})
    assert (reply.status, reply.json) == (200, {"host": "127.0.0.1", "port": cloud.cloud.mqtt_port})


@pytest.mark.parametrize("path", [FIND % (PRODUCT_KEY, "D201"), HISTORY % (PRODUCT_KEY, "x" * 22, "level", 20, 0)])
def test_what_asks_for_no_user_is_refused_unless_the_operator_serves_it(cloud, path):
    reply = cloud.app("GET", path)
    assert (reply.status, reply.code) == (404, 9045)
    assert "deprecated" in reply.json["detail_message"]


def test_a_device_is_found_by_its_address(serving, lamp):
    reply = serving.app("GET", FIND % (PRODUCT_KEY.upper(), "d201"))
    assert (reply.status, reply.json) == (200, {"did": lamp, "passcode": PASSCODE})
    assert serving.app("GET", FIND % (PRODUCT_KEY, "none")).code == 9014


def test_the_history_of_an_attribute_comes_in_pages_the_newest_first(serving, lamp):
    assert _levels(serving, lamp) == [4, 3, 2, 1, 0]
    assert [_levels(serving, lamp, 2, skip) for skip in (0, 2, 4, 6)] == [[4, 3], [2, 1], [0], []]


def test_a_user_who_is_shown_must_be_bound_to_read_the_history(serving, lamp):
    path = HISTORY % (PRODUCT_KEY, lamp, "level", 20, 0)
    assert serving.app("GET", path, token=serving.user("stranger")).code == 9017


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", 9015),
        ("?did=%s" % ("x" * 22), 9015),
        ("?did=%s&name=level" % ("x" * 22), 9014),
        ("?did={did}&name=level&start_ts=5&end_ts=4", 9015),
        ("?did={did}&name=level&start_ts=1&end_ts=172801", 9015),
        ("?did={did}&name=level&limit=1001", 9015),
    ],
)
def test_a_history_that_cannot_be_is_refused(serving, lamp, query, code):
    assert serving.app("GET", "/app/devdata2" + query.format(did=lamp)).code == code


def test_a_span_without_reports_is_empty(serving, lamp):
    ago = int(time.time()) - 3600
    path = HISTORY % (PRODUCT_KEY, lamp, "level", 20, 0) + "&start_ts=%d&end_ts=%d" % (ago - 10, ago)
    assert serving.app("GET", path).json["data"] == []
