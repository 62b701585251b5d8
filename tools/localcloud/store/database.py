"""Opening the database: its file, its mode, its version.

On SQLite the journal is a write-ahead log, so the `localcloud` command may add a product while the cloud runs. What is
deleted is overwritten there: a record that is gone must not be readable in the file.
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from .tables import SCHEMA_VERSION, metadata, schema_info

# Milliseconds. Another process writes for a few, and for seconds where the disk or the machine stands still; whoever
# waits longer has met a stuck one.
BUSY_TIMEOUT = 10000
# Any number: the lock under which one worker of several makes or upgrades the tables.
_UPGRADE_LOCK = 820114


class StoreError(Exception):
    """The database cannot be used: says which, why, and what to do."""


def open_database(url: str | URL) -> Engine:
    """The database behind a SQLAlchemy URL, its tables upgraded if older; StoreError when it cannot be used."""
    try:
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database:
            _create_private(Path(parsed.database))
        # A connection that the server has dropped, at its restart, is noticed before it is used.
        engine = create_engine(parsed, pool_pre_ping=not is_sqlite)
        if is_sqlite:
            event.listen(engine, "connect", _prepare_sqlite)
        _prepare_tables(engine)
    except (SQLAlchemyError, OSError, ImportError) as error:
        why = str(error).splitlines()[0]
        raise StoreError("database %s: %s" % (_shown(url), why)) from None
    return engine


def is_empty(connection: Connection) -> bool:
    """Whether nothing was ever stored there."""
    filled = (table for table in metadata.sorted_tables if table is not schema_info)
    return all(connection.execute(select(table).limit(1)).first() is None for table in filled)


def truncate_log(engine: Engine) -> None:
    """Takes what was deleted out of SQLite's log file too; other databases look after theirs."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _shown(url: str | URL) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "of the settings"


def _create_private(path: Path) -> None:
    # It holds passcodes and product secrets. SQLite gives its log files the mode of the database.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # A power cut may lose the last moments, never the file; a sync per report would wear a Raspberry Pi's card.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.execute("PRAGMA busy_timeout=%d" % BUSY_TIMEOUT)
    cursor.close()


def _prepare_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        if _version(connection) == SCHEMA_VERSION:
            return
    with engine.begin() as connection:
        _lock(connection)
        version = _version(connection)
        if version is None:
            metadata.create_all(connection)
            connection.execute(schema_info.insert().values(version=SCHEMA_VERSION))
        elif version < SCHEMA_VERSION:
            # Here: it takes a quarter of a second to import and is needed once in a database's life.
            from . import migrations

            migrations.upgrade(connection, version, SCHEMA_VERSION)
        elif version > SCHEMA_VERSION:
            raise StoreError(
                "database %s has tables of version %d, this localcloud knows them up to version %d: use the newer "
                "localcloud that made them, or another data directory"
                % (engine.url.render_as_string(hide_password=True), version, SCHEMA_VERSION)
            )


def _version(connection: Connection) -> int | None:
    """The version of the tables; None when there are none."""
    if not inspect(connection).has_table(schema_info.name):
        return None
    return connection.execute(select(schema_info.c.version)).scalar_one()


def _lock(connection: Connection) -> None:
    """Keeps other processes out until the transaction ends; what is half done when it fails is undone."""
    if connection.dialect.name == "sqlite":
        # Python's driver would begin only at the first change of data, after the tables were made.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
