"""When a packet may go out to a device, without a broker."""

import asyncio
import time

import pytest
from localcloud import presence
from localcloud.accounts import Accounts
from localcloud.errors import DEVICE_OFFLINE, REQUEST_THROTTLED, ApiError
from localcloud.events import LocalBus
from localcloud.presence import Sessions
from localcloud.store.store import open_store
from testkit.patience import PATIENCE_S

DID = "WCWGkbS4Ttynzwx9brzpEa"


@pytest.fixture
def store(tmp_path):
    store = open_store("sqlite:///%s" % (tmp_path / "cloud.db"))
    yield store
    store.close()


def _sessions(store, **limits) -> Sessions:
    limits = {"subscribe_timeout": PATIENCE_S, **limits}
    return Sessions(store.device_sessions, Accounts(store, adopt=True), LocalBus(), **limits)


def _connect(sessions: Sessions, again: bool = False) -> None:
    sessions.device_connected(DID, keepalive_s=120, ip="10.0.0.1", again=again)


async def _code(waiting) -> int:
    with pytest.raises(ApiError) as refused:
        await waiting
    return refused.value.code


def test_a_command_waits_until_the_device_listens(store):
    async def scene():
        sessions = _sessions(store)
        _connect(sessions)
        turn = asyncio.create_task(sessions.wait_turn(DID))
        await asyncio.sleep(0)
        sessions.device_subscribed(DID, "ser2cli_res/" + DID)
        await asyncio.sleep(0)
        assert not turn.done()
        sessions.device_subscribed(DID, "app2dev/%s/#" % DID)
        await asyncio.wait_for(turn, PATIENCE_S)

    asyncio.run(scene())


def test_a_device_that_never_listens_counts_as_offline(store):
    async def scene():
        sessions = _sessions(store, subscribe_timeout=0.01)
        _connect(sessions)
        assert await _code(sessions.wait_turn(DID)) == DEVICE_OFFLINE

    asyncio.run(scene())


def test_a_device_that_leaves_while_a_command_waits_counts_as_offline(store):
    async def scene():
        sessions = _sessions(store)
        _connect(sessions)
        turn = asyncio.create_task(_code(sessions.wait_turn(DID)))
        await asyncio.sleep(0)
        sessions.device_disconnected(DID, "tcp_closed")
        assert await asyncio.wait_for(turn, PATIENCE_S) == DEVICE_OFFLINE

    asyncio.run(scene())


def test_a_command_for_an_older_session_is_not_sent_into_the_new_one(store):
    async def scene():
        sessions = _sessions(store)
        _connect(sessions)
        turn = asyncio.create_task(_code(sessions.wait_turn(DID)))
        await asyncio.sleep(0)
        _connect(sessions, again=True)
        assert await asyncio.wait_for(turn, PATIENCE_S) == DEVICE_OFFLINE
        assert sessions.is_online(DID)

    asyncio.run(scene())


def test_who_sends_more_than_a_device_can_take_is_throttled(store, monkeypatch):
    # Longer than any command waits: however slow this machine is, the second is one too many.
    monkeypatch.setattr(presence, "PACKET_GAP", PATIENCE_S)

    async def scene():
        sessions = _sessions(store, max_wait=0.3)
        _connect(sessions)
        sessions.device_subscribed(DID, "app2dev/%s/#" % DID)
        codes = await asyncio.gather(*(_outcome(sessions) for _ in range(20)))
        assert codes == [None] + 19 * [REQUEST_THROTTLED]

    async def _outcome(sessions):
        try:
            return await sessions.wait_turn(DID)
        except ApiError as error:
            return error.code

    asyncio.run(scene())


def test_a_packet_that_went_out_late_keeps_the_next_one_waiting(store, monkeypatch):
    """Its turn was long ago: the thread was held up."""

    async def scene():
        sessions = _sessions(store)
        _connect(sessions)
        sessions.device_subscribed(DID, "app2dev/%s/#" % DID)
        monkeypatch.setattr(presence, "PACKET_GAP", 0)
        await sessions.wait_turn(DID)
        monkeypatch.setattr(presence, "PACKET_GAP", gap)
        sent_at = time.monotonic()
        sessions.sent(DID)
        await sessions.wait_turn(DID)
        assert time.monotonic() - sent_at >= gap

    gap = presence.PACKET_GAP
    asyncio.run(scene())


def test_an_end_of_a_session_that_never_was_is_ignored(store):
    sessions = _sessions(store)
    sessions.device_disconnected(DID, "tcp_closed")
    assert store.device_sessions.all() == []
