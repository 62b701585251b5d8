"""The whole cloud in one file, and back: a zip with every table as lines of JSON, and the certificate.

    backup.json           {"format": 1, "version": of the tables, "tables": {name: rows}}
    tables/<name>.jsonl   one row per line; bytes as {"hex": "…"}
    files/<path>          what lies beside the database and cannot be made again: the certificate authority, and the
                          key that signs firmware

It is read in one transaction, so it shows one moment of a cloud that runs, and it goes from any database to any other.
A file is complete or not there. It holds passcodes and secrets: only its owner can read it.
"""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Connection, Engine, Integer, Table, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from .database import StoreError, is_empty
from .tables import SCHEMA_VERSION, metadata, schema_info

FORMAT = 1
# Beside the database, in its data directory.
FILES = ("tls", "firmware-signing.key")
_HEAD = "backup.json"
# Of firmware, that is 13 MB.
_PORTION = 200
# Sessions of this moment: they mean nothing to the cloud that is restored.
_PASSING = {"device_sessions", "app_sessions", "leases", "deliveries", "schema_info"}


def write_backup(engine: Engine, data_dir: Path, path: Path) -> dict[str, int]:
    """Writes the file and returns table -> rows; StoreError when it cannot be written."""
    part = path.with_name(path.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                counts = _write_tables(engine, archive)
                _write_files(data_dir, archive)
                head = {"format": FORMAT, "version": SCHEMA_VERSION, "tables": counts}
                archive.writestr(_HEAD, json.dumps(head))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError("backup %s: %s" % (path, error.strerror or error)) from None
    return counts


def restore_backup(engine: Engine, data_dir: Path, path: Path) -> dict[str, int]:
    """Fills an empty database from the file, all of it or nothing, and returns table -> rows; StoreError otherwise."""
    try:
        with zipfile.ZipFile(path) as archive:
            head = _read_head(archive, path)
            _check_files(data_dir, archive)
            with engine.begin() as connection:
                if not is_empty(connection):
                    raise StoreError(
                        "the database is not empty: restore into a new data directory (--data) or database"
                    )
                for table in _tables():
                    if table.name in head["tables"]:
                        _read_table(connection, table, archive)
            _read_files(data_dir, archive)
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, SQLAlchemyError) as error:
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise StoreError("backup %s cannot be restored: %s" % (path, why)) from None
    return dict(head["tables"])


def as_json(row: dict[str, Any]) -> str:
    """One line: bytes as {"hex": "…"}."""
    return json.dumps(row, default=_as_hex, ensure_ascii=False)


def _tables() -> list[Table]:
    """Those first that others point to."""
    return [table for table in metadata.sorted_tables if table.name not in _PASSING and table is not schema_info]


def _write_tables(engine: Engine, archive: zipfile.ZipFile) -> dict[str, int]:
    # One view of the whole database; SQLite's log gives it to every transaction that reads.
    options = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    counts = {}
    with engine.connect().execution_options(**options) as connection:
        if engine.dialect.name == "sqlite":
            # Python's driver begins a transaction only at the first change.
            connection.exec_driver_sql("BEGIN")
        for table in _tables():
            counts[table.name] = 0
            query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=_PORTION)
            with archive.open("tables/%s.jsonl" % table.name, "w") as file:
                for row in connection.execute(query).mappings():
                    file.write(as_json(dict(row)).encode() + b"\n")
                    counts[table.name] += 1
    return counts


def _write_files(data_dir: Path, archive: zipfile.ZipFile) -> None:
    for name in FILES:
        for path in (data_dir / name, *sorted((data_dir / name).rglob("*"))):
            if path.is_file():
                archive.write(path, "files/%s" % path.relative_to(data_dir).as_posix())


def _read_head(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    try:
        head: dict[str, Any] = json.loads(archive.read(_HEAD))
        made_by = (head["format"], head["version"])
    except (KeyError, TypeError, ValueError):
        raise StoreError("%s is no backup of a localcloud" % path) from None
    if made_by != (FORMAT, SCHEMA_VERSION):
        raise StoreError(
            "backup %s has tables of version %s, this localcloud restores version %d: restore it with the localcloud "
            "that made it, then let this one open the database: it upgrades it" % (path, made_by[1], SCHEMA_VERSION)
        )
    return head


def _read_table(connection: Connection, table: Table, archive: zipfile.ZipFile) -> None:
    with archive.open("tables/%s.jsonl" % table.name) as file:
        for portion in _portions(json.loads(line, object_hook=_from_hex) for line in file):
            connection.execute(insert(table), portion)
    key = next(iter(table.primary_key.columns))
    if connection.dialect.name == "postgresql" and isinstance(key.type, Integer) and key.name == "id":
        # The next row must not get a number that came with the backup.
        last = select(func.coalesce(func.max(key), 1)).scalar_subquery()
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), last)))


def _portions(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    portion: list[dict[str, Any]] = []
    for row in rows:
        portion.append(row)
        if len(portion) == _PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _files(archive: zipfile.ZipFile, data_dir: Path) -> Iterator[tuple[str, Path]]:
    """What is in the file beside the tables, and where it goes."""
    for name in archive.namelist():
        parts = PurePosixPath(name).parts
        # Only where they came from: a file of somebody else's making could name any place.
        if len(parts) > 1 and parts[0] == "files" and ".." not in parts and parts[1] in FILES:
            yield name, data_dir.joinpath(*parts[1:])


def _check_files(data_dir: Path, archive: zipfile.ZipFile) -> None:
    for name, target in _files(archive, data_dir):
        if target.exists() and target.read_bytes() != archive.read(name):
            raise StoreError("%s is there already and is another one: restore into a new data directory" % target)


def _read_files(data_dir: Path, archive: zipfile.ZipFile) -> None:
    for name, target in _files(archive, data_dir):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(archive.read(name))


def _as_hex(value: Any) -> dict[str, str]:
    if isinstance(value, (bytes, memoryview)):
        return {"hex": bytes(value).hex()}
    raise TypeError("a column holds %s, which a backup cannot" % type(value).__name__)


def _from_hex(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["hex"]) if list(value) == ["hex"] else value
