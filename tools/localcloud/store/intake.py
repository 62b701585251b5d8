"""What devices sent, written in batches: record, state and, for a broker that sends twice, what was done.

A batch is one transaction: all of it is there or nothing, and a message that came before changes nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from .deliveries import Delivery, is_done
from .history import Message
from .leases import hold
from .tables import device_files, device_sessions, devices, messages


@dataclass(frozen=True)
class Upload:
    """A file that a device sent in place of a P0; its name cannot be guessed."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Report:
    """One message of a device; `attrs` is {} when it carries no state."""

    message: Message
    attrs: dict[str, Any]
    delivery: Delivery | None = None
    upload: Upload | None = None


@dataclass(frozen=True)
class Sender:
    """What is known of a device when its message comes in; `product_key` may be "", `ip` too."""

    product_key: str
    ip: str


class Intake:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def senders(self, dids: Iterable[str]) -> dict[str, Sender]:
        """Those of the dids that are devices."""
        query = (
            select(devices.c.did, devices.c.product_key, device_sessions.c.ip)
            .join_from(devices, device_sessions, devices.c.did == device_sessions.c.did, isouter=True)
            .where(devices.c.did.in_(sorted(set(dids))))
        )
        with self._engine.begin() as connection:
            return {did: Sender(product_key, ip or "") for did, product_key, ip in connection.execute(query)}

    def store(self, reports: list[Report]) -> list[bool]:
        """Writes a batch; of each report, whether this was its first time. NotHeldError: it is another worker's now."""
        with self._engine.begin() as connection:
            hold(connection, [report.delivery for report in reports])
            is_new = [not is_done(connection, report.delivery) for report in reports]
            fresh = [report for report, new in zip(reports, is_new, strict=True) if new]
            if fresh:
                connection.execute(messages.insert(), [vars(report.message) for report in fresh])
                _merge(connection, [report for report in fresh if report.attrs])
            files = [
                {"name": r.upload.name, "did": r.message.did, "at": r.message.at, "content": r.upload.content}
                for r in fresh
                if r.upload
            ]
            if files:
                connection.execute(device_files.insert(), files)
        return is_new

    def file(self, name: str) -> bytes | None:
        """The content of an upload."""
        with self._engine.begin() as connection:
            content = connection.execute(select(device_files.c.content).where(device_files.c.name == name)).scalar()
        return None if content is None else bytes(content)


def _merge(connection: Connection, reports: list[Report]) -> None:
    """Lays reported attributes over the latest states: a report of variable length carries only some."""
    if not reports:
        return
    dids = sorted({report.message.did for report in reports})
    # Held in one order, so that two workers never wait for each other.
    query = select(devices.c.did, devices.c.attrs, devices.c.attrs_at).where(devices.c.did.in_(dids))
    rows = connection.execute(query.order_by(devices.c.did).with_for_update())
    states = {did: (json.loads(text), at) for did, text, at in rows}
    for report in reports:
        known = states.get(report.message.did)
        # A message that lay with a dead worker may be older than what another one has stored meanwhile.
        if known is not None and report.message.at >= known[1]:
            states[report.message.did] = ({**known[0], **report.attrs}, report.message.at)
    for did, (attrs, at) in states.items():
        row = {"attrs": json.dumps(attrs, ensure_ascii=False), "attrs_at": at}
        connection.execute(update(devices).where(devices.c.did == did).values(**row))
