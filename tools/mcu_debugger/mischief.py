"""Faults of an MCU that are ordered: what the simulator does wrong on the line, so that a module's manners can be seen.

A fault spoils the frames that leave; the conversation above knows nothing of it. `KINDS` is the whole list, with what
its value means. Faults in the middle of a firmware transfer are in `bootloader`.
"""

from collections import namedtuple
from collections.abc import Callable

from mcu_proto.frame import BadFrame, FrameDecoder, encode_frame

# value: what follows the name: "frames" (how many, for ever unless said), "time" (ms).
Kind = namedtuple("Kind", ("value", "about"))

KINDS = {
    "silent": Kind("frames", "send nothing at all"),
    "no-ack": Kind("frames", "send no acks"),
    "slow": Kind("time", "send everything this much later"),
    "checksum": Kind("frames", "send wrong checksums"),
    "sn": Kind("frames", "ack with the wrong sn"),
    "noise": Kind("frames", "send noise in front of frames"),
    "cut": Kind("frames", "send only the first half of frames"),
    "twice": Kind("frames", "send every frame twice"),
    "unstuffed": Kind("frames", "send ff without its 55"),
    "reboot": Kind("time", "restart again and again, this long after each other"),
}
# What boots print on the same pin: printable, with ff among it.
_NOISE = b"\r\nboot rst:1 \xff\xfe\xff ets\r\n"
# More late frames than this are lost, as in a small transmit buffer.
_MAX_LATE = 64
_FOR_EVER = -1


class Mischief:
    """`ordered` maps the faults in force to what is left of them: frames (-1: no end) or ms."""

    def __init__(self) -> None:
        self.ordered: dict[str, int] = {}
        self._late: list[tuple[int, bytes]] = []
        self._reboot_due: int | None = None

    def order(self, name: str, value: int | None, now: int) -> None:
        """From now on; `value` as the kind has it, None for ever."""
        self.ordered[name] = _FOR_EVER if value is None else value
        if name == "reboot":
            self._reboot_due = now + self.ordered[name]

    def end(self) -> None:
        """Behave again. What is late still comes."""
        self.ordered = {}
        self._reboot_due = None

    def spoil(self, data: bytes, now: int) -> list[bytes]:
        """What leaves at once instead of the frame `data`."""
        out = [data]
        for name in _SPOILERS:
            if name in self.ordered and out:
                spoilt = [piece for each in out for piece in _SPOILERS[name](each)]
                if spoilt != out:
                    self._use(name)
                out = spoilt
        if "slow" in self.ordered or self._late:
            due = now + self.ordered.get("slow", 0)
            self._late += [(due, piece) for piece in out][: _MAX_LATE - len(self._late)]
            return []
        return out

    def late(self, now: int) -> list[bytes]:
        """Frames whose time has come."""
        out = []
        while self._late and now >= self._late[0][0]:
            out.append(self._late.pop(0)[1])
        return out

    def is_reboot_due(self, now: int) -> bool:
        """True once for every restart that is due."""
        if self._reboot_due is None or now < self._reboot_due:
            return False
        self._reboot_due = now + self.ordered["reboot"]
        return True

    def next_timeout(self) -> "int | None":
        dues = [self._late[0][0]] if self._late else []
        return min(dues + ([] if self._reboot_due is None else [self._reboot_due]), default=None)

    def _use(self, name: str) -> None:
        if self.ordered[name] == _FOR_EVER:
            return
        self.ordered[name] -= 1
        if not self.ordered[name]:
            del self.ordered[name]


def _no_ack(data: bytes) -> list[bytes]:
    return [] if _is_ack(data) else [data]


def _checksum(data: bytes) -> list[bytes]:
    # Never to ff, which would need a 55 behind it.
    last = data[-1] if data[-2:] != b"\xff\x55" else 0xFF
    head = data[:-2] if last == 0xFF else data[:-1]
    return [head + bytes(((last ^ 1) & 0x7F,))]


def _sn(data: bytes) -> list[bytes]:
    frame = FrameDecoder().feed(data)[0]
    if not _is_ack(data):
        return [data]
    return [encode_frame(frame.cmd, frame.sn + 1 & 0xFF, frame.payload, frame.flags)]


def _is_ack(data: bytes) -> bool:
    frames = FrameDecoder().feed(data)
    return bool(frames) and not isinstance(frames[0], BadFrame) and not frames[0].cmd & 1 and frames[0].cmd != 0x12


# In the order in which they act on a frame.
_SPOILERS: dict[str, Callable[[bytes], list[bytes]]] = {
    "silent": lambda data: [],
    "no-ack": _no_ack,
    "sn": _sn,
    "checksum": _checksum,
    "unstuffed": lambda data: [data[:2] + data[2:].replace(b"\xff\x55", b"\xff")],
    "cut": lambda data: [data[: len(data) // 2]],
    "noise": lambda data: [_NOISE + data],
    "twice": lambda data: [data, data],
}
