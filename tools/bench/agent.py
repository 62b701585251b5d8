"""A `gagent run` process, and what the kernel says of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from broker import end
from errors import BenchError
from mcu import PATIENCE_S, Mcu, serve

# When a report is safe enough for its ack, as the settings call it: on disk; in memory while the cloud is there.
ALWAYS = "always"
OFFLINE = "offline"

# As an installed program runs: what was compiled once is kept, even where a developer's shell says otherwise.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Memory(NamedTuple):
    """Physical memory in MB."""

    resident: float  # shared pages counted in full
    proportional: float  # shared pages divided among the processes that share them


class AgentProcess:
    """`started_at` is the time (ns) just before the process was made."""

    def __init__(self, process: subprocess.Popen, started_at: int, log: Path) -> None:
        self.started_at = started_at
        self._process = process
        self._log = log

    def wait_online(self, mcus: Sequence[Mcu]) -> None:
        """Serve the MCUs until all of them were told that their module is logged in to the cloud."""
        if not serve(mcus, lambda: all(mcu.online for mcu in mcus), PATIENCE_S):
            raise BenchError(
                "not online within %d s; the agent said:\n%s" % (PATIENCE_S, self._log.read_text()[-2000:])
            )

    def cpu_ns(self) -> int:
        """CPU time it has used, all threads, user and system."""
        # clock_getcpuclockid(3) of another process: Python has it only for threads of its own.
        return time.clock_gettime_ns(~self._process.pid << 3 | 2)

    def memory(self) -> "Memory":
        return _memory(self._process.pid)


@contextmanager
def running_agent(folder: Path, api: str, mcus: Sequence[Mcu], durability: str = ALWAYS) -> Iterator[AgentProcess]:
    """One process with a port for each MCU; identities are in `folder`: the same again is a warm start."""
    settings = 'api = "%s"\nstate = "%s"\ndurability = "%s"\n' % (api, folder / "state", durability)
    for i, mcu in enumerate(mcus):
        settings += '[[port]]\nport = "%s"\nname = "port%d"\nmac = "%s"\n' % (mcu.path, i, mac_of(i))
    (folder / "gagent.toml").write_text(settings, encoding="utf-8")
    log = folder / "gagent.log"
    command = [sys.executable, "-m", "gagent_linux", "run", "--config", str(folder / "gagent.toml")]
    with log.open("wb") as stderr:
        started_at = time.perf_counter_ns()
        process = subprocess.Popen(command, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stderr=stderr)  # noqa: S603 - ours
    try:
        yield AgentProcess(process, started_at, log)
    finally:
        end(process)


def mac_of(index: int) -> str:
    """The mac of the module on port number `index`."""
    return "0200000000%02X" % index


def interpreter_start_ms() -> float:
    """A Python that does nothing, from its start to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True, stdin=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def interpreter_memory() -> Memory:
    """Of a Python that does nothing."""
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        if process.stdout is not None:
            process.stdout.readline()
        memory = _memory(process.pid)
        process.kill()
    return memory


def _memory(pid: int) -> Memory:
    path = Path("/proc/%d/smaps_rollup" % pid)
    fields = dict(line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines()[1:])
    resident, proportional = (int(fields[key].split()[0]) / 1024 for key in ("Rss", "Pss"))
    return Memory(resident, proportional)
