"""Prints what the MicroPython port needs of a heap, in each form it is delivered in (`make heap`, about a minute).

Measured on the 64-bit unix build: a device between a broker, a cloud and an MCU on a pseudo-terminal. What stands for a
board's firmware and its flash is in the same heap here; it is measured apart each time and taken off. Words of 32 bits
make the rest about 1.46 times smaller.
"""

import asyncio
import contextlib
import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

from testkit import parts
from testkit.broker_stub import BrokerStub
from testkit.device_api_stub import DeviceApiStub
from testkit.mcu_on_pty import McuOnPty
from testkit.repository import ROOT
from testkit.upy_agent import UpyAgent, upy_agent
from testkit.upy_chain import ROOMY

from gagent import topics, wire
from mcu_proto.datapoint import Schema

# Bytes that the heap gate (`upy/test_upy_heap.py`) gives the port, what stands for a board not counted; only goes down.
GATE = {"romfs": 26 * 1024}
FORMS = ("romfs", "mpy")

_SMALLER_WORDS = 1.46
_LIMIT_S = 15
# How exactly the smallest heap is found.
_EXACT = 128
_REPORTS = 20
_CONTROLS = 20

# What every run has around the port, and nothing of the port; it answers when it is asked.
_EMPTY = "poll = select.poll()\nwhile True: poll.poll(-1)"
# One text for all steps, so that what it costs itself is in none of the differences.
_STEPS = """
step = %d
if step < 2:
    poll = select.poll()
if step == 1:
    import boot, gagent_chip
if step == 2:
    import boot, gagent_upy
    from gagent_upy import start
    made = start.make()
    del start, gagent_upy.start, machine.sys.modules["gagent_upy.start"]
if step == 3:
    import boot, main
import gc
gc.collect()
print("in use", gc.mem_alloc())
while True:
    time.sleep(60)
"""
_EMPTY_STEP, _LOADED, _MADE, _ONLINE = range(4)
_BARE = "import gc; gc.collect(); print(gc.mem_alloc())"


def main() -> int:
    reason = parts.missing("micropython")
    if reason:
        print("make heap " + reason, file=sys.stderr)
        return 1
    print(_row("bytes", "form", "loaded", "made", "on line", "in use", "smallest", "on a chip"))
    around = 0
    for form in FORMS:
        around = asyncio.run(bytes_around(form))
        used = [asyncio.run(_used(form, _STEPS % step)) for step in (_EMPTY_STEP, _LOADED, _MADE, _ONLINE)]
        smallest = _smallest(form, used[_ONLINE]) - around
        steps = [after - before for before, after in itertools.pairwise(used)]
        print(_row("", form, *steps, used[_ONLINE] - used[_EMPTY_STEP], smallest, round(smallest / _SMALLER_WORDS)))
    print("taken off: %d bytes that stand for a board" % around)
    return 0


async def bytes_around(form: str) -> int:
    """What a board's built-in modules, the mounts and the program's start cost here; not what the interpreter does."""
    command = [str(parts.find("micropython")), "-c", _BARE]
    bare = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, env={"PATH": ""})
    return await _used(form, _EMPTY) - int(bare.stdout)


def _row(*cells: object) -> str:
    return "%-6s %-6s" % cells[:2] + "".join(["%10s" % cell for cell in cells[2:]])


async def _used(form: str, program: str) -> int:
    """Bytes in use when `program` has nothing more to do."""
    async with _world(form, ROOMY, program) as world:
        if program == _STEPS % _ONLINE:
            await world.until(lambda: world.online == 1)
        elif program != _EMPTY:
            await world.agent.says("in use")
            return int(world.agent.said.split()[-1])
        await world.agent.connected()
        return (await world.agent.heap())[0]


def _smallest(form: str, used: int) -> int:
    """The smallest heap that a device lives in."""
    too_small, enough = used, int(ROOMY.rstrip("K")) * 1024
    while enough - too_small > _EXACT:
        # Mostly near to what is in use.
        middle = min((too_small + enough) // 2, too_small + 8192)
        try:
            asyncio.run(_lives(form, middle))
            enough = middle
        except _TooSmallError:
            too_small = middle
    return enough


class _TooSmallError(Exception):
    """There was no room for something."""


async def _lives(form: str, heap: int) -> None:
    """A device comes on line, reports, is controlled, loses the broker and finds it again."""
    async with _world(form, str(heap)) as world:
        mcu, broker = world.mcu, world.broker
        await world.until(lambda: world.online == 1)
        for n in range(_REPORTS):
            mcu.set(timer=n)
            await world.until(mcu.simulator.is_idle)
        for n in range(_REPORTS, _REPORTS + _CONTROLS):
            did = next(iter(broker.writers))
            broker.send(did, topics.app2dev(did, "app"), wire.encode(wire.CLOUD_CONTROL, world.control(n), n))
            await world.until(partial(world.has_timer, n))
        broker.writers.popitem()[1].close()
        await world.until(lambda: world.online == 2)


class _World:
    """A device between stubs."""

    def __init__(self, agent: UpyAgent, mcu: McuOnPty, broker: BrokerStub) -> None:
        self.agent = agent
        self.mcu = mcu
        self.broker = broker
        self._schema = Schema.from_definition(json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text()))

    @property
    def online(self) -> int:
        """How often it came on line."""
        return self.agent.said.count("online, did")

    def has_timer(self, timer: int) -> bool:
        return self.mcu.simulator.values["timer"] == timer

    def control(self, timer: int) -> bytes:
        return self._schema.encode_control({"timer": timer})

    async def until(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(_LIMIT_S):
                while not condition():
                    if re.search("MemoryError|rror:", self.agent.said):
                        raise _TooSmallError
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise _TooSmallError from None


@contextlib.asynccontextmanager
async def _world(form: str, heap: str, program: str = "") -> AsyncIterator[_World]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            mcu = McuOnPty(folder)
            mcu.power_on()
            try:
                async with upy_agent(folder, api.url, mcu.path, heap, form, program) as agent:
                    yield _World(agent, mcu, broker)
            finally:
                mcu.power_off()


if __name__ == "__main__":
    sys.exit(main())
