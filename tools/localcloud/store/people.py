"""Everything that is stored about one person: taken out, or gone. For whoever answers for the data of others.

A table with a column `uid` is about people; one that comes later is found by it. Records of a device are about
those who are bound to it: they belong to a person who is the only one.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, delete, false, or_, select, update

from .bindings import Bindings
from .database import truncate_log
from .tables import bindings, codes, device_files, devices, messages, metadata, presence, sent_codes, tokens
from .users import User

# Proof of who somebody is: of no use to the person, and of use to a thief.
_LEFT_OUT = {"password_hash", "token_hash", "code_hash", "code", "text", "passcode"}
_OF_DEVICES = (messages, presence, device_files)
_PORTION = 1000


class People:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def export(self, user: User) -> Iterator[tuple[str, dict[str, Any]]]:
        """(table, row) of everything, row by row; it holds a connection until its end."""
        with self._engine.begin() as connection:
            for table, query in _queries(user):
                for row in connection.execute(query.execution_options(yield_per=_PORTION)).mappings():
                    yield table.name, {name: value for name, value in row.items() if name not in _LEFT_OUT}

    def count(self, user: User) -> dict[str, int]:
        """How many rows of each table `erase` would take."""
        counts: dict[str, int] = {}
        for table, _ in self.export(user):
            counts[table] = counts.get(table, 0) + 1
        return counts

    def erase(self, user: User) -> None:
        """All of it is gone. Other users of a shared device keep it; one of them takes over what a role gave."""
        with self._engine.begin() as connection:
            # No session can add to it while it goes.
            connection.execute(delete(tokens).where(tokens.c.uid == user.uid))
            shared = _dids(connection, select(bindings.c.did).where(bindings.c.uid == user.uid))
            alone = _dids(connection, _alone(user.uid))
        for did in shared:
            Bindings(self._engine).unbind(user.uid, did)
        with self._engine.begin() as connection:
            for did in alone:
                for table in _OF_DEVICES:
                    connection.execute(delete(table).where(table.c.did == did))
                connection.execute(update(devices).where(devices.c.did == did).values(attrs="{}", attrs_at=0.0))
            for address in filter(None, (user.phone, user.email)):
                connection.execute(delete(codes).where(codes.c.subject == address))
                connection.execute(delete(sent_codes).where(sent_codes.c.address == address))
            for table in reversed(_about_people()):
                connection.execute(delete(table).where(table.c.uid == user.uid))
        truncate_log(self._engine)


def _queries(user: User) -> list[tuple[Table, Select[Any]]]:
    addresses = [address for address in (user.phone, user.email) if address]
    alone = _alone(user.uid)
    rows = {table: table.c.uid == user.uid for table in _about_people()}
    rows[sent_codes] = sent_codes.c.address.in_(addresses)
    rows[devices] = devices.c.did.in_(alone)
    for table in _OF_DEVICES:
        rows[table] = or_(rows.get(table, false()), table.c.did.in_(alone))
    return [(table, select(table).where(which).order_by(*table.primary_key.columns)) for table, which in rows.items()]


def _about_people() -> list[Table]:
    """The tables with a uid, those first that others point to."""
    return [table for table in metadata.sorted_tables if "uid" in table.c]


def _alone(uid: str) -> Select[Any]:
    """The dids of devices that this user is bound to and nobody else."""
    others = select(bindings.c.did).where(bindings.c.uid != uid)
    return select(bindings.c.did).where(bindings.c.uid == uid, bindings.c.did.not_in(others))


def _dids(connection: Connection, query: Select[Any]) -> list[str]:
    return list(connection.execute(query).scalars())
