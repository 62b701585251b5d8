"""The debugger's two players on one line: its simulated MCU and its module, joined by a `NullModem`."""

import json

from mcu_debugger.module_player import ModulePlayer
from mcu_debugger.simulator import McuSimulator

from mcu_proto.const import MCU

from .null_modem import NullModem, unharmed
from .repository import ROOT

PRODUCT = json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text())
UTC = 1_700_000_000


class _End:
    """A player as an end of a `NullModem`."""

    def __init__(self, player, sender):
        self._player = player
        self._sender = sender
        self.handle_timeout = player.handle_timeout
        self.next_timeout = player.next_timeout

    def receive(self, data, now):
        return self._player.receive_from(self._sender, data, now)


class DebuggerPair:
    """`module` and `simulator`, powered on; what they told is in `told_module()` and `told_mcu()`."""

    def __init__(self, rng=None, carry=unharmed, product=PRODUCT, utc=UTC, **options):
        self.simulator = McuSimulator(product, **options)
        self.module = ModulePlayer(self.simulator.schema, lambda: utc)
        self._ends = {"module": _End(self.module, MCU), "mcu": _End(self.simulator, None)}
        self.modem = NullModem(self._ends["module"], self._ends["mcu"], rng, carry)
        self.modem.perform(self._ends["mcu"], self.simulator.start(0))
        self.modem.perform(self._ends["module"], self.module.start(0))

    @property
    def now(self):
        return self.modem.now

    def module_does(self, effects):
        self.modem.perform(self._ends["module"], effects)

    def mcu_does(self, effects):
        self.modem.perform(self._ends["mcu"], effects)

    def run(self, ms):
        self.modem.run(self.modem.now + ms)

    def told_module(self, *kinds):
        return [effect for effect in self.modem.heard[self._ends["module"]] if isinstance(effect, kinds)]

    def told_mcu(self, *kinds):
        return [effect for effect in self.modem.heard[self._ends["mcu"]] if isinstance(effect, kinds)]
