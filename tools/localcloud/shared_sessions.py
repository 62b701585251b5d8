"""One worker among several on a broker that they share: its session there, and those that dead workers left.

Every worker has a session that the broker keeps, with the reports of devices shared among all of them
($share/localcloud/…), and a lease on it in the database. Sessions of two kinds:

    localcloud-reports-…    one for each worker       reports and what devices ask the service
    localcloud-presence     one, held by one worker   who comes and goes

        claimed ──renewed in time──► claimed          a session without a worker is drained by one that lives:
           └──lease runs out──► anybody's             unsubscribed, its last messages worked off, removed

A worker that stops gives its lease back; a new one begins with a session of its own and drains what it finds. A worker
that was only asleep finds that its lease is gone, and that it may not store what it still had: the
lease is looked at in the transaction of every batch.
"""

import asyncio
import contextlib
import functools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from .broker import BrokerError
from .intake import Incoming
from .mqtt import CloudMqtt, Received
from .store.deliveries import Delivery, digest_of
from .store.leases import Lease
from .store.store import Store

LEASE_S = 10.0
_REPORTS = "localcloud-reports-"
_PRESENCE = "localcloud-presence"
_MARK = "localcloud/drain/"
# A dead worker's session holds what came while nobody had noticed: seconds' worth.
_DRAIN_TIMEOUT_S = 60

log = logging.getLogger("localcloud")

Connect = Callable[[CloudMqtt, str], Awaitable[None]]
Take = Callable[[Incoming], None]


class Work(NamedTuple):
    """What the sessions are for. `reports` and `presence` take messages; `left` gets a dead worker's name."""

    report_filters: tuple[str, ...]
    presence_filters: tuple[str, ...]
    reports: Take
    presence: Take
    left: Callable[[str], None]


class SharedSessions:
    """`connect(mqtt, client_id)` starts a session with that name on the broker."""

    def __init__(self, store: Store, holder: str, connect: Connect, work: Work, lease_s: float = LEASE_S) -> None:
        self._store = store
        self._holder = holder
        self._connect = connect
        self._work = work
        self._lease_s = lease_s
        self._held: dict[str, CloudMqtt] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._drains: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Returns when this worker gets its share of the reports; BrokerError when the broker does not let it."""
        await self._open_reports()
        self._keeper = asyncio.create_task(self._keep(), name="leases")

    async def stop(self) -> None:
        """Leaves the sessions to whoever comes next."""
        for task in (*self._drains.values(), self._keeper):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        for session, mqtt in self._held.items():
            await mqtt.stop()
            with contextlib.suppress(SQLAlchemyError):
                self._store.leases.release(session, self._holder, time.time())
        self._held.clear()

    async def _open_reports(self) -> None:
        session = _REPORTS + secrets.token_hex(8)
        self._claim(session)
        await self._open(session, self._work.report_filters, self._work.reports)

    def _claim(self, session: str) -> bool:
        return self._store.leases.claim(session, self._holder, time.time(), self._lease_s)

    async def _open(self, session: str, filters: tuple[str, ...], take: Take) -> None:
        mqtt = CloudMqtt(
            lambda message: take(self._incoming(session, message, mqtt)),
            filters,
            qos=1,
            on_new=lambda: self._store.deliveries.forget(session),
            may_connect=lambda: self._renew(session),
        )
        self._held[session] = mqtt
        await self._connect(mqtt, session)

    def _incoming(self, session: str, message: Received, mqtt: CloudMqtt, at: float | None = None) -> Incoming:
        topic, payload, packet_id, again = message
        if not packet_id:
            log.warning("the broker delivers with QoS 0, so messages can be lost: see its settings in the README")
            return Incoming(topic, payload, time.time())
        delivery = Delivery(session, self._holder, packet_id, again, digest_of(topic, payload))
        return Incoming(topic, payload, time.time() if at is None else at, delivery, lambda: mqtt.ack(packet_id))

    def _renew(self, session: str) -> bool:
        try:
            return self._store.leases.renew(session, self._holder, time.time(), self._lease_s)
        except SQLAlchemyError as error:
            log.error("the lease of session %s is not renewed: %s", session, str(error).splitlines()[0])
            return False

    async def _keep(self) -> None:
        while True:
            try:
                await self._look_round()
            except (SQLAlchemyError, BrokerError) as error:
                log.error("the sessions of the workers: %s", str(error).splitlines()[0])
            await asyncio.sleep(self._lease_s / 4)

    async def _look_round(self) -> None:
        for session in list(self._held):
            if not self._store.leases.renew(session, self._holder, time.time(), self._lease_s):
                log.warning("session %s was taken over by another worker", session)
                await self._held.pop(session).stop()
        if not any(session.startswith(_REPORTS) for session in self._held):
            await self._open_reports()
        if self._work.presence_filters and _PRESENCE not in self._held and self._claim(_PRESENCE):
            await self._open(_PRESENCE, self._work.presence_filters, self._work.presence)
        for lease in self._store.leases.expired(_REPORTS, time.time()):
            if lease.session not in self._held and lease.session not in self._drains and self._claim(lease.session):
                task = asyncio.create_task(self._drain(lease), name="drain " + lease.session)
                self._drains[lease.session] = task
                task.add_done_callback(functools.partial(self._drained, lease.session))

    def _drained(self, session: str, task: "asyncio.Task[None]") -> None:
        del self._drains[session]
        if not task.cancelled() and task.exception() is not None:
            log.error("session %s is not drained: %r; it is tried again", session, task.exception())

    async def _drain(self, lease: Lease) -> None:
        """Works off what a dead worker left, and removes its session."""
        session, mark = lease.session, _MARK + lease.session
        log.warning("a worker is gone: its session %s is drained", session)
        self._work.left(lease.holder)
        left: set[int] = set()
        is_marked, is_empty = False, asyncio.Event()

        def receive(message: Received) -> None:
            nonlocal is_marked
            if message.topic == mark:
                is_marked = True
                mqtt.ack(message.packet_id)
            else:
                left.add(message.packet_id)
                # When it was sent is not known: about when the worker was last heard of.
                incoming = self._incoming(session, message, mqtt, at=lease.expires_at)
                self._work.reports(incoming._replace(ack=lambda: done(message.packet_id)))
            check()

        def done(packet_id: int) -> None:
            mqtt.ack(packet_id)
            left.discard(packet_id)
            check()

        def check() -> None:
            if is_marked and not left:
                is_empty.set()

        mqtt = CloudMqtt(
            receive,
            (mark,),
            qos=1,
            on_new=lambda: self._store.deliveries.forget(session),
            may_connect=lambda: self._renew(session),
            unwanted=self._work.report_filters,
        )
        try:
            await self._connect(mqtt, session)
            # Nothing is added to the session any more, so everything in it comes before this.
            mqtt.publish(mark, b"", qos=1)
            async with asyncio.timeout(_DRAIN_TIMEOUT_S):
                while not is_empty.is_set():
                    self._renew(session)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(is_empty.wait(), self._lease_s / 4)
        except (TimeoutError, BrokerError) as error:
            log.error("session %s is not drained: %s; it is tried again", session, error or "it does not end")
            return
        finally:
            await mqtt.stop()
        await self._remove(session)
        log.info("session %s is drained and removed", session)

    async def _remove(self, session: str) -> None:
        # A session that is not to be kept replaces the one that was.
        mqtt = CloudMqtt(lambda message: None, ())
        await self._connect(mqtt, session)
        await mqtt.stop()
        self._store.deliveries.forget(session)
        self._store.leases.remove(session, self._holder)
