"""MicroPython with the port's modules and the unix profile's shims: some lines of a test's, or the whole port.

For lines, the prelude gives what parts of the port are made with (`poll`, `network`, `buf`, `clock`, `feed`, `agent`),
what they told the agent (`heard`), and `spin`, which gives a part its turns. Time is the program's own: where nothing
comes, `spin` lets it jump to the next deadline.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from . import parts
from .heard import until
from .patience import PATIENCE_S
from .repository import ROOT

_PORT = ROOT / "ports" / "micropython"
# Sources, not bytecode: what is tested here is behaviour, and the heap is a desk's.
_MODULES = (
    ":".join(map(str, (_PORT / "unix" / "controlled", _PORT / "unix", _PORT, _PORT / "board", ROOT))) + ":.frozen"
)

PRELUDE = """
import select
import time
from gagent_upy.clock import Clock


class Network:
    dns = ""
    ip = "127.0.0.1"


class Agent:
    "Notes what a part tells it: (what, ...) in `heard`."

    def __getattr__(self, name):
        return lambda *arguments: heard.append((name,) + arguments)


poll = select.poll()
network = Network()
buf = memoryview(bytearray(256))
clock = Clock()
agent = Agent()
heard = []
feed = lambda method, *arguments: method(*arguments)


def spin(part, is_done, until=600000, idle=200):
    "Turns until is_done(), or until `until` milliseconds have passed; `idle` of silence lets time jump."
    end = clock.now() + until
    while not is_done() and clock.now() < end:
        part.turn(clock.now())
        if is_done():
            break
        # So long for what is on its way; if nothing was, time jumps.
        if not poll.poll(idle):
            due = end if part.due is None else min(part.due, end)
            time.add(max(1, due - clock.now()))
"""


class Port:
    """board/main.py as a process; what it says is in `said`."""

    def __init__(self, process: asyncio.subprocess.Process, output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def said(self) -> str:
        return self._output.read_text()

    async def says(self, words: str, times: int = 1) -> None:
        await until(lambda: self.said.count(words) >= times, "it says %r" % words, lambda: self.said)

    async def stops(self) -> int:
        """As Ctrl-C at a board's console; its exit code."""
        self._process.send_signal(signal.SIGINT)
        code = await self.ends()
        if code:
            print(self.said)  # pytest shows it with the test that failed
        return code

    async def ends(self) -> int:
        """Its exit code, when it has ended by itself."""
        return await asyncio.wait_for(self._process.wait(), PATIENCE_S)


@contextlib.asynccontextmanager
async def port(folder: Path, *settings: str, before: str = "", **environment: object) -> AsyncIterator[Port]:
    """A chip whose files are in `folder`, with these lines of settings; `before` is run before main.py."""
    (folder / "gagent.txt").write_text("\n".join(("escape_pin = -1", *settings)))
    output = folder / "said"
    with output.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            _micropython(),
            "-c",
            before + "\nimport boot, main",
            cwd=folder,
            env=_environment(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield Port(process, output)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run(program: str, folder: Path, **environment: object) -> list[str]:
    """The lines that `program` prints, after the prelude; AssertionError with its story when it fails."""
    path = folder / "program.py"
    path.write_text(PRELUDE + program)
    process = await asyncio.create_subprocess_exec(
        _micropython(),
        str(path),
        cwd=folder,
        env=_environment(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
        raise AssertionError("the program did not end:\n" + output.decode()) from None
    assert process.returncode == 0, output.decode()
    return output.decode().split("\n")[:-1]


def _micropython() -> str:
    command = parts.find("micropython")
    assert command is not None
    return command


def _environment(own: dict[str, object]) -> dict[str, str]:
    return {"MICROPYPATH": _MODULES, "PATH": "", **{name: str(value) for name, value in own.items()}}
