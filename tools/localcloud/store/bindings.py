"""Bindings: which user may see and control which device, and in which role. Open API manual, Binding Management."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, delete, select, update

from .devices import Device, device_of
from .tables import bindings, devices

SPECIAL = "special"
NORMAL = "normal"


@dataclass(frozen=True)
class Binding:
    role: str
    remark: str
    dev_alias: str
    device: Device


class Bindings:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def bind(self, uid: str, did: str, labels: dict[str, str]) -> None:
        """Binds, the first user of a device in the role special; binding again only changes the `labels` given."""
        with self._engine.begin() as connection:
            mine = (bindings.c.uid == uid) & (bindings.c.did == did)
            if connection.execute(select(bindings.c.id).where(mine)).first():
                if labels:
                    connection.execute(update(bindings).where(mine).values(**labels))
                return
            taken = connection.execute(select(bindings.c.id).where(bindings.c.did == did)).first()
            row = {"remark": "", "dev_alias": "", **labels}
            role = NORMAL if taken else SPECIAL
            connection.execute(bindings.insert().values(uid=uid, did=did, role=role, **row))

    def unbind(self, uid: str, did: str) -> bool:
        """False when there was no binding. The earliest user left takes over the role special."""
        with self._engine.begin() as connection:
            gone = connection.execute(delete(bindings).where(bindings.c.uid == uid, bindings.c.did == did)).rowcount > 0
            if gone:
                _promote(connection, did)
        return gone

    def get(self, uid: str, did: str) -> Binding | None:
        found = self._select(uid, bindings.c.did == did)
        return found[0] if found else None

    def of_user(self, uid: str, limit: int, skip: int) -> list[Binding]:
        """The user's bindings, the newest first."""
        return self._select(uid, limit=limit, skip=skip)

    def _select(self, uid: str, *conditions: ColumnElement[bool], limit: int = 1, skip: int = 0) -> list[Binding]:
        query = (
            select(devices, bindings.c.role, bindings.c.remark, bindings.c.dev_alias)
            .join_from(devices, bindings)
            .where(bindings.c.uid == uid, *conditions)
            .order_by(bindings.c.id.desc())
            .limit(limit)
            .offset(skip)
        )
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
        return [Binding(row.role, row.remark, row.dev_alias, device_of(row)) for row in rows]


def _promote(connection: Connection, did: str) -> None:
    left = connection.execute(
        select(bindings.c.id, bindings.c.role).where(bindings.c.did == did).order_by(bindings.c.id)
    ).all()
    if left and all(role != SPECIAL for _, role in left):
        connection.execute(update(bindings).where(bindings.c.id == left[0][0]).values(role=SPECIAL))
