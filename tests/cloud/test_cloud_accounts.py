from collections.abc import Iterator
from pathlib import Path

import pytest
from localcloud.accounts import Accounts
from localcloud.store.store import Store, open_store

DIDS = ["WCWGkbS4Ttynzwx9brzpE" + letter for letter in "abc"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store("sqlite:///%s" % (tmp_path / "cloud.db"))
    yield store
    store.close()


def test_made_up_dids_cannot_fill_the_database(store):
    accounts = Accounts(store, adopt=True, max_stubs=2)
    assert [accounts.adopt(did) is not None for did in DIDS] == [True, True, False]
    assert accounts.device(DIDS[2]) is None


def test_a_stub_that_logged_in_makes_room_for_the_next(store):
    accounts = Accounts(store, adopt=True, max_stubs=1)
    accounts.adopt(DIDS[0])
    accounts.learn_passcode(DIDS[0], "FIRST")
    assert accounts.adopt(DIDS[1]) is not None


def test_a_passcode_is_learned_once(store):
    accounts = Accounts(store, adopt=True)
    accounts.learn_passcode(DIDS[0], "FIRST")
    accounts.learn_passcode(DIDS[0], "SECOND")
    assert accounts.device(DIDS[0]).passcode == "FIRST"


def test_the_product_key_of_a_registered_device_is_not_changed_by_what_it_subscribes_to(store):
    accounts = Accounts(store, adopt=True)
    did = store.devices.add("aa" * 16, "mac", "PASSCODE")
    accounts.learn_product_key(did, "bb" * 16)
    assert store.devices.get(did).product_key == "aa" * 16


@pytest.mark.parametrize("word", ["", "+", "#", "zz" * 16])
def test_what_is_no_product_key_is_not_learned(store, word):
    accounts = Accounts(store, adopt=True)
    accounts.adopt(DIDS[0])
    accounts.learn_product_key(DIDS[0], word)
    assert store.devices.get(DIDS[0]).product_key == ""


def test_a_cloud_that_adopts_nobody_does_not_learn_passcodes_either(store):
    accounts = Accounts(store, adopt=False)
    accounts.learn_passcode(DIDS[0], "FIRST")
    assert (accounts.device(DIDS[0]), store.devices.all()) == (None, [])
