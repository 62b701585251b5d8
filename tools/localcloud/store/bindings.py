"""Bindings: which user may see and control which device, and in which role. Open API manual, Binding Management.

    nobody ──bind, terms OPEN──► special ──claimed──► owner        the others: normal ──► guest
       └──bind, SHARED, CLAIMED──► owner                           after an owner nobody binds

A special user who leaves hands the role on to the earliest of the others; when an owner leaves, everybody is unbound.
Every change holds the row of the device, so that two workers never make two first users. The bindings of a device
that was reset stay and are hidden: they only tell that it was logged out.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, select, update

from .devices import Device, device_of
from .tables import bindings, devices, users

SPECIAL = "special"
OWNER = "owner"
NORMAL = "normal"
GUEST = "guest"

# On which terms a user binds: products without sharing; with it; with it and asking to be the owner.
OPEN = "open"
SHARED = "shared"
CLAIMED = "claimed"

# What became of it.
BOUND = "bound"
KEPT = "kept"
OWNED = "owned"
GONE = "gone"


@dataclass(frozen=True)
class Binding:
    """`bound_at` is 0 when it is not known."""

    uid: str
    role: str
    remark: str
    dev_alias: str
    dev_label: list[str]
    bound_at: float
    device: Device


class Bindings:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def bind(self, uid: str, did: str, labels: dict[str, Any], terms: str = OPEN) -> str:
        """BOUND; KEPT: was bound already, only the `labels` given changed; OWNED: by somebody else; GONE: no device."""
        with self._engine.begin() as connection:
            if not _hold(connection, did):
                return GONE
            roles = _roles(connection, did)
            if uid in roles:
                _label(connection, uid, did, labels)
                if terms == CLAIMED and roles[uid] == SPECIAL:
                    _make_owner(connection, uid, did)
                return KEPT
            if OWNER in roles.values():
                return OWNED
            first = SPECIAL if terms == OPEN else OWNER
            row = {"remark": "", "dev_alias": "", "dev_label": [], **labels}
            row["dev_label"] = json.dumps(row["dev_label"], ensure_ascii=False)
            role = NORMAL if roles else first
            connection.execute(bindings.insert().values(uid=uid, did=did, role=role, bound_at=time.time(), **row))
        return BOUND

    def unbind(self, uid: str, did: str) -> list[str]:
        """The users who are no longer bound: nobody, the user, or with an owner everybody."""
        with self._engine.begin() as connection:
            _hold(connection, did)
            roles = _roles(connection, did)
            if uid not in roles:
                return []
            leaving = list(roles) if roles[uid] == OWNER else [uid]
            connection.execute(delete(bindings).where(bindings.c.did == did, bindings.c.uid.in_(leaving)))
            staying = [other for other in roles if other not in leaving]
            if roles[uid] == SPECIAL and staying:
                _set_role(connection, staying[0], did, SPECIAL)
        return leaving

    def unbind_guest(self, uid: str, did: str) -> bool:
        """False when that user is no guest of the device."""
        with self._engine.begin() as connection:
            guest = delete(bindings).where(bindings.c.uid == uid, bindings.c.did == did, bindings.c.role == GUEST)
            return connection.execute(guest).rowcount > 0

    def label(self, uid: str, did: str, labels: dict[str, Any]) -> None:
        """Changes remark, dev_alias and dev_label as this user sees them."""
        with self._engine.begin() as connection:
            _label(connection, uid, did, labels)

    def get(self, uid: str, did: str) -> Binding | None:
        found = self._select(uid, bindings.c.did == did)
        return found[0] if found else None

    def of_user(self, uid: str, limit: int, skip: int) -> list[Binding]:
        """The user's devices in use, the newest first."""
        return self._select(uid, devices.c.is_disabled.is_(False), limit=limit, skip=skip)

    def of_user_with_disabled(self, uid: str, limit: int, skip: int) -> list[Binding]:
        """The same and, in their place, those that were logged out."""
        return self._select(uid, limit=limit, skip=skip)

    def dids_of(self, uid: str) -> list[str]:
        """Every device in use that the user may reach."""
        query = select(bindings.c.did).join(devices).where(bindings.c.uid == uid, devices.c.is_disabled.is_(False))
        with self._engine.begin() as connection:
            return list(connection.execute(query).scalars())

    def users_of(self, did: str) -> list[str]:
        """The users bound to a device, in use or not, the earliest first."""
        with self._engine.begin() as connection:
            return list(_roles(connection, did))

    def guests_of(self, did: str) -> list[tuple[Row[Any], float]]:
        """(the user's row, since when) of every guest, the earliest first."""
        query = (
            select(users, bindings.c.bound_at)
            .join_from(users, bindings)
            .where(bindings.c.did == did, bindings.c.role == GUEST)
            .order_by(bindings.c.id)
        )
        with self._engine.begin() as connection:
            return [(row, row.bound_at) for row in connection.execute(query)]

    def _select(self, uid: str, *conditions: ColumnElement[bool], limit: int = 1, skip: int = 0) -> list[Binding]:
        columns = (bindings.c.role, bindings.c.remark, bindings.c.dev_alias, bindings.c.dev_label, bindings.c.bound_at)
        query = (
            select(devices, *columns)
            .join_from(devices, bindings)
            .where(bindings.c.uid == uid, *conditions)
            .order_by(bindings.c.id.desc())
            .limit(limit)
            .offset(skip)
        )
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
        return [
            Binding(uid, row.role, row.remark, row.dev_alias, json.loads(row.dev_label), row.bound_at, device_of(row))
            for row in rows
        ]


def _hold(connection: Connection, did: str) -> bool:
    """Until the end of the transaction nobody else changes who is bound. False when no such device is in use."""
    # A write that writes what is there: SQLite locks with a write only, and has no SELECT … FOR UPDATE.
    row = update(devices).where(devices.c.did == did).values(is_disabled=devices.c.is_disabled)
    return connection.execute(row.returning(devices.c.is_disabled)).scalar() is False


def _roles(connection: Connection, did: str) -> dict[str, str]:
    """uid -> role, the earliest first."""
    query = select(bindings.c.uid, bindings.c.role).where(bindings.c.did == did).order_by(bindings.c.id)
    return {row.uid: row.role for row in connection.execute(query)}


def _label(connection: Connection, uid: str, did: str, labels: dict[str, Any]) -> None:
    if "dev_label" in labels:
        labels = {**labels, "dev_label": json.dumps(labels["dev_label"], ensure_ascii=False)}
    if labels:
        mine = (bindings.c.uid == uid) & (bindings.c.did == did)
        connection.execute(update(bindings).where(mine).values(**labels))


def _make_owner(connection: Connection, uid: str, did: str) -> None:
    connection.execute(update(bindings).where(bindings.c.did == did).values(role=GUEST))
    _set_role(connection, uid, did, OWNER)


def _set_role(connection: Connection, uid: str, did: str, role: str) -> None:
    mine = (bindings.c.uid == uid) & (bindings.c.did == did)
    connection.execute(update(bindings).where(mine).values(role=role))
