"""An account with ten thousand devices pages correctly, and quickly enough for a poll every 30 s."""

import pytest
from localcloud.store.tables import bindings, devices
from testkit.cloud_running import PRODUCT_KEY

DEVICES = 10_000


def _did(number: int) -> str:
    return "many%018d" % number


@pytest.fixture(scope="module")
def token(cloud):
    """A user of all of them; device 0 was bound first."""
    token = cloud.user("many")
    uid = cloud.app("GET", "/app/users", token=token).json["uid"]
    rows = [
        {
            "did": _did(number),
            "product_key": PRODUCT_KEY,
            "mac": "%012X" % number,
            "mac_key": "%012x" % number,
            "passcode": "ABCDEFGHIJ",
            "is_disabled": False,
            "attrs": "{}",
            "attrs_at": 0.0,
        }
        for number in range(DEVICES)
    ]
    bound = [{"uid": uid, "did": row["did"], "role": "special", "remark": "", "dev_alias": ""} for row in rows]
    engine = cloud.cloud.store.bindings._engine
    with engine.begin() as connection:
        connection.execute(devices.insert(), rows)
        connection.execute(bindings.insert(), bound)
    return token


@pytest.mark.parametrize("limit", [1000, 200])
def test_every_device_is_on_exactly_one_page_the_newest_first(cloud, token, limit):
    seen = []
    while True:
        # As the vendor's Java SDK: until a page is not full.
        path = "/app/bindings?show_disabled=1&limit=%d&skip=%d" % (limit, len(seen))
        page = [row["did"] for row in cloud.app("GET", path, token=token).json["devices"]]
        seen += page
        if len(page) < limit:
            break
    assert seen == [_did(number) for number in reversed(range(DEVICES))]


def test_a_page_begins_anywhere(cloud, token):
    rows = cloud.app("GET", "/app/bindings?limit=3&skip=9998", token=token).json["devices"]
    assert [row["did"] for row in rows] == [_did(1), _did(0)]


def test_one_of_many_is_unbound_and_the_pages_close_up(cloud, token):
    cloud.app("DELETE", "/app/bindings", {"devices": [{"did": _did(5000)}]}, token)
    rows = cloud.app("GET", "/app/bindings?limit=2&skip=4998", token=token).json["devices"]
    assert [row["did"] for row in rows] == [_did(5001), _did(4999)]
