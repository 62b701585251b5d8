"""Run a command on a machine that stands still: one process of its tree after the other is stopped for a moment.

    .venv/bin/python tests/hold_up.py .venv/bin/python -m pytest -q tests/e2e
    .venv/bin/python tests/hold_up.py --longest 1 --every 0.2 --log held.txt make test

What depends on luck fails sooner so. The exit code is the command's; the log tells who was held up when, and for how
long. Linux only: it reads /proc.
"""

import argparse
import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import NamedTuple, TextIO

# They only wait for others.
_IDLE = ("make", "bash", "sh", "dash")


class Process(NamedTuple):
    pid: int
    name: str
    parent: int
    terminal: int


def main() -> int:
    arguments = _parser().parse_args()
    process = subprocess.Popen([arguments.command, *arguments.arguments])
    is_over = threading.Event()
    log = arguments.log.open("w", encoding="utf-8") if arguments.log else None
    thread = threading.Thread(target=_hold_up, args=(process.pid, arguments.longest, arguments.every, is_over, log))
    thread.start()
    try:
        return process.wait()
    finally:
        is_over.set()
        thread.join()
        if log is not None:
            log.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--longest", type=float, default=0.5, metavar="S", help="longest stop in seconds (default 0.5)")
    parser.add_argument("--every", type=float, default=0.3, metavar="S", help="pause between two, on average (0.3)")
    parser.add_argument("--log", type=Path, metavar="FILE", help="who was held up: time, seconds, pid, command")
    parser.add_argument("command")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _hold_up(root: int, longest: float, every: float, is_over: threading.Event, log: TextIO | None) -> None:
    while not is_over.wait(random.expovariate(1 / every)):
        held = [process for process in _tree(root) if process.name not in _IDLE]
        if held:
            _stop_once(random.choice(held).pid, random.uniform(0, longest), log)


def _stop_once(pid: int, seconds: float, log: TextIO | None) -> None:
    entry = Path("/proc/%d" % pid)
    try:
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        os.kill(pid, SIGSTOP)
    except OSError:
        return  # it has ended
    if log is not None:
        log.write("%.2f %.2f %d %s\n" % (time.time(), seconds, pid, command))
        log.flush()
    time.sleep(seconds)
    with contextlib.suppress(OSError):
        os.kill(pid, SIGCONT)


def _tree(root: int) -> list[Process]:
    """All that `root` started, directly or not, and itself."""
    children = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*"):
        process = _read(entry)
        if process is not None:
            children[process.parent].append(process)
    ours = _read(Path("/proc/self"))
    found, left = [], [process for process in children[os.getpid()] if process.pid == root]
    while left:
        process = left.pop()
        left += children[process.pid]
        # A full screen that goes on reads its terminal a second time (textual, SIGCONT), and keys get lost.
        if ours is None or process.terminal in (0, ours.terminal):
            found.append(process)
    return found


def _read(entry: Path) -> Process | None:
    """What /proc/PID/stat says: pid (name) state parent group session terminal ..."""
    try:
        before, _, after = (entry / "stat").read_text().rpartition(")")
    except OSError:
        return None  # it has ended
    pid, _, name = before.partition(" (")
    fields = after.split()
    return Process(int(pid), name, int(fields[1]), int(fields[4]))


if __name__ == "__main__":
    sys.exit(main())
