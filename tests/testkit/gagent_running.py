"""`gagent run` as a process beside a test's loop, which goes on while it is waited for; and the other subcommands."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .heard import until
from .patience import PATIENCE_S
from .processes_running import ENVIRONMENT


class GagentRunning:
    """`pid`; what it says on stderr is in `said`."""

    def __init__(self, folder: Path, process: subprocess.Popen) -> None:
        self._file = folder / "stderr"
        self._process = process
        self.pid = process.pid

    @property
    def said(self) -> str:
        return self._file.read_text()

    async def says(self, words: str, times: int = 1) -> None:
        await until(lambda: self.said.count(words) >= times, "it says %r" % words, lambda: self.said)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def stops(self) -> int:
        """Asks it to end; its exit code."""
        self.signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, PATIENCE_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def gagent_running(folder: Path, *arguments: object, **environment: str) -> Iterator[GagentRunning]:
    """`gagent run` with these arguments."""
    command = [sys.executable, "-m", "gagent_linux", "run", *map(str, arguments)]
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=stderr, cwd=folder, env={**ENVIRONMENT, **environment}
        )
    running = GagentRunning(folder, process)
    try:
        yield running
    finally:
        running.kill()


async def gagent(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Another subcommand, run to its end."""
    command = [sys.executable, "-m", "gagent_linux", *map(str, arguments)]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE_S * 2
    )


async def status_of(state: Path) -> dict[str, dict[str, Any]]:
    """Port -> what `gagent status --json` says of it, all processes in the directory together."""
    result = await gagent("status", "--state", state, "--json")
    processes = json.loads(result.stdout)["processes"]
    return {port["name"]: port for process in processes for port in process["ports"]}


def write_settings(path: Path, text: str, **ports: object) -> None:
    """A settings file: `text`, then a table for each port (name -> its path, or lines of the table)."""
    tables = ['[[port]]\nname = "%s"\n%s\n' % (n, t if "\n" in str(t) else 'port = "%s"' % t) for n, t in ports.items()]
    # As an editor does: at no time is there half a file.
    path.with_suffix(".new").write_text("%s\n%s" % (text, "".join(tables)))
    os.replace(path.with_suffix(".new"), path)
