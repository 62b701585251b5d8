"""The MicroPython port beside a test's loop: its heap can be asked for, its clock moved, its Wi-Fi taken away."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from .heard import until
from .patience import PATIENCE_S
from .processes_running import ENVIRONMENT
from .upy_chain import PROCESS, SETTINGS, built

_IN_REACH = "home sweethome\n"


class UpyAgent:
    """One process; use it through `upy_agent`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.air = folder / "air"
        self.log = folder / "agent.log"
        self._control: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self.wifi(_IN_REACH)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    async def says(self, words: str, times: int = 1) -> None:
        await until(lambda: self.said.count(words) >= times, "it says %r" % words, lambda: self.said[-3000:])

    def wifi(self, in_reach: str = _IN_REACH) -> None:
        """The networks that are in the air from here on, a line each; "" for none."""
        self.air.write_text(in_reach)

    async def clock(self, ms: int) -> None:
        """Time goes on by so much at once; returns when what was due is done."""
        assert await self._ask("clock %d" % ms) == "ok"

    async def heap(self) -> tuple[int, int]:
        """(bytes in use, bytes free), after a collection."""
        used, free = (await self._ask("heap")).split()
        return int(used), int(free)

    async def _ask(self, line: str) -> str:
        self._writer.write(line.encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            answer = await self._reader.readline()
        assert answer, "the agent is gone\n" + self.said[-3000:]
        return answer.decode().strip()

    async def connected(self) -> None:
        """Returns when the program polls for the first time."""
        async with asyncio.timeout(PATIENCE_S):
            self._reader, self._writer = await self._control.get()

    def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._control.put_nowait((reader, writer))


@contextlib.asynccontextmanager
async def upy_agent(
    folder: Path, api_url: str, uart: str, heap: str, form: str = "romfs", run: str = ""
) -> AsyncIterator[UpyAgent]:
    """The port in `form` with so large a heap, at the terminal `uart`; `run` is MicroPython code in its place."""
    agent = UpyAgent(folder)
    agent.state.mkdir(exist_ok=True)
    (agent.state / "gagent.txt").write_text(SETTINGS % api_url)
    server = await asyncio.start_server(agent.meet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    command: list[object] = [
        sys.executable,
        PROCESS,
        "--firmware",
        built(),
        "--form",
        form,
        "--heap",
        heap,
        "--state",
        agent.state,
    ]
    command += ["--run", run] if run else []
    command += ["GAGENT_UART=" + uart, "GAGENT_AIR=%s" % agent.air, "GAGENT_CONTROL=%d" % port]
    process = _started(command, agent.log)
    try:
        yield agent
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        server.close()


def _started(command: list[object], log: Path) -> subprocess.Popen:
    with log.open("wb") as file:
        return subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stderr=file, env=ENVIRONMENT)
