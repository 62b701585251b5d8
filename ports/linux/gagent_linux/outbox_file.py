"""The outbox on disk: the reports of one port in one SQLite file in WAL mode, mode 0600.

One row a report, guarded by a CRC-32 over all of it: a commit is done when the disk has it, and is there as a whole or
not at all. The newest row stays, delivered or not: by it a report that the MCU sends again after a crash is known.

What is damaged is told of and set aside under another name, never deleted; what can be read of it is kept.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import crcmod.predefined

_crc = crcmod.predefined.mkCrcFun("crc-32")

# A report is some 100 bytes: with small pages a commit writes 2 KB instead of 8.
_PAGE_SIZE = 1024
_SCHEMA = """
CREATE TABLE IF NOT EXISTS report(
    seq INTEGER PRIMARY KEY, stored INTEGER NOT NULL, news INTEGER NOT NULL,
    topic BLOB NOT NULL, payload BLOB NOT NULL, crc INTEGER NOT NULL)
"""

_TYPES = (int, int, int, bytes, bytes, int)
_INSERT = "INSERT INTO report VALUES(?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM report WHERE seq = ?"
_DELETE_DELIVERED = "DELETE FROM report WHERE seq <= ? AND seq < (SELECT max(seq) FROM report)"


class OutboxError(Exception):
    """The disk does not take it, or does not give it back; the text names the file and the reason."""


class Report(NamedTuple):
    """One report on its way: `stored` at this second of the system's clock, `news` when an alert or fault changed."""

    seq: int
    stored: int
    news: int
    topic: str
    payload: bytes


class OutboxFile:
    """The file at `path`. One thread at a time may use it; every method but `close` may raise OutboxError.

    `damage` has a line for each file that was set aside.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.damage: list[str] = []
        self._connection: sqlite3.Connection | None = None

    def load(self) -> list[Report]:
        """The rows in order; none when there has never been a file."""
        with self._told():
            return self._load() if os.path.exists(self.path) else []

    def change(self, added: Iterable[Report], dropped: Iterable[int], delivered: int) -> None:
        """Keep `added`, forget `dropped` and all up to `delivered`: together or not at all, and safe from here on."""
        with self._told(), self._transaction() as connection:
            connection.executemany(_DELETE, [(seq,) for seq in dropped])
            connection.executemany(_INSERT, map(_row, added))
            connection.execute(_DELETE_DELIVERED, (delivered,))

    def rewrite(self, reports: Iterable[Report]) -> None:
        """Hold `reports` and nothing else."""
        rows = list(map(_row, reports))
        with self._told():
            try:
                self._replace(rows)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._set_aside(str(error), 0)
                self._replace(rows)

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    # Opening.

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise OutboxError("%s: %s" % (self.path, reason)) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = self._open()
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            # That rolls back, and after an error of the disk only a new connection is trusted.
            self.close()
            raise

    def _replace(self, rows: list[tuple]) -> None:
        with self._transaction() as connection:
            connection.execute("DELETE FROM report")
            connection.executemany(_INSERT, rows)

    def _open(self) -> sqlite3.Connection:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        # SQLite gives its other files the mode of this one.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # Opened in one thread and used in another, never in two at once.
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA page_size = %d" % _PAGE_SIZE)
            # Alone, a process needs no shared memory beside the file; a second one is refused.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            # After an outage the log shrinks again.
            connection.execute("PRAGMA journal_size_limit = 1048576")
            connection.execute(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    # Loading.

    def _load(self) -> list[Report]:
        found: list[Report] = []
        try:
            self._connection = self._open()
            reason = self._read(self._connection, found)
        except sqlite3.DatabaseError as error:
            # What is not the file's own fault (locked, no permission, a bad disk) is of this class.
            if isinstance(error, sqlite3.OperationalError):
                raise
            reason = str(error)
        if reason:
            self._set_aside(reason, len(found))
        return found

    def _read(self, connection: sqlite3.Connection, found: list[Report]) -> str:
        """Append what is good to `found`; what is wrong with the rest, or ""."""
        bad = 0
        for row in connection.execute("SELECT * FROM report ORDER BY seq"):
            report = _report(row)
            if report is None:
                bad += 1
            else:
                found.append(report)
        sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if bad:
            return "%d rows with a wrong checksum" % bad
        return "" if sound == "ok" else sound

    def _set_aside(self, reason: str, saved: int) -> None:
        self.close()
        number = 1
        while os.path.exists("%s.damaged-%d" % (self.path, number)):
            number += 1
        target = "%s.damaged-%d" % (self.path, number)
        os.rename(self.path, target)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.path + "-wal", target + "-wal")
        self.damage.append(
            "outbox %s is damaged (%s): set aside as %s; %d reports saved" % (self.path, reason, target, saved)
        )


def _row(report: Report) -> tuple:
    # As bytes: a row that is damaged must not trip over text that is none.
    row = (*report[:3], report.topic.encode("utf-8", "surrogatepass"), report.payload)
    return (*row, _checksum(row))


def _checksum(row: tuple) -> int:
    return _crc(b"%d %d %d %d\n%b%b" % (*row[:3], len(row[3]), row[3], row[4]))


def _report(row: tuple) -> Report | None:
    """None when the row is not as it was written."""
    if tuple(map(type, row)) != _TYPES or _checksum(row[:5]) != row[5]:
        return None
    seq, stored, news = row[:3]
    return Report(seq, stored, news, row[3].decode("utf-8", "surrogatepass"), row[4])
