"""The way in: what devices publish, from the broker to the database, the listeners and the ack.

    dev2app/<did>[/<client>] ─► decode ─► one transaction for all that came within 5 ms ─► ack ─► events

The ack goes to the broker after the commit: a worker that dies in between leaves the message with the broker, which
sends it again, and what was done already is recognised in the transaction. A message that cannot be stored is not
acked and tried again; from a broker that keeps nothing it is lost, and the log says so. Garbage is recorded as it came.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from gagent import topics, wire
from mcu_proto.datapoint import Schema
from mcu_proto.errors import RemoteError

from . import events, relay
from .events import Bus, Event
from .store.deliveries import Delivery
from .store.history import DEV2APP, Message
from .store.intake import Intake as IntakeStore
from .store.intake import Report, Upload
from .store.leases import NotHeldError

# A P0 that is longer is no state but a file of the MCU (cloud manual, device side, 4.9).
MAX_P0 = 2048
# Messages in one transaction: more would hold up requests for longer than a blink.
MAX_BATCH = 100
# So long a message waits for others to be stored with: a commit costs about as much for twenty as for one.
GATHER_TIME = 0.005
# Between two tries when the database is away.
RETRY_DELAY = 1.0

log = logging.getLogger("localcloud")


class Incoming(NamedTuple):
    """A message of a device; `at` is when it was sent, as far as that is known, `ack` is called when it is stored."""

    topic: str
    payload: bytes
    at: float
    delivery: Delivery | None = None
    ack: Callable[[], None] | None = None


class _Read(NamedTuple):
    report: Report
    event: Event | None


class Intake:
    """`schema` gives the datapoints of a product key."""

    def __init__(self, store: IntakeStore, schema: Callable[[str], Schema | None], bus: Bus) -> None:
        self._store = store
        self._schema = schema
        self._bus = bus
        self._waiting: list[Incoming] = []
        self._is_due = False

    def receive(self, message: Incoming) -> None:
        """Takes a message; it is stored in a moment."""
        self._waiting.append(message)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(GATHER_TIME, self._work)

    def stop(self) -> None:
        """Stores what has come in; nothing comes after."""
        while self._waiting and self._store_batch():
            continue

    def _work(self) -> None:
        loop = asyncio.get_running_loop()
        # `stop` may have been faster.
        stored = not self._waiting or self._store_batch()
        self._is_due = bool(self._waiting)
        if self._waiting:
            loop.call_later(0.0 if stored else RETRY_DELAY, self._work)

    def _store_batch(self) -> bool:
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        try:
            read = self._read(batch)
            is_new = self._store.store([item.report for item in read])
        except NotHeldError as error:
            # The broker gives them to the worker that holds the session now.
            log.warning("session %s was taken over: %d messages are left to the other worker", error, len(batch))
            return True
        except SQLAlchemyError as error:
            kept = [message for message in batch if message.delivery is not None]
            self._waiting = kept + self._waiting
            log.error(
                "%d messages of devices not stored, %d of them are tried again: %s",
                len(batch),
                len(kept),
                str(error).splitlines()[0],
            )
            return False
        for message in batch:
            if message.ack is not None:
                message.ack()
        for item, new in zip(read, is_new, strict=True):
            if new and item.event is not None:
                self._bus.publish(item.event)
        return True

    def _read(self, batch: list[Incoming]) -> list[_Read]:
        senders = self._store.senders(topics.parse(message.topic)[1] for message in batch)
        keys = {sender.product_key for sender in senders.values() if sender.product_key}
        schemas = {key: self._schema(key) for key in keys}
        read = []
        for message in batch:
            _, did, client = topics.parse(message.topic)
            sender = senders.get(did)
            if sender is None:
                # A broker that is not ours may let anybody publish.
                log.warning("a message of device %.32s, which does not exist, was dropped", did)
                continue
            record = Message(did, message.at, DEV2APP, sender.ip, message.payload)
            read.append(_read_one(record, client, schemas.get(sender.product_key), message.delivery))
        return read


def _read_one(record: Message, client: str, schema: Schema | None, delivery: Delivery | None) -> _Read:
    did, payload = record.did, record.payload
    try:
        envelope = wire.decode(payload)
    except RemoteError as error:
        log.warning("device %s sent what cannot be read: %s", did, error)
        return _Read(Report(record, {}, delivery), None)
    if envelope.cmd == wire.CLOUD_REPORT and len(envelope.p0) > MAX_P0:
        return _read_file(record, envelope.p0, delivery)
    event = Event(events.MESSAGE, did, {"payload": payload, "client": client or None})
    if envelope.cmd == wire.CLOUD_REPORT and not envelope.p0:
        # How a reference module says that its MCU answered a command: nobody waits for that.
        return _Read(Report(record, {}, delivery), None)
    try:
        attrs = relay.state_of(schema, payload) if schema else {}
    except RemoteError as error:
        log.warning("device %s sent what cannot be read: %s", did, error)
        attrs = {}
    return _Read(Report(record, attrs, delivery), event)


def _read_file(record: Message, content: bytes, delivery: Delivery | None) -> _Read:
    """An upload: the log keeps its head only, apps are not sent it."""
    name = secrets.token_hex(16)
    log.info("device %s uploaded a file of %d bytes", record.did, len(content))
    head = record.payload[: len(record.payload) - len(content)]
    logged = Message(**{**vars(record), "payload": head})
    event = Event(events.FILE, record.did, {"name": name, "size": len(content)})
    return _Read(Report(logged, {}, delivery, Upload(name, content)), event)
