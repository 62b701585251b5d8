"""The four roles of the manual, with device sharing off and on. Open API manual, Binding Management."""

import pytest
from testkit.cloud_running import LAMP, PRODUCT_SECRET


class _Family:
    """Some users at one device of a product, whose sharing can be turned on and off."""

    def __init__(self, cloud, mac):
        self.cloud = cloud
        self.mac = mac
        self.did = cloud.register(mac)
        self.tokens = {name: cloud.user(mac + name) for name in "ABC"}
        self.uids = {
            name: cloud.app("GET", "/app/users", token=token).json["uid"] for name, token in self.tokens.items()
        }

    def share(self, sharing):
        self.cloud.cloud.add_product(LAMP, PRODUCT_SECRET, sharing=sharing)

    def bind(self, name, **fields):
        return self.cloud.bind(self.tokens[name], self.mac, **fields)

    def unbind(self, name):
        rows = {"devices": [{"did": self.did}]}
        return self.cloud.app("DELETE", "/app/bindings", rows, self.tokens[name]).json["success"]

    def guests(self, name):
        return self.cloud.app("GET", "/app/%s/bindings" % self.did, token=self.tokens[name])

    def expel(self, name, guest):
        path = "/app/%s/bindings?uid=%s" % (self.did, guest)
        return self.cloud.app("DELETE", path, token=self.tokens[name])

    @property
    def roles(self):
        """Name -> role of those who are bound."""
        rows = {name: self.cloud.app("GET", "/app/bindings", token=token) for name, token in self.tokens.items()}
        return {name: row["role"] for name, reply in rows.items() for row in reply.json["devices"]}


@pytest.fixture
def family(fresh_cloud):
    return _Family(fresh_cloud, "CE01")


@pytest.fixture
def owned(family):
    """A is the owner, B the guest."""
    for name in "AB":
        family.bind(name)
    family.share(True)
    assert family.bind("A", set_owner=1).json["role"] == "owner"
    return family


def test_without_sharing_nobody_becomes_an_owner(family):
    family.bind("A", set_owner=1)
    family.bind("B", set_owner=1)
    assert family.roles == {"A": "special", "B": "normal"}


def test_with_sharing_the_first_user_is_the_owner_and_no_other_binds(family):
    family.share(True)
    assert family.bind("A").json["role"] == "owner"
    reply = family.bind("B")
    assert (reply.status, reply.code) == (403, 9092)
    assert family.roles == {"A": "owner"}


def test_an_owner_stays_alone_when_sharing_is_turned_off(family):
    family.share(True)
    family.bind("A")
    family.share(False)
    assert family.bind("B").code == 9092


def test_roles_stay_when_sharing_is_turned_on(family):
    family.bind("A")
    family.share(True)
    family.bind("A", remark="bound already")
    family.bind("B", set_owner=1)
    assert family.roles == {"A": "special", "B": "normal"}


def test_the_special_user_may_claim_the_device_and_the_others_become_guests(owned):
    assert owned.roles == {"A": "owner", "B": "guest"}
    assert owned.bind("C").code == 9092


def test_a_normal_user_may_not_claim_the_device(family):
    for name in "AB":
        family.bind(name)
    family.share(True)
    assert family.bind("B", set_owner=1).json["role"] == "normal"
    assert family.roles == {"A": "special", "B": "normal"}


@pytest.mark.parametrize("set_owner", [2, -1, "yes", True])
def test_a_claim_that_is_neither_0_nor_1_is_an_invalid_form(family, set_owner):
    assert family.bind("A", set_owner=set_owner).code == 9015


def test_nobody_is_left_when_the_owner_leaves(owned):
    assert owned.unbind("A") == [owned.did]
    assert owned.roles == {}
    assert owned.bind("C").json["role"] == "owner"


def test_a_guest_who_leaves_changes_nothing_for_the_others(owned):
    assert owned.unbind("B") == [owned.did]
    assert owned.roles == {"A": "owner"}


def test_the_owner_sees_the_guests_with_masked_names(owned):
    reply = owned.guests("A")
    assert reply.status == 200
    (guest,) = reply.json
    assert sorted(guest) == ["created_at", "email", "phone", "uid", "username"]
    assert (guest["uid"], guest["username"], guest["email"]) == (owned.uids["B"], None, None)
    assert len(guest["created_at"]) == len("2017-09-19T07:12:32Z")


def test_the_owner_expels_a_guest(owned):
    reply = owned.expel("A", owned.uids["B"])
    assert (reply.status, reply.json) == (200, {})
    assert owned.roles == {"A": "owner"}


def test_the_owner_is_no_guest(owned):
    assert owned.expel("A", owned.uids["A"]).code == 9095
    assert owned.expel("A", owned.uids["C"]).code == 9082
    assert owned.expel("A", "").code == 9015
    assert owned.roles == {"A": "owner", "B": "guest"}


@pytest.mark.parametrize("name", ["A", "B"])
def test_only_an_owner_sees_and_expels_guests(family, name):
    for user in "AB":
        family.bind(user)
    for reply in (family.guests(name), family.expel(name, family.uids["A"])):
        assert (reply.status, reply.code) == (403, 9093)


def test_a_guest_sees_and_expels_nobody(owned):
    for reply in (owned.guests("B"), owned.expel("B", owned.uids["A"])):
        assert (reply.status, reply.code) == (403, 9093)
