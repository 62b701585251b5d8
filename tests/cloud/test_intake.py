"""Messages of devices on their way into the database: acked when they are stored, stored once, by who may."""

import asyncio
import contextlib

import pytest
from localcloud.events import LocalBus
from localcloud.intake import Incoming, Intake
from localcloud.store.deliveries import RING, Delivery, digest_of
from localcloud.store.history import Span
from localcloud.store.store import open_store
from localcloud.store.tables import messages
from sqlalchemy import text
from testkit import databases

from gagent import wire

SESSION, HOLDER = "localcloud-reports-1", "worker-1"
EVERYTHING = Span(0.0, 1e12, newest_first=False, skip=0, limit=100)


@pytest.fixture
def store(tmp_path):
    with contextlib.closing(open_store(databases.url_of(tmp_path))) as store:
        store.leases.claim(SESSION, HOLDER, 0.0, 1e12)
        yield store


class Way:
    """An intake, what it acked and what it told."""

    def __init__(self, store):
        self.store = store
        self.did = store.devices.add("a1" * 16, "mac", "passcode")
        self.acked = []
        self.told = []
        self.bus = LocalBus()
        self.bus.subscribe(self.told.append)
        self.intake = Intake(store.intake, lambda key: None, self.bus)

    def message(self, number, packet_id, again=False, holder=HOLDER, did=""):
        topic = "dev2app/" + (did or self.did)
        payload = wire.encode(wire.CLOUD_REPORT, b"\x06" + bytes((number,)))
        delivery = Delivery(SESSION, holder, packet_id, again, digest_of(topic, payload))
        return Incoming(topic, payload, float(number), delivery, lambda: self.acked.append(packet_id))

    def take(self, *incoming):
        async def run():
            for message in incoming:
                self.intake.receive(message)
            self.intake.stop()

        asyncio.run(run())

    @property
    def stored(self):
        return [
            wire.decode(bytes(message.payload)).p0[1]
            for message in self.store.history.messages(self.did, EVERYTHING)[1]
        ]


@pytest.fixture
def way(store):
    return Way(store)


def test_a_message_is_stored_acked_and_told(way):
    way.take(way.message(1, 10), way.message(2, 11))
    assert (way.stored, way.acked, len(way.told)) == ([1, 2], [10, 11], 2)


def test_a_message_that_comes_again_is_acked_and_nothing_else(way):
    way.take(way.message(1, 10))
    way.take(way.message(1, 10, again=True))
    assert (way.stored, way.acked, len(way.told)) == ([1], [10, 10], 1)


def test_a_message_that_was_not_stored_before_its_worker_died_is_stored_when_it_comes_again(way):
    way.take(way.message(1, 10), way.message(2, 11, again=True))
    assert way.stored == [1, 2]


def test_a_later_message_with_the_same_id_and_text_is_another_one(way):
    way.take(way.message(1, 10))
    # The ids between were used meanwhile: the last of them stands in the same place.
    way.take(way.message(2, 10 + RING))
    way.take(way.message(1, 10, again=True))
    assert sorted(way.stored) == [1, 1, 2]


def test_a_worker_whose_lease_is_gone_stores_nothing_and_acks_nothing(way):
    way.take(way.message(1, 10, holder="worker-2"))
    assert (way.stored, way.acked, way.told) == ([], [], [])


def test_what_cannot_be_stored_is_not_acked_and_tried_again(way):
    async def run():
        with way.store._engine.begin() as connection:
            connection.execute(text("ALTER TABLE messages RENAME TO hidden"))
        way.intake.receive(way.message(1, 10))
        way.intake._work()
        assert way.acked == []
        with way.store._engine.begin() as connection:
            connection.execute(text("ALTER TABLE hidden RENAME TO %s" % messages.name))
        way.intake.stop()

    asyncio.run(run())
    assert (way.stored, way.acked) == ([1], [10])


def test_a_message_of_no_device_is_dropped_and_acked(way):
    way.take(way.message(1, 10, did="Nobody0000000000000022"), way.message(2, 11))
    assert (way.stored, sorted(way.acked)) == ([2], [10, 11])


def test_a_drained_message_does_not_overwrite_a_newer_state(store):
    from localcloud.store.history import DEV2APP, Message
    from localcloud.store.intake import Report

    did = store.devices.add("a1" * 16, "mac", "passcode")
    for at, power in ((20.0, 1), (10.0, 0)):
        store.intake.store([Report(Message(did, at, DEV2APP, "", b""), {"power": power})])
    assert store.devices.get(did).attrs == {"power": 1}
    assert store.history.messages(did, EVERYTHING)[0] == 2


def test_a_lease_is_one_workers_until_it_runs_out(store):
    leases = store.leases
    assert leases.claim("s", "one", now=100.0, seconds=10.0)
    assert not leases.claim("s", "two", now=109.0, seconds=10.0)
    assert leases.renew("s", "one", now=109.0, seconds=10.0)
    assert [lease.session for lease in leases.expired("s", now=118.9)] == []
    assert [lease.holder for lease in leases.expired("s", now=119.0)] == ["one"]
    assert leases.claim("s", "two", now=119.0, seconds=10.0)
    assert not leases.renew("s", "one", now=119.0, seconds=10.0)
    leases.release("s", "two", now=120.0)
    assert leases.claim("s", "three", now=120.0, seconds=10.0)
