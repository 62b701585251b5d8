"""What crosses the line, understood as it happens: frames decoded, requests paired with their acks, errors counted.

Pure and bounded: chunks (time, sender, bytes) go in, `Observed` items come out: one per frame, damaged frame, stretch
of noise or request that nobody answered. Every view, log and report is made from these. Serial manual, chapters 1 to 5.

    chunk ──▶ FrameSlicer of its sender ──▶ pairing ──▶ attributes, status word ──▶ Observed

Times are integer microseconds that never go back. The sender is MODULE, MCU, or None for a line where one wire carries
both: then the command tells who spoke.
"""

from collections import deque, namedtuple

from mcu_proto.const import (
    ACTION_CONTROL,
    ACTION_READ_REPLY,
    ACTION_REPORT,
    ACTION_VAR_CONTROL,
    ACTION_VAR_READ_REPLY,
    ACTION_VAR_REPORT,
    CMD_GET_INFO,
    CMD_ILLEGAL_FROM_MCU,
    CMD_ILLEGAL_FROM_MODULE,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    CMD_PIECE,
    FLAG_DID,
    MCU,
    MODULE,
    REQUESTS_TO,
    ack_of,
)
from mcu_proto.datapoint import Schema
from mcu_proto.errors import RemoteError
from mcu_proto.frame import BadFrame, Frame
from mcu_proto.mcu_message import parse_module_status
from mcu_proto.message import DeviceInfo, parse_device_info

from .slicer import FrameSlicer

# number     counts up from 1            time_us   when its last byte was read       sender  MODULE, MCU or None
# wire       its bytes on the line       item      Frame, BadFrame, Unanswered, or None for noise
# values     attributes of a report, a read reply or a control, else None
# repeats    number of the first sending of the same request, 0 when it is the first
# answers    number of the request that this acks (or, 11 and 12, refuses), 0 when it answers none that was seen
# rtt_us     from the last sending of that request to here, None when it answers none
Observed = namedtuple(
    "Observed", ("number", "time_us", "sender", "wire", "item", "values", "repeats", "answers", "rtt_us")
)
# A request that got no ack; `number` is that of its first sending.
Unanswered = namedtuple("Unanswered", ("number", "cmd", "sn", "sends"))
# A request in flight.
_Asked = namedtuple("_Asked", ("number", "time_us", "frame", "sends"))

# The slowest senders repeat after 3 s; pieces are stored in flash before they are acked, three times 3 s.
ANSWER_WITHIN_US = 3_500_000
PIECE_ANSWER_WITHIN_US = 10_000_000
# Half a frame is over after this silence, as receivers have it; noise is shown sooner.
SILENCE_US = 1_000_000
NOISE_US = 100_000
# One is the rule of the protocol; more are kept for ends that break it.
_MAX_ASKED = 16
# With two adapters an ack may be read before its request: each has its own latency, 16 ms and more.
EARLY_US = 50_000
# Round trips that the median is taken of.
_MAX_ROUND_TRIPS = 1000

_CONTROLS = (ACTION_CONTROL, ACTION_VAR_CONTROL)
_STATES = (ACTION_READ_REPLY, ACTION_REPORT, ACTION_VAR_READ_REPLY, ACTION_VAR_REPORT)
_P0 = (CMD_P0_DOWN, ack_of(CMD_P0_DOWN), CMD_P0_UP)
_COMPLAINTS = (CMD_ILLEGAL_FROM_MODULE, CMD_ILLEGAL_FROM_MCU)
# Requests of the MCU beyond the basic ones; big data is taken for an upgrade, the receiver being the MCU.
_FROM_MCU = REQUESTS_TO[MODULE] + bytes((CMD_ILLEGAL_FROM_MCU, 0x1B, 0x23, 0x27, 0x53))


class Counts:
    """What has crossed the line so far; lists are indexed by sender, MODULE and MCU."""

    def __init__(self) -> None:
        self.frames = [0, 0]
        self.bytes = [0, 0]
        self.noise_bytes = 0
        self.repeats = 0
        self.unanswered = 0
        self.complaints = 0
        # Reason (BAD_*) -> how many.
        self.bad: dict[int, int] = {}
        # Command -> how many.
        self.commands: dict[int, int] = {}
        self.round_trips: deque[int] = deque(maxlen=_MAX_ROUND_TRIPS)

    def errors(self) -> int:
        """Whatever should not have happened."""
        return sum(self.bad.values()) + self.repeats + self.unanswered + self.complaints


class Observer:
    """`values`, `status` and `info` are the newest the line has told; None or empty until it did."""

    def __init__(self, schema: Schema | None = None) -> None:
        self.schema = schema
        self.counts = Counts()
        self.values: dict = {}
        self.status: int | None = None
        self.info: DeviceInfo | None = None
        self._slicers: dict[int | None, FrameSlicer] = {}
        self._fed_at: dict[int | None, int] = {}
        self._number = 0
        self._asked: tuple[dict, dict] = ({}, {})
        self._answered: list[_Asked | None] = [None, None]
        # (cmd, sn, time) of the last ack of each end that had no request yet.
        self._early: list[tuple | None] = [None, None]
        # The last P0 and what it means: most reports repeat the one before.
        self._p0: bytes = b""
        self._p0_values: dict | None = None

    def feed(self, time_us: int, sender: int | None, data: bytes) -> list[Observed]:
        """What these bytes complete; None as sender: the frames tell."""
        slicer = self._slicers.get(sender)
        if slicer is None:
            slicer = self._slicers[sender] = FrameSlicer()
        out = self.handle_timeout(time_us) if self._is_late(time_us) else []
        self._fed_at[sender] = time_us
        if sender is not None:
            self.counts.bytes[sender] += len(data)
        for wire, item in slicer.feed(data):
            self._observe(time_us, sender, wire, item, out)
        return out

    def handle_timeout(self, time_us: int) -> list[Observed]:
        """Requests that waited too long, and what was never finished."""
        out: list[Observed] = []
        for sender, slicer in self._slicers.items():
            if not slicer.is_empty() and time_us >= self._fed_at[sender] + _patience(slicer):
                for wire, item in slicer.flush():
                    self._observe(time_us, sender, wire, item, out)
        for sender in (MODULE, MCU):
            for key, asked in list(self._asked[sender].items()):
                if time_us >= asked.time_us + _answer_within(key[0]):
                    self._give_up(time_us, sender, key, out)
        return out

    def flush(self, time_us: int) -> list[Observed]:
        """No more will come: what was never finished, as noise."""
        out: list[Observed] = []
        for sender, slicer in self._slicers.items():
            for wire, item in slicer.flush():
                self._observe(time_us, sender, wire, item, out)
        return out

    def next_timeout(self) -> int | None:
        """When handle_timeout has something to do."""
        dues = [self._fed_at[s] + _patience(slicer) for s, slicer in self._slicers.items() if not slicer.is_empty()]
        for pending in self._asked:
            dues += [asked.time_us + _answer_within(key[0]) for key, asked in pending.items()]
        return min(dues, default=None)

    def _is_late(self, time_us: int) -> bool:
        due = self.next_timeout()
        return due is not None and time_us >= due

    def _observe(self, time_us: int, sender: int | None, wire: bytes, item: object, out: list) -> None:
        if isinstance(item, Frame):
            speaker = sender_of(item) if sender is None else sender
            if sender is None:
                self.counts.bytes[speaker] += len(wire)
            self._on_frame(time_us, speaker, wire, item, out)
            return
        if isinstance(item, BadFrame):
            self.counts.bad[item.reason] = self.counts.bad.get(item.reason, 0) + 1
        else:
            self.counts.noise_bytes += len(wire)
        self._tell(time_us, sender, wire, item, None, 0, 0, None, out)

    def _on_frame(self, time_us: int, sender: int, wire: bytes, frame: Frame, out: list) -> None:
        counts = self.counts
        cmd = frame.cmd
        counts.frames[sender] += 1
        counts.commands[cmd] = counts.commands.get(cmd, 0) + 1
        repeats = answers = 0
        rtt_us = None
        if cmd in _COMPLAINTS:
            counts.complaints += 1
            answers = self._on_complaint(sender, frame)
        elif cmd & 1:
            repeats = self._on_request(time_us, sender, frame, out)
        else:
            asked = self._asked[1 - sender].pop((cmd - 1, frame.sn), None)
            if asked is not None:
                answers = asked.number
                rtt_us = time_us - asked.time_us
                counts.round_trips.append(rtt_us)
                self._answered[1 - sender] = asked
            else:
                self._early[sender] = (cmd, frame.sn, time_us)
        values = self._understand(frame)
        self._tell(time_us, sender, wire, frame, values, repeats, answers, rtt_us, out)

    def _on_request(self, time_us: int, sender: int, frame: Frame, out: list) -> int:
        """The number of its first sending when it is a repetition, else 0."""
        key = (frame.cmd, frame.sn)
        asked = self._asked[sender].pop(key, None) or self._answered[sender]
        if asked is not None and asked.frame == frame and time_us < asked.time_us + _answer_within(frame.cmd):
            self.counts.repeats += 1
            self._asked[sender][key] = _Asked(asked.number, time_us, frame, asked.sends + 1)
            return asked.number
        early = self._early[1 - sender]
        if early is not None and early[:2] == (frame.cmd + 1, frame.sn) and time_us - early[2] < EARLY_US:
            self._early[1 - sender] = None
            return 0
        if len(self._asked[sender]) >= _MAX_ASKED:
            self._give_up(time_us, sender, next(iter(self._asked[sender])), out)
        self._asked[sender][key] = _Asked(self._number + 1, time_us, frame, 1)
        return 0

    def _on_complaint(self, sender: int, frame: Frame) -> int:
        """The number of the request that is refused, 0 when it was none we saw."""
        for key, asked in self._asked[1 - sender].items():
            if key[1] == frame.sn:
                del self._asked[1 - sender][key]
                return asked.number
        return 0

    def _give_up(self, time_us: int, sender: int, key: tuple, out: list) -> None:
        asked = self._asked[sender].pop(key)
        self.counts.unanswered += 1
        item = Unanswered(asked.number, asked.frame.cmd, asked.frame.sn, asked.sends)
        self._tell(time_us, sender, b"", item, None, 0, 0, None, out)

    def _understand(self, frame: Frame) -> dict | None:
        """Attributes in the frame; what it tells of the two ends is remembered."""
        try:
            if frame.cmd in _P0 and frame.payload and self.schema is not None and not frame.flags & FLAG_DID:
                return self._attributes(self.schema, frame.payload)
            if frame.cmd == CMD_MODULE_STATUS:
                self.status = parse_module_status(frame.payload)
            elif frame.cmd == ack_of(CMD_GET_INFO):
                self.info = parse_device_info(frame.payload)
        except RemoteError:
            # Shown as it is; the view says what is wrong with it.
            pass
        return None

    def _attributes(self, schema: Schema, p0: bytes) -> dict | None:
        if p0 == self._p0:
            return self._p0_values
        values = None
        if p0[0] in _STATES:
            values = schema.decode(p0)
            self.values = {**self.values, **values}
        elif p0[0] in _CONTROLS:
            values = schema.decode_control(p0)
        self._p0 = p0
        self._p0_values = values
        return values

    def _tell(
        self,
        time_us: int,
        sender: int | None,
        wire: bytes,
        item: object,
        values: dict | None,
        repeats: int,
        answers: int,
        rtt_us: int | None,
        out: list,
    ) -> None:
        self._number += 1
        out.append(Observed(self._number, time_us, sender, wire, item, values, repeats, answers, rtt_us))


def sender_of(frame: Frame) -> int:
    """Who sends such a frame, on a line that does not tell; big data is taken for an upgrade of the MCU."""
    request = frame.cmd if frame.cmd & 1 or frame.cmd == CMD_ILLEGAL_FROM_MCU else frame.cmd - 1
    asker = MCU if request in _FROM_MCU else MODULE
    return asker if request == frame.cmd else 1 - asker


def _answer_within(cmd: int) -> int:
    return PIECE_ANSWER_WITHIN_US if cmd == CMD_PIECE else ANSWER_WITHIN_US


def _patience(slicer: FrameSlicer) -> int:
    return SILENCE_US if slicer.is_inside() else NOISE_US
