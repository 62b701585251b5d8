"""`Bridge`: between a real module and a real MCU. What one sends the other gets, unless a rule says no.

    without a rule for a direction    bytes pass as they come
    with one                          frames pass when they are whole; what is no frame passes after 100 ms of silence

Pure: bytes and time go in, `Forward` and `Meddled` come out.
"""

from collections import namedtuple

from mcu_proto.const import MCU, MODULE
from mcu_proto.frame import BadFrame, Frame
from mcu_proto.names import CMD_NAMES

from .bridge_rules import Fate, Rule, Rulebook
from .forward import Forward
from .slicer import FrameSlicer

# A rule was applied to a frame of `sender`.
Meddled = namedtuple("Meddled", ("sender", "item", "rule"))
Injected = namedtuple("Injected", ("to", "data"))

# Half a frame is held this long; inside a frame adapters pause for 16 ms at most.
_HOLD = 100
# Frames on their way that were delayed; more are dropped, as the text of the rule then says.
_MAX_DELAYED = 256


class Bridge:
    """`rules` may change at any time."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = Rulebook()
        for rule in rules:
            self.rules.add(rule)
        self._slicers = {MODULE: FrameSlicer(), MCU: FrameSlicer()}
        self._held_at: dict[int, int] = {}
        self._delayed: list[tuple[int, int, bytes]] = []
        self.values: dict = {}

    def facts(self) -> dict:
        return {}

    def start(self, now: int) -> list:
        return []

    def receive_from(self, sender: int, data: bytes, now: int) -> list:
        """Bytes of one end for the other."""
        slicer = self._slicers[sender]
        if slicer.is_empty() and not self.rules.concerns(sender):
            return [Forward(1 - sender, data, False)]
        out: list = []
        for wire, item in slicer.feed(data):
            self._pass(sender, wire, item, now, out)
        self._held_at[sender] = now
        return out

    def handle_timeout(self, now: int) -> list:
        """Delayed frames, and half ones that nothing followed."""
        out: list = []
        while self._delayed and now >= self._delayed[0][0]:
            _, to, data = self._delayed.pop(0)
            out.append(Forward(to, data, False))
        for sender, slicer in self._slicers.items():
            if not slicer.is_empty() and now >= self._held_at[sender] + _HOLD:
                out += [Forward(1 - sender, wire, False) for wire, _ in slicer.flush()]
        return out

    def next_timeout(self) -> "int | None":
        dues = [self._held_at[sender] + _HOLD for sender, slicer in self._slicers.items() if not slicer.is_empty()]
        return min(dues + [due for due, _, _ in self._delayed[:1]], default=None)

    def is_idle(self) -> bool:
        return not self._delayed

    def line_lost(self, now: int) -> list:
        """Half frames are over."""
        for slicer in self._slicers.values():
            slicer.flush()
        return []

    def inject(self, to: int, data: bytes) -> list:
        """Bytes of nobody, for one end."""
        return [Forward(to, data, True), Injected(to, data)]

    def _pass(self, sender: int, wire: bytes, item: object, now: int, out: list) -> None:
        fate: Fate | None = self.rules.judge(sender, wire, item)
        if fate is None:
            out.append(Forward(1 - sender, wire, False))
            return
        out.append(Meddled(sender, item, fate.rule))
        if not fate.delay:
            out += [Forward(1 - sender, piece, False) for piece in fate.pieces]
        elif len(self._delayed) < _MAX_DELAYED:
            self._delayed += [(now + fate.delay, 1 - sender, piece) for piece in fate.pieces]
            self._delayed.sort(key=lambda row: row[0])


def bridge_line(event: tuple) -> str:
    """An effect of the bridge in one line; "" for those that are not for people."""
    names = {MODULE: "module", MCU: "MCU"}
    if isinstance(event, Injected):
        return "injected for the %s: %s" % (names[event.to], event.data.hex(" "))
    if not isinstance(event, Meddled):
        return ""
    what = "a bad frame"
    if isinstance(event.item, Frame | BadFrame) and event.item.cmd >= 0:
        what = "%02x %s" % (event.item.cmd, CMD_NAMES.get(event.item.cmd, "unknown command"))
    return "rule `%s` applied to %s of the %s" % (event.rule.text, what, names[event.sender])
