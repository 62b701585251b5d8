"""Every route by every role: a user reaches the devices bound to it and no other, and only as far as the role goes.

A route that is new must be entered below, in one table or the other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from localcloud import qr_code
from localcloud.routes import ROUTES
from localcloud.store.bindings import CLAIMED
from testkit.cloud_running import PRODUCT_KEY, RunningCloud

MEMBERS = frozenset({"special", "normal", "owner", "guest"})
ROLES = ("nobody", "stranger", "left", *sorted(MEMBERS))
OFFLINE = 9042


class Device(NamedTuple):
    did: str
    mac: str
    guest: str


class Call(NamedTuple):
    """`reaches`: who gets through. `is_reached` tells it from the answer; without it, any answer but a refusal does."""

    reaches: frozenset[str]
    body: Callable[[Device], Any] = lambda device: None
    query: str = ""
    is_reached: Callable[[Any, Device], bool] | None = None


def _names_it(answer: Any, device: Device) -> bool:
    return device.did in str(answer)


def _succeeds(answer: Any, device: Device) -> bool:
    return device.did in answer.get("success", ())


def _did(device: Device, **fields: str) -> dict[str, Any]:
    return {"devices": [{"did": device.did, **fields}]}


NONE: frozenset[str] = frozenset()
# The proof that a binding wants is wrong or missing in all three ways to bind: no role makes up for it.
CALLS = {
    ("POST", "/app/bind_mac"): Call(NONE, lambda device: {"product_key": PRODUCT_KEY, "mac": device.mac}),
    ("POST", "/app/bind_latest"): Call(
        NONE, lambda device: {"qr_content": qr_code.make_content(PRODUCT_KEY, "00" * 16, device.mac)}
    ),
    ("POST", "/app/bindings"): Call(NONE, lambda device: _did(device, passcode="WRONG"), is_reached=_succeeds),
    ("GET", "/app/bindings"): Call(MEMBERS, query="?limit=1000&show_disabled=1", is_reached=_names_it),
    ("DELETE", "/app/bindings"): Call(MEMBERS, _did, is_reached=_succeeds),
    ("PUT", "/app/bindings/{did}"): Call(MEMBERS, lambda device: {"remark": "x"}),
    ("GET", "/app/{did}/bindings"): Call(frozenset({"owner"})),
    ("DELETE", "/app/{did}/bindings"): Call(frozenset({"owner"}), query="?uid={guest}"),
    # As in the manual, the latest state needs no user; one who is shown must be bound.
    ("GET", "/app/devdata/{did}/latest"): Call(MEMBERS | {"nobody"}),
    ("GET", "/app/devices/{did}"): Call(MEMBERS),
    ("GET", "/app/devices/{did}/raw_data"): Call(MEMBERS, query="?type=cmd&start_time=1&end_time=2"),
    ("POST", "/app/control/{did}"): Call(MEMBERS, lambda device: {"attrs": {"power": 1}}),
    # Refused to all, unless the operator serves them.
    ("GET", "/app/devices"): Call(NONE, query="?product_key=" + PRODUCT_KEY + "&mac={mac}"),
    ("GET", "/app/devdata2"): Call(NONE, query="?did={did}&name=power"),
    ("GET", "/app/smart_home/users/devices"): Call(MEMBERS, is_reached=_names_it),
    ("GET", "/app/smartHome/v2/users/devices"): Call(MEMBERS, is_reached=_names_it),
    ("GET", "/app/device/shadow/{product_key}/{mac}"): Call(MEMBERS),
    ("POST", "/app/device/control/{product_key}/{mac}"): Call(MEMBERS, lambda device: {"data": '{"power": 1}'}),
}

# About the caller, a product or the service: there is no device to reach.
NO_DEVICE = {
    ("GET", "/app/datapoint"),
    ("GET", "/v2/datapoint"),
    ("GET", "/status"),
    ("GET", "/errors"),
    ("POST", "/app/provision"),
    ("POST", "/app/smart_home/login/pwd"),
}
# Files of handlers about the callers themselves, for brokers and for the operator: like the device's own API, they
# have their own tests.
ELSEWHERE = {"account_pages", "broker_hooks", "console", "passwords", "profile", "users", "verification"}


def _file(route: Any) -> str:
    return route.handler.__module__.rpartition(".")[2]


class _Household:
    """One device with a user in each role; owners and guests are at a second one."""

    def __init__(self, cloud: RunningCloud, name: str) -> None:
        self.cloud = cloud
        self.tokens = {role: cloud.user(name + role) for role in ROLES if role != "nobody"}
        self.uids = {
            role: cloud.app("GET", "/app/users", token=token).json["uid"] for role, token in self.tokens.items()
        }
        self.open = self._device(name + "1", "special", "normal")
        self.owned = self._device(name + "2", "owner", "guest")
        cloud.cloud.store.bindings.bind(self.uids["owner"], self.owned.did, {}, CLAIMED)

    def device_of(self, role: str) -> Device:
        return self.owned if role in ("owner", "guest") else self.open

    def _device(self, mac: str, *members: str) -> Device:
        did = self.cloud.register(mac)
        for role in (*members, "left"):
            assert self.cloud.bind(self.tokens[role], mac).status == 201
        self.cloud.app("DELETE", "/app/bindings", {"devices": [{"did": did}]}, self.tokens["left"])
        return Device(did, mac, self.uids["guest"])


@pytest.fixture(scope="module")
def households(cloud):
    """A fresh household for each call: some calls end a binding."""
    return {key: _Household(cloud, "F%02d" % number) for number, key in enumerate(CALLS)}


def test_every_route_of_an_app_is_in_one_of_the_tables():
    routes = [route for route in ROUTES if not route.path.startswith("/dev/") and _file(route) not in ELSEWHERE]
    assert {(route.method, route.path) for route in routes} == set(CALLS) | NO_DEVICE


@pytest.mark.parametrize("key", CALLS, ids=" ".join)
@pytest.mark.parametrize("role", ROLES)
def test_a_route_is_reached_by_the_roles_that_may_and_by_nobody_else(cloud, households, key, role):
    call, household = CALLS[key], households[key]
    device = household.device_of(role)
    words = {"did": device.did, "mac": device.mac, "guest": device.guest, "product_key": PRODUCT_KEY}
    path = (key[1] + call.query).format(**words)
    reply = cloud.app(key[0], path, call.body(device), household.tokens.get(role, ""))
    assert _is_reached(reply.json, call, device) == (role in call.reaches), reply


def _is_reached(answer: Any, call: Call, device: Device) -> bool:
    # An envelope bears its code as text. A device that is reached may be off line.
    code = int(answer.get("error_code") or answer.get("code") or 0) if isinstance(answer, dict) else 0
    if code not in (0, 200):
        return code == OFFLINE
    return call.is_reached(answer, device) if call.is_reached else True
