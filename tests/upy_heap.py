"""Prints what the MicroPython port needs of a heap, in each form it is delivered in (`make heap`, about a minute).

Measured on the 64-bit unix build: a device comes online at a broker, its MCU on a pseudo-terminal. The modules that
stand for a board's firmware are measured apart and taken off; words of 32 bits make the rest about 1.46 times smaller.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from testkit import parts
from testkit.device_api_stub import DeviceApiStub
from testkit.mcu_on_pty import McuOnPty
from testkit.mosquitto_running import mosquitto_running
from testkit.upy_agent import upy_agent
from testkit.upy_chain import ROOMY

# What the heap gate (`upy/test_upy_heap.py`) gives the port, shims included; these only go down.
GATE = {"romfs": "68K"}
FORMS = ("romfs", "mpy")

_SMALLER_WORDS = 1.46
_STEP = 2048
_LIMIT_S = 15
# What a board's firmware has built in, and the least that a program can be.
_SHIMS = "import machine, network, select, time\nselect.poll().poll(3600000)"


def main() -> int:
    reason = parts.missing("micropython") or parts.missing("mosquitto")
    if reason:
        print("make heap " + reason, file=sys.stderr)
        return 1
    print("form    online, in use   less the shims   about on a chip   smallest heap, less the shims, on a chip")
    shims = asyncio.run(_measured("romfs", ROOMY, _SHIMS))
    assert shims is not None
    for form in FORMS:
        used = asyncio.run(_measured(form, ROOMY))
        assert used is not None
        heap = used
        while asyncio.run(_measured(form, str(heap))) is None:
            heap += _STEP
        row = (form, used, used - shims, _on_a_chip(used - shims), heap - shims, _on_a_chip(heap - shims))
        print("%-6s %15d %16d %17d %28d %12d" % row)
    print("shims: %d bytes" % shims)
    return 0


def _on_a_chip(size: int) -> int:
    return round(size / _SMALLER_WORDS)


async def _measured(form: str, heap: str, run: str = "") -> "int | None":
    """Bytes in use when the device is online, or when `run` polls; None when the heap is too small."""
    with tempfile.TemporaryDirectory() as name, mosquitto_running(Path(name)) as broker:
        folder = Path(name)
        async with DeviceApiStub(broker.port).running() as api:
            mcu = McuOnPty(folder)
            mcu.power_on()
            async with upy_agent(folder, api.url, mcu.path, heap, form, run) as agent:
                try:
                    async with asyncio.timeout(_LIMIT_S):
                        await agent.connected()
                        while not run and "online, did" not in agent.said:
                            if re.search("MemoryError|rror:", agent.said):
                                return None
                            await asyncio.sleep(0.02)
                        return (await agent.heap())[0]
                except TimeoutError:
                    return None


if __name__ == "__main__":
    sys.exit(main())
