"""What happened: the messages of a device and its coming and going, kept for the days of the settings."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Table, func, select

from .tables import messages, presence

DEV2APP = "dev2app"
APP2DEV = "app2dev"

ONLINE = "dev_online"
RE_ONLINE = "dev_re_online"
OFFLINE = "dev_offline"


@dataclass(frozen=True)
class Message:
    """One envelope; `source`, `uid` and `app_id` only in those sent by an app."""

    did: str
    at: float
    type: str
    ip: str
    payload: bytes
    source: str | None = None
    uid: str | None = None
    app_id: str | None = None


@dataclass(frozen=True)
class Presence:
    """One change; `keep_alive` (seconds) of a login, `duration` (seconds) and `reason` of the end of a session."""

    did: str
    at: float
    type: str
    ip: str
    keep_alive: int | None = None
    duration: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Span:
    """Which rows: after `start` up to and including `end` (Unix seconds), and the page of them."""

    start: float
    end: float
    newest_first: bool
    skip: int
    limit: int


class History:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add_message(self, message: Message) -> None:
        self._insert(messages, vars(message))

    def add_presence(self, change: Presence) -> None:
        self._insert(presence, vars(change))

    def messages(self, did: str, span: Span) -> tuple[int, list[Message]]:
        """(how many there are in the span, the page of them)."""
        total, rows = self._page(messages, did, span)
        return total, [Message(**row) for row in rows]

    def presence(self, did: str, span: Span) -> tuple[int, list[Presence]]:
        """(how many there are in the span, the page of them)."""
        total, rows = self._page(presence, did, span)
        return total, [Presence(**row) for row in rows]

    def _insert(self, table: Table, row: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            connection.execute(table.insert().values(**row))

    def _page(self, table: Table, did: str, span: Span) -> tuple[int, list[dict[str, Any]]]:
        inside = (table.c.did == did) & (table.c.at > span.start) & (table.c.at <= span.end)
        order = [column.desc() if span.newest_first else column.asc() for column in (table.c.at, table.c.id)]
        columns = [column for column in table.c if column is not table.c.id]
        page = select(*columns).where(inside).order_by(*order).limit(span.limit).offset(span.skip)
        with self._engine.begin() as connection:
            total = connection.execute(select(func.count()).select_from(table).where(inside)).scalar_one()
            rows = [row._asdict() for row in connection.execute(page)]
        return total, rows
