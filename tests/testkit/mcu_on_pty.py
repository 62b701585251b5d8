"""The simulated MCU at the far end of a pty, in the test's event loop: power on, power off, and what it saw."""

import asyncio
import json
import pathlib
from typing import Any

from mcu_debugger.simulator import McuSimulator

from mcu_proto.link import SendSerial

from .heard import until
from .pty_pair import PtyPair
from .repository import ROOT

_PRODUCT = ROOT / "tools" / "demo" / "heatpump.json"


class McuOnPty:
    """`path` is the serial port; `seen` collects the simulator's effects other than bytes.

    Its time passes `slower` than ours, where a report must not be given up because the module stands still for once.
    """

    def __init__(
        self, folder: pathlib.Path, name: str = "mcu", product_secret: str | None = None, slower: int = 1
    ) -> None:
        self._pty = PtyPair(folder, name)
        self.path = self._pty.path
        self.simulator = McuSimulator(json.loads(_PRODUCT.read_text()), product_secret=product_secret)
        self.seen: list[Any] = []
        self._timer: asyncio.TimerHandle | None = None
        self._slower = slower

    def power_on(self) -> None:
        """Plug it in and let it begin."""
        self._pty.plug_in()
        self._pty.watch(self._receive)
        self._perform(self.simulator.start(self._now()))

    def power_off(self) -> None:
        """Pull it out."""
        if self._timer is not None:
            self._timer.cancel()
        self._pty.unwatch()
        self._pty.pull_out()

    def set(self, **values: object) -> None:
        """The appliance changes attributes itself."""
        self._perform(self.simulator.set(values, self._now()))

    def write(self, data: bytes) -> None:
        """Send bytes that the simulator knows nothing of."""
        self._pty.write(data)

    def request(self, cmd: int, payload: bytes = b"") -> None:
        """Ask something of the module."""
        self._perform(self.simulator.request(cmd, payload, self._now()))

    async def sees(self, *kinds: type) -> None:
        """Wait until an effect of each of `kinds` was seen."""
        await until(lambda: all(any(isinstance(x, k) for x in self.seen) for k in kinds), "the MCU sees %s" % (kinds,))

    def _receive(self, data: bytes) -> None:
        self._perform(self.simulator.receive_serial(data, self._now()))

    def _perform(self, effects: list) -> None:
        for effect in effects:
            if isinstance(effect, SendSerial):
                self._pty.write(effect.data)
            else:
                self.seen.append(effect)
        if self._timer is not None:
            self._timer.cancel()
        at = self.simulator.next_timeout()
        if at is not None:
            self._timer = asyncio.get_running_loop().call_at((at + 0.5) * self._slower / 1000, self._time_is_up)

    def _time_is_up(self) -> None:
        self._perform(self.simulator.handle_timeout(self._now()))

    def _now(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000 / self._slower)
