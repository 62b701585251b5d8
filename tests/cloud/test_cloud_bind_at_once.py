"""Workers side by side on one database: what only one may be is one, whoever comes first."""

import threading
from collections import Counter

import pytest
from localcloud.store import database
from localcloud.store.bindings import OPEN, OWNED, SHARED
from localcloud.store.store import open_store
from testkit import databases, device_state
from testkit.patience import PATIENCE_S

WORKERS = 4
ROUNDS = 15
PRODUCT_KEY = "aa" * 16


@pytest.fixture
def stores(tmp_path, monkeypatch):
    # Who holds the lock may be held up itself, longer than a cloud would wait.
    monkeypatch.setattr(database, "BUSY_TIMEOUT", PATIENCE_S * 1000)
    found = [open_store(databases.url_of(tmp_path)) for _ in range(WORKERS)]
    yield found
    for store in found:
        store.close()


def _at_once(stores, act):
    """What `act(store, number)` gives in each worker, all at the same moment."""
    gate = threading.Barrier(len(stores))
    results = [None] * len(stores)

    def work(number):
        gate.wait()
        results[number] = act(stores[number], number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _users(store):
    return [store.users.add(username="user %d" % number).uid for number in range(WORKERS)]


def test_one_of_many_first_users_is_special(stores):
    uids = _users(stores[0])
    for number in range(ROUNDS):
        did = stores[0].devices.add(PRODUCT_KEY, "mac %d" % number, "PASSCODE")
        _at_once(stores, lambda store, worker, did=did: store.bindings.bind(uids[worker], did, {}, OPEN))
        roles = Counter(stores[0].bindings.get(uid, did).role for uid in uids)
        assert roles == {"special": 1, "normal": WORKERS - 1}


def test_one_of_many_first_users_is_the_owner_and_the_others_are_refused(stores):
    uids = _users(stores[0])
    for number in range(ROUNDS):
        did = stores[0].devices.add(PRODUCT_KEY, "mac %d" % number, "PASSCODE")
        outcomes = _at_once(stores, lambda store, worker, did=did: store.bindings.bind(uids[worker], did, {}, SHARED))
        assert Counter(outcomes)[OWNED] == WORKERS - 1
        assert len(stores[0].bindings.users_of(did)) == 1


def test_a_device_that_registers_at_several_workers_gets_one_did(stores):
    for number in range(ROUNDS):
        mac = "mac %d" % number
        dids = _at_once(stores, lambda store, worker, mac=mac: store.devices.add(PRODUCT_KEY, mac, "PASSCODE"))
        assert len(set(dids)) == 1


def test_a_device_that_was_reset_gets_one_successor(stores):
    for number in range(ROUNDS):
        mac = "mac %d" % number
        old = stores[0].devices.add(PRODUCT_KEY, mac, "PASSCODE")
        dids = _at_once(
            stores, lambda store, worker, mac=mac, old=old: store.devices.replace(old, PRODUCT_KEY, mac, "OTHER")
        )
        assert len(set(dids)) == 1
        assert dids[0] != old


def test_reports_of_one_device_at_several_workers_are_all_in_its_state(stores):
    did = stores[0].devices.add(PRODUCT_KEY, "mac", "PASSCODE")
    for number in range(ROUNDS):
        _at_once(
            stores,
            lambda store, worker, number=number: device_state.report(store, did, {"%d.%d" % (number, worker): 1}, 1.0),
        )
    assert len(stores[0].devices.get(did).attrs) == WORKERS * ROUNDS
