"""The module's end of the line under a test's command. Serial manual, chapters 1.5, 2, 4, 5.

Unlike a real module it sends what it is told, also what is wrong; it asks once and repeats nothing; and it keeps all
that it heard, with the time. Requests of the MCU are answered as a module would, save those in `mute`.

A line has now() -> ms, write(data) and read(until) -> the bytes that came, b"" when `until` (ms) has come first.
"""

from collections import deque, namedtuple
from collections.abc import Callable
from typing import Protocol

from mcu_proto import const as c
from mcu_proto.datapoint import Schema
from mcu_proto.frame import BadFrame, Frame, encode_frame
from mcu_proto.message import build_network_time
from mcu_proto.module_info import ModuleInfo, build_module_info

from ..slicer import FrameSlicer
from .verdict import Broken

# `rtt` is the time from our last byte to its last one, None when it answers nothing.
Heard = namedtuple("Heard", ("at", "item", "wire", "rtt"))

# A module gives up after 200 ms and sends again.
ACK_WITHIN = 200
# More than a run of all rules hears.
_MAX_HEARD = 20_000
_INFO = ModuleInfo("00000004", "000BENCH", "00000001", "020000000001", "127.0.0.1", 0)
# 2026-01-01 00:00:00 UTC at UTC+8: any time does.
_TIME = build_network_time(1767225600, 480)
_KNOWN = (*c.REQUESTS_TO[c.MODULE], *c.TRANSFER_REQUESTS, c.CMD_TRANSACTION, c.CMD_REGISTER_SUBDEVICES)
_ANSWERS = {c.CMD_GET_TIME: _TIME, c.CMD_GET_MODULE_INFO: build_module_info(_INFO)}


class Line(Protocol):
    """What a bench needs of a line."""

    def now(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    def read(self, until: int) -> bytes: ...


class Bench:
    """`schema` is the product's or None, `heard` all from the MCU so far, `notes` what one rule leaves for another."""

    def __init__(self, line: Line, schema: Schema | None, baud: int) -> None:
        self.schema = schema
        self.heard: deque[Heard] = deque(maxlen=_MAX_HEARD)
        self.mute: set[int] = set()
        self.notes: dict = {}
        self._line = line
        self._baud = baud
        self._slicer = FrameSlicer()
        self._sn = 0
        self._sent_end = 0
        self._count = 0

    def now(self) -> int:
        return self._line.now()

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self._sent_end = max(self.now(), self._sent_end) + self._on_wire(data)
        self._line.write(data)

    def send(self, cmd: int, payload: bytes = b"", flags: int = 0, sn: int | None = None) -> int:
        """One frame; its sn, the next one unless it is given."""
        if sn is None:
            sn = self._sn
            self._sn = (self._sn + 1) & 0xFF
        self.write(encode_frame(cmd, sn, payload, flags))
        return sn

    def ask(self, cmd: int, payload: bytes = b"", flags: int = 0, sn: int | None = None, within: int = 1000) -> Heard:
        """Send a request and wait for its ack; Broken when another answer or none comes."""
        mark = self.mark()
        sn = self.send(cmd, payload, flags, sn)
        return self.ack_of(cmd, sn, mark, within)

    def ack_of(self, cmd: int, sn: int, mark: int, within: int = 1000) -> Heard:
        """The ack of a request that was sent after `mark`; Broken when another answer or none comes."""

        def ends(heard: Heard) -> bool:
            frame = heard.item
            if not isinstance(frame, Frame):
                return False
            return frame.cmd == cmd + 1 or (frame.cmd == c.CMD_ILLEGAL_FROM_MCU and frame.sn == sn)

        heard = self.wait(ends, within, mark)
        if heard is None:
            raise Broken("no %02x came within %d ms after %02x with sn %d" % (cmd + 1, within, cmd, sn))
        if heard.item.cmd != cmd + 1:
            code = heard.item.payload[:1].hex() or "nothing"
            raise Broken("%02x with sn %d was refused by 12 with code %s" % (cmd, sn, code))
        if heard.item.sn != sn:
            raise Broken("%02x has sn %d, that of the request is %d" % (cmd + 1, heard.item.sn, sn))
        return heard

    def mark(self) -> int:
        """Now, as a place in what was heard."""
        self.listen(0)
        return self._count

    def since(self, mark: int) -> list[Heard]:
        """What was heard after `mark`."""
        new = self._count - mark
        return list(self.heard)[-new:] if new > 0 else []

    def frames(self, mark: int, *cmds: int) -> list[Heard]:
        """The frames among them, only those of `cmds` when given."""
        heard = [each for each in self.since(mark) if isinstance(each.item, Frame)]
        return [each for each in heard if not cmds or each.item.cmd in cmds]

    def listen(self, ms: int) -> None:
        """Let time pass."""
        self.wait(lambda heard: False, ms, self._count)

    def wait(self, wanted: Callable[[Heard], bool], within: int, mark: int) -> Heard | None:
        """The first that is wanted of what was heard after `mark`; None when it does not come in time."""
        # The time counts from when our last byte has left the line.
        until = max(self.now(), self._sent_end) + within
        while True:
            found = next((heard for heard in self.since(mark) if wanted(heard)), None)
            if found is not None:
                return found
            mark = self._count
            if not self._hear(until) and self.now() >= until:
                return None

    def _hear(self, until: int) -> bool:
        data = self._line.read(until)
        now = self.now()
        for wire, item in self._slicer.feed(data):
            if item is not None:
                rtt = max(0, now - self._sent_end - self._on_wire(wire))
                self.heard.append(Heard(now, item, wire, rtt))
                self._count += 1
            if isinstance(item, Frame):
                self._answer(item)
        return bool(data)

    def _answer(self, frame: Frame) -> None:
        if not frame.cmd & 1 or frame.cmd in self.mute or frame.cmd == c.CMD_ILLEGAL_FROM_MODULE:
            return
        if frame.cmd in _KNOWN:
            self._line.write(encode_frame(frame.cmd + 1, frame.sn, _ANSWERS.get(frame.cmd, b"")))
        else:
            self._line.write(encode_frame(c.CMD_ILLEGAL_FROM_MODULE, frame.sn, bytes((c.ERR_UNKNOWN_CMD,))))

    def _on_wire(self, data: bytes) -> int:
        return len(data) * 10_000 // self._baud


def is_bad(heard: Heard) -> bool:
    """True for a damaged frame."""
    return isinstance(heard.item, BadFrame)
