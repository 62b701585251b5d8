"""Our commands as real processes: what each says is collected line by line and waited for, each is ended by its pid."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from .patience import PATIENCE_S
from .repository import ROOT

# What is waited for comes in milliseconds, or after a random wait of some seconds; this is for a loaded machine.
_LOOK_AGAIN_S = 0.02
# The packages are found as in a bare checkout too.
_FOLDERS = (ROOT, ROOT / "ports" / "linux", ROOT / "tools")
# Of every child.
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, _FOLDERS))}

_T = TypeVar("_T")


class RunningProcess:
    """One process; use it through `Processes`."""

    def __init__(self, name: str, command: list[str], folder: Path, stdin: int) -> None:
        self.name = name
        self._lines: list[tuple[str, str]] = []
        self._news = threading.Condition()
        # A session of its own: whatever it leaves behind can be found by it.
        self._process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._collect, args=("stdout", self._process.stdout)),
            threading.Thread(target=self._collect, args=("stderr", self._process.stderr)),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> str:
        return self._text("stdout")

    @property
    def stderr(self) -> str:
        return self._text("stderr")

    def mark(self) -> int:
        """How much it has said so far: `says(words, since=mark)` waits for something new."""
        with self._news:
            return len(self._lines)

    def says(self, words: str, since: int = 0) -> str:
        """The first line with `words` that comes after `since`, waited for."""
        deadline = time.monotonic() + PATIENCE_S
        at = since
        with self._news:
            while True:
                for _, line in self._lines[at:]:
                    if words in line:
                        return line
                at = max(at, len(self._lines))
                left = deadline - time.monotonic()
                if left <= 0 or (self._is_over() and at == len(self._lines)):
                    raise AssertionError("%s never said %r\n%s" % (self.name, words, self._story()))
                self._news.wait(min(left, 1))

    def is_running(self) -> bool:
        return self._process.poll() is None

    def tell(self, line: str) -> None:
        """A line on its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """As a power cut would: no goodbye to anybody. Harmless when it has ended."""
        self._process.kill()
        self.wait()

    def stop(self) -> int:
        """Asks it to end; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, when it has ended by itself and all it said is here."""
        try:
            code = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s did not end\n%s" % (self.name, self._story())) from None
        for reader in self._readers:
            reader.join(PATIENCE_S)
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        return code

    def cpu_seconds(self) -> float:
        """Processor time it has used so far."""
        fields = Path("/proc/%d/stat" % self.pid).read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def offspring(self) -> list[int]:
        """Every process that it started, directly or not, and that is alive; itself as well while it is."""
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _session(path) == self.pid]

    def show(self) -> None:
        """Print what it said: pytest shows it with a test that failed."""
        print(self._story())

    def _collect(self, stream: str, pipe: Any) -> None:
        with pipe:
            for line in pipe:
                with self._news:
                    self._lines.append((stream, line.decode("utf-8", "replace").rstrip("\n")))
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _is_over(self) -> bool:
        return not any(reader.is_alive() for reader in self._readers if reader is not threading.current_thread())

    def _text(self, stream: str) -> str:
        with self._news:
            return "".join(line + "\n" for kind, line in self._lines if kind == stream)

    def _story(self) -> str:
        lines = "".join("  %s | %s\n" % item for item in self._lines)
        return "--- %s (pid %d, exit code %s)\n%s" % (self.name, self.pid, self._process.poll(), lines)


class Processes:
    """All processes of one test; their files go into `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._all: list[RunningProcess] = []

    def start(self, module: str, *arguments: object, name: str = "", stdin: int = subprocess.PIPE) -> RunningProcess:
        """Runs `python -m module arguments`."""
        return self._start(name or module, ["-m", module, *map(str, arguments)], stdin)

    def start_file(self, path: Path, *arguments: object, stdin: int = subprocess.PIPE) -> RunningProcess:
        """Runs `python path arguments`."""
        return self._start(path.name, [str(path), *map(str, arguments)], stdin)

    def run(self, module: str, *arguments: object) -> RunningProcess:
        """Runs `python -m module arguments` to its end."""
        process = self.start(module, *arguments, stdin=subprocess.DEVNULL)
        process.wait()
        return process

    def forget(self, process: RunningProcess) -> None:
        """One that has ended and said nothing worth keeping: for tests with very many."""
        self._all.remove(process)

    def end(self) -> None:
        """Kills what still runs, newest first, and prints what each said."""
        for process in reversed(self._all):
            process.kill()
        for process in self._all:
            process.show()

    def _start(self, name: str, arguments: list[str], stdin: int) -> RunningProcess:
        process = RunningProcess(name, [sys.executable, *arguments], self.folder, stdin)
        self._all.append(process)
        return process


@contextlib.contextmanager
def processes_running(folder: Path) -> Iterator[Processes]:
    """Every process that the test starts is ended with it."""
    processes = Processes(folder)
    try:
        yield processes
    finally:
        processes.end()


def until(ask: Callable[[], _T], what: str) -> _T:
    """What `ask()` gives once it gives something true: for what the far end does without telling."""
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := ask()):
        assert time.monotonic() < deadline, "waited %d s in vain until %s" % (PATIENCE_S, what)
        time.sleep(_LOOK_AGAIN_S)
    return answer


def _session(process: Path) -> int:
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended meanwhile
        return -1
    return int(fields[3]) if fields[0] not in ("Z", "X") else -1
