"""MicroPython with the port's modules and the unix profile's shims: some lines of a test's, or the whole port.

For lines, the prelude gives what parts of the port are made with (`poll`, `network`, `buf`, `clock`, `feed`, `agent`),
what they told the agent (`heard`), and `spin`, which gives a part its turns. Time is the program's own and stands still
meanwhile, however slow the machine is: where nothing more comes, `spin` lets it jump to the next deadline.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from . import parts
from .heard import until
from .patience import PATIENCE_S
from .raw_server import Reader, Writer, serving
from .repository import ROOT

# Longer than any server or client of a test waits between two pieces, and more rounds of the loop than it needs to take
# a connection, read and answer.
_ROUNDS, _ROUND_S = 25, 0.002
_PORT = ROOT / "ports" / "micropython"
# Sources, not bytecode: what is tested here is behaviour, and the heap is a desk's.
_MODULES = (
    ":".join(map(str, (_PORT / "unix" / "controlled", _PORT / "unix", _PORT, _PORT / "board", ROOT))) + ":.frozen"
)

PRELUDE = """
import os
import select
import socket
import time
from gagent_upy.clock import Clock


class Network:
    dns = ""
    ip = "127.0.0.1"


class Agent:
    "Notes what a part tells it: (what, ...) in `heard`."

    def __getattr__(self, name):
        return lambda *arguments: heard.append((name,) + arguments)


# No time passes but what `spin` lets pass.
passed = [0]
time.ticks_ms = lambda: passed[0]
test = socket.socket()
test.connect(socket.getaddrinfo("127.0.0.1", int(os.getenv("GAGENT_TEST")))[0][-1])
poll = select.poll()
network = Network()
buf = memoryview(bytearray(256))
clock = Clock()
agent = Agent()
heard = []
feed = lambda method, *arguments: method(*arguments)


def settle():
    "The test has taken what it was sent, and what it says to that is here."
    test.write(b"\\n")
    test.readline()


def spin(part, is_done, until=600000, settle=settle):
    "Turns until is_done(), or until `until` milliseconds have passed; where nothing is on its way, time jumps."
    end = clock.now() + until
    while not is_done() and clock.now() < end:
        part.turn(clock.now())
        due = end if part.due is None else min(part.due, end)
        if is_done() or due <= clock.now() or poll.poll(0):
            continue
        settle()
        if not poll.poll(0):
            passed[0] = due
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
    async with serving(_settle) as port:
        return await _run(program, folder, environment | {"GAGENT_TEST": port})


async def _run(program: str, folder: Path, environment: dict[str, object]) -> list[str]:
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


async def _settle(reader: Reader, writer: Writer) -> None:
    """Answers when everybody else in this loop has had their turns: counted, so that a stall of the loop is no turn."""
    while await reader.readline():
        for _ in range(_ROUNDS):
            await asyncio.sleep(_ROUND_S)
        writer.write(b"\n")


def _micropython() -> str:
    command = parts.find("micropython")
    assert command is not None
    return command


def _environment(own: dict[str, object]) -> dict[str, str]:
    return {"MICROPYPATH": _MODULES, "PATH": "", **{name: str(value) for name, value in own.items()}}
