"""Which database the cloud's tests run on: SQLite, or with CLOUD_DATABASE=postgresql a server of their own.

The cloud's `conftest.py` starts that server and says here where it is; `make test` runs the cloud's tests both ways.
"""

import os
from pathlib import Path

from .postgresql_running import Postgresql

CHOICE = "CLOUD_DATABASE"
_FOLDER = "CLOUD_DATABASE_FOLDER"


def is_postgresql() -> bool:
    """Whether this run is the one on PostgreSQL."""
    return os.environ.get(CHOICE) == "postgresql"


def use(server: Postgresql) -> None:
    """From now on databases are made there, also by processes that this one starts."""
    os.environ[_FOLDER] = str(server.folder)


def url_of(folder: Path) -> str:
    """The database of a data directory."""
    if is_postgresql() and _FOLDER in os.environ:
        return Postgresql(Path(os.environ[_FOLDER])).url(folder)
    return "sqlite:///%s" % (folder / "cloud.db")
