"""Opening the database: its file, its mode, its version.

On SQLite the journal is a write-ahead log, so the `localcloud` command may add a product while the cloud runs.
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from .tables import SCHEMA_VERSION, metadata, schema_info

# Another process writes for milliseconds at most; whoever waits longer has met a stuck one.
BUSY_TIMEOUT = 2000


class StoreError(Exception):
    """The database cannot be used: says which, why, and what to do."""


def open_database(url: str | URL) -> Engine:
    """The database behind a SQLAlchemy URL, with its tables; StoreError when it cannot be used."""
    try:
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database:
            _create_private(Path(parsed.database))
        engine = create_engine(parsed)
        if is_sqlite:
            event.listen(engine, "connect", _prepare_sqlite)
        _prepare_tables(engine)
    except (SQLAlchemyError, OSError, ImportError) as error:
        why = str(error).splitlines()[0]
        raise StoreError("database %s: %s" % (_shown(url), why)) from None
    return engine


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
    cursor.execute("PRAGMA busy_timeout=%d" % BUSY_TIMEOUT)
    cursor.close()


def _prepare_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        if not inspect(connection).has_table(schema_info.name):
            metadata.create_all(connection)
            connection.execute(schema_info.insert().values(version=SCHEMA_VERSION))
        version = connection.execute(select(schema_info.c.version)).scalar()
    if version != SCHEMA_VERSION:
        raise StoreError(
            "database %s has tables of version %s, this localcloud needs version %d: use the localcloud that made it, "
            "or another data directory" % (engine.url.render_as_string(hide_password=True), version, SCHEMA_VERSION)
        )
