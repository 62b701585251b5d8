"""A stream of bytes cut where its frames begin and end, noise included: nothing that crossed the line is lost to view.

`FrameDecoder` says what a frame means and forgets its wire form; an observer shows both, with stuffing, damage and boot
text. The decoder decides everything: it is fed so that each item it gives has its own bytes. Serial manual, chapter 1.
"""

from collections import namedtuple

from mcu_proto.const import LEN_OVERHEAD, MAX_FRAME
from mcu_proto.frame import Frame, FrameDecoder

# `item` is a Frame, a BadFrame, or None for bytes that belong to no frame; `wire` its bytes as they crossed the line.
Slice = namedtuple("Slice", ("wire", "item"))

_HEADER = b"\xff\xff"
# Noise is told in lines of this many bytes at most.
NOISE_LINE = 64


class FrameSlicer:
    """Keeps at most one unfinished frame, or a line of noise."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        # What was fed to the decoder since the last slice ended.
        self._wire = bytearray()
        self._late_stuffing = False

    def feed(self, data: bytes) -> list[Slice]:
        """The frames that `data` completes, and the noise in front of them; never raises."""
        out: list[Slice] = []
        at = 0
        end = len(data)
        if self._late_stuffing and end:
            # The 55 of a checksum ff, which ended the frame before it came.
            self._late_stuffing = False
            at = int(data[0] == 0x55)
        while at < end:
            if not self._wire:
                at = self._take_whole(data, at, end, out)
            if at < end:
                at = self._take_step(data, at, end, out)
        return out

    def flush(self) -> list[Slice]:
        """Silence: what is unfinished is over, as a slice without an item."""
        self._decoder.reset()
        out: list[Slice] = []
        self._end_noise(out)
        return out

    def is_inside(self) -> bool:
        """True while a frame has begun, with the first ff of its header, and is not complete."""
        return self._decoder.is_inside() or self._wire[-1:] == b"\xff"

    def is_empty(self) -> bool:
        """True when everything that came is told."""
        return not self._wire

    def _take_whole(self, data: bytes, at: int, end: int, out: list) -> int:
        """As many frames as lie there whole with nothing stuffed: the usual case. The new position."""
        feed = self._decoder.feed
        while at + 4 <= end and data[at] == 0xFF and data[at + 1] == 0xFF:
            size = data[at + 2] << 8 | data[at + 3]
            stop = at + 4 + size
            if size < LEN_OVERHEAD or size > MAX_FRAME or stop > end or data.find(b"\xff", at + 2, stop) >= 0:
                break
            wire = data[at:stop]
            out.append(Slice(wire, feed(wire)[0]))
            at = stop
        return at

    def _take_step(self, data: bytes, at: int, end: int, out: list) -> int:
        """One step of anything else: noise up to the next ff, a run without ff inside a frame, or a single ff."""
        ff = data.find(b"\xff", at, end)
        stop = at + 1 if ff == at else ff if ff > 0 else end
        if not self._decoder.is_inside():
            return self._take_noise(data, at, min(stop, at + NOISE_LINE), out)
        # Not more than the frame can still need: what follows it is not its own.
        stop = min(stop, at + self._missing())
        items = self._decoder.feed(data[at:stop])
        self._wire += data[at:stop]
        return self._end_frame(items, data, stop, end, out) if items else stop

    def _take_noise(self, data: bytes, at: int, stop: int, out: list) -> int:
        self._decoder.feed(data[at:stop])
        self._wire += data[at:stop]
        if self._decoder.is_inside():
            noise = bytes(self._wire[:-2])
            self._wire = bytearray(_HEADER)
            if noise:
                out.append(Slice(noise, None))
        elif len(self._wire) >= NOISE_LINE and self._wire[-1] != 0xFF:
            self._end_noise(out)
        return stop

    def _missing(self) -> int:
        """How many wire bytes the frame needs at least."""
        body = self._wire[2:].replace(b"\xff\x55", b"\xff")
        if len(body) < 2:
            return 1
        return max((body[0] << 8 | body[1]) + 2 - len(body), 1)

    def _end_frame(self, items: list, data: bytes, at: int, end: int, out: list) -> int:
        wire = bytes(self._wire)
        if self._decoder.is_inside():
            # Cut short by the header of the next one.
            self._wire = bytearray(_HEADER)
            out.append(Slice(wire[:-2], items[0]))
            return at
        self._wire = bytearray()
        if wire[-1] == 0xFF and isinstance(items[0], Frame):
            if at < end and data[at] == 0x55:
                wire += b"\x55"
                at += 1
            else:
                self._late_stuffing = at == end
        out.append(Slice(wire, items[0]))
        return at

    def _end_noise(self, out: list) -> None:
        if self._wire:
            out.append(Slice(bytes(self._wire), None))
            self._wire = bytearray()
