"""A PostgreSQL of the tests' own: made in a directory of its own, reached by a socket in it, gone afterwards.

It refuses to run as root; root runs it as the user `postgres` that comes with Debian's package. It forgets what a power
cut would leave behind, which makes it quick.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from . import parts
from .patience import PATIENCE_S

_SUPERUSER = "postgres"
_QUICK = ("fsync", "synchronous_commit", "full_page_writes")


class Postgresql:
    """One server; `folder` has its socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Make the database cluster, run the server and wait until it accepts."""
        data = self.folder / "data"
        self._run("initdb", "-D", str(data), "-U", _SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = ["listen_addresses=", "unix_socket_directories=%s" % self.folder, "max_connections=200"]
        settings += ["%s=off" % name for name in _QUICK]
        options = [part for setting in settings for part in ("-c", setting)]
        with (self.folder / "log").open("wb") as log:
            self._process = self._begin("postgres", "-D", str(data), *options, stdout=log, stderr=log)
        self._wait()

    def stop(self) -> None:
        """End it without waiting for those who are connected."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)

    def url(self, folder: Path) -> str:
        """The URL of the database that belongs to a data directory: always the same one, empty at first."""
        schema = "t" + hashlib.sha256(str(folder).encode()).hexdigest()[:24]
        with self._connect() as connection:
            connection.execute('CREATE SCHEMA IF NOT EXISTS "%s"' % schema)
        return "postgresql+psycopg://%s@/postgres?host=%s&options=-csearch_path%%3D%s" % (
            _SUPERUSER,
            self.folder,
            schema,
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            with contextlib.suppress(psycopg.OperationalError), self._connect():
                return
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL does not accept: %s" % (self.folder / "log").read_text(errors="replace"))

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self.folder), user=_SUPERUSER, dbname="postgres", autocommit=True)

    def _run(self, *command: str) -> None:
        process = self._begin(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate(timeout=PATIENCE_S)
        if process.returncode:
            raise RuntimeError("%s: %s" % (command[0], output.decode(errors="replace")))

    def _begin(self, name: str, *args: str, **pipes: Any) -> subprocess.Popen:
        command = parts.find(name)
        if command is None:
            raise RuntimeError(parts.missing("postgresql"))
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = {"user": _SUPERUSER, "group": _SUPERUSER, "extra_groups": []}
        return subprocess.Popen([command, *args], cwd=self.folder, **user, **pipes)


@contextlib.contextmanager
def postgresql_running() -> Iterator[Postgresql]:
    """A server that is new and empty."""
    # Not pytest's directory: only the owner may enter that, and the path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if os.geteuid() == 0:
        owner = pwd.getpwnam(_SUPERUSER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = Postgresql(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
