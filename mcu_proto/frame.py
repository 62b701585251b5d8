"""One serial frame: bytes to `Frame` and back. Serial manual, chapter 1.

    ff ff | len (2) | cmd | sn | flags (2) | payload (len - 5) | checksum

`len` counts cmd to checksum; the checksum is the byte sum from len to the end of the payload. After the header every
ff goes out as `ff 55`; neither length nor checksum counts the inserted 55.

The decoder promises to survive, losing at most the frame that is touched: noise before, between and after frames; a
stray ff before the header; a header inside an unfinished frame (starts over); an impossible length (hunts), or one for
which a chip has no room now; an ff sent without its 55 in the body or as the checksum (`# Deviation:` below); any split
of the stream into reads.
"""

from collections import namedtuple

from .const import BAD_CHECKSUM, BAD_LENGTH, BAD_TRUNCATED, HEADER, LEN_OVERHEAD, MAX_FRAME, MAX_PAYLOAD, const
from .errors import LocalError

Frame = namedtuple("Frame", ("cmd", "sn", "flags", "payload"))
# cmd and sn are best guesses; -1 when the frame ended before them.
BadFrame = namedtuple("BadFrame", ("reason", "cmd", "sn"))

_HUNT = const(0)
_ONE_FF = const(1)
_BODY = const(2)
_PENDING = const(3)


def checksum(data) -> int:
    """Byte sum modulo 256."""
    return sum(data) & 0xFF


def encode_frame(cmd, sn, payload=b"", flags=0) -> bytes:
    """The wire bytes of one frame; LocalError when the payload is over MAX_PAYLOAD."""
    if len(payload) > MAX_PAYLOAD:
        raise LocalError("payload of %d bytes, at most %d fit" % (len(payload), MAX_PAYLOAD))
    n = len(payload) + LEN_OVERHEAD
    body = bytes((n >> 8, n & 0xFF, cmd, sn, flags >> 8, flags & 0xFF)) + payload
    body += bytes((checksum(body),))
    return HEADER + body.replace(b"\xff", b"\xff\x55")


class FrameDecoder:
    """A stream of bytes in, frames out; `max_frame` is the largest accepted `len`: no more than that is held."""

    def __init__(self, max_frame=MAX_FRAME):
        self._max = max_frame
        self._begin()
        self.reset()

    def feed(self, data) -> list:
        """The frames completed by `data`, as `Frame` or `BadFrame`; never raises, keeps nothing of `data`."""
        data = bytes(data)
        out = []
        i = 0
        end = len(data)
        while i < end:
            state = self._state
            if state == _BODY:
                i = self._take_run(data, i, end, out)
                continue
            if state == _HUNT:
                i = data.find(b"\xff", i) + 1
                if i == 0:
                    break
                i = self._take_whole(data, i, end, out)
                continue
            b = data[i]
            i += 1
            if state == _ONE_FF:
                if b == 0xFF:
                    self._begin()
                else:
                    self._state = _HUNT
            elif b == 0x55:
                self._append(0xFF, out)
            elif b == 0xFF:
                self._give_up(BAD_TRUNCATED, out)
                self._begin()
            else:
                # Deviation: an ff without its 55 is taken as it stands, for MCUs that do not stuff at all. Before the
                # first byte it was noise in front of the header.
                self._state = _BODY
                if self._have:
                    self._append(0xFF, out)
                if self._state == _BODY:
                    i -= 1
        return out

    def reset(self):
        """Forget a half received frame."""
        self._state = _HUNT
        # Between two frames the room is others'.
        self._buf = bytearray()

    def is_inside(self) -> bool:
        """True while a frame has begun and is not complete."""
        return self._state >= _BODY

    def _begin(self):
        self._state = _BODY
        # For the length; one for the whole frame follows it.
        self._buf = bytearray(2)
        self._have = 0
        self._need = 2

    def _take_whole(self, data, i, end, out):
        """A frame that is here from its second ff to its checksum, with nothing stuffed: the usual case, in one go.

        Anything else is left to the states, from ONE_FF on; the new position.
        """
        stop = i + 3 + (data[i + 1] << 8 | data[i + 2]) if i + 2 < end and data[i] == 0xFF else end + 1
        size = stop - i - 3
        if stop > end or size < LEN_OVERHEAD or size > self._max or data.find(b"\xff", i + 1, stop) >= 0:
            self._state = _ONE_FF
            return i
        last = stop - 1
        if sum(data[i + 1 : last]) & 0xFF == data[last]:
            out.append(Frame(data[i + 3], data[i + 4], data[i + 5] << 8 | data[i + 6], data[i + 7 : last]))
        else:
            out.append(BadFrame(BAD_CHECKSUM, data[i + 3], data[i + 4]))
        return stop

    def _take_run(self, data, i, end, out):
        """Copy everything up to the next ff, the missing bytes or the end of the read in one go; the new position."""
        have = self._have
        stop = i + self._need - have
        if stop > end:
            stop = end
        ff = data.find(b"\xff", i, stop)
        if ff >= 0:
            stop = ff
        if stop > i:
            self._buf[have : have + stop - i] = data[i:stop]
            self._have = have + stop - i
            self._check(out)
            return stop
        if self._have == self._need - 1 and self._have > 2 and checksum(memoryview(self._buf)[: self._have]) == 0xFF:
            # Complete without waiting for the 55, which some senders leave out; hunting skips it when it comes.
            self._append(0xFF, out)
        else:
            self._state = _PENDING
        return i + 1

    def _append(self, b, out):
        self._state = _BODY
        self._buf[self._have] = b
        self._have += 1
        self._check(out)

    def _check(self, out):
        if self._have < self._need:
            return
        buf = self._buf
        if self._need == 2:
            self._make_room(buf[0] << 8 | buf[1], out)
            return
        last = self._need - 1
        if checksum(memoryview(buf)[:last]) == buf[last]:
            self.reset()
            out.append(Frame(buf[2], buf[3], buf[4] << 8 | buf[5], bytes(memoryview(buf)[6:last])))
        else:
            self._give_up(BAD_CHECKSUM, out)

    def _make_room(self, n, out):
        if n < LEN_OVERHEAD or n > self._max:
            self._give_up(BAD_LENGTH, out)
            return
        try:
            whole = bytearray(n + 2)
        except MemoryError:
            # Only now: the sender gets no ack and tries again.
            self._give_up(BAD_LENGTH, out)
            return
        whole[:2] = self._buf
        self._buf = whole
        self._need = n + 2

    def _give_up(self, reason, out):
        have = self._have
        if have:
            out.append(BadFrame(reason, self._buf[2] if have > 2 else -1, self._buf[3] if have > 3 else -1))
        self.reset()
