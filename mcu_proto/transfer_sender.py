"""The sending end of big data: the module's in an upgrade of the MCU, the MCU's in an upload. See `transfer`."""

from .const import (
    CMD_ANNOUNCE,
    CMD_PIECE,
    CMD_READY,
    CMD_STOP_RECEIVING,
    CMD_STOP_SENDING,
    ERR_FILE_TYPE,
    FLAG_HEX,
    FLAG_LAST,
    PIECE_TIMEOUT,
    const,
)
from .errors import LocalError, RemoteError
from .transfer import (
    DEFAULT_PIECE,
    ENDED_CANCELLED,
    ENDED_DONE,
    ENDED_LINE,
    ENDED_MISMATCH,
    ENDED_NO_ACK,
    ENDED_PIECE_SIZE,
    ENDED_SILENCE,
    ENDED_STOPPED,
    ENDED_UNCONFIRMED,
    MAX_PIECE,
    Ended,
    NeedData,
    build_announce,
    parse_ready,
)

# A receiver may take minutes to erase its flash; the first announcement may have been missed.
READY_TIMEOUT = const(120000)
ANNOUNCE_AGAIN = const(10000)
# The longest line of Intel HEX with its CR LF.
MAX_LINE = const(263)

_IDLE = const(0)
_ANNOUNCED = const(1)
_SENDING = const(2)
# We gave up waiting, but the file is still there.
_LATE = const(3)


class TransferSender:
    """Sends one file of `size` bytes; `md5` are its 32 hex digits as bytes, `is_hex` says that it is HEX text."""

    def __init__(self, link, size, md5, is_hex=False):
        self._link = link
        self._size = size
        self._md5 = md5
        self._is_hex = is_hex
        self._state = _IDLE
        self._deadline = None
        self._again_at = None
        self._hex = 0
        self._token = None
        self._rewind(DEFAULT_PIECE)

    def owns(self, token) -> bool:
        """True when an Acked or Failed with this token is ours."""
        return isinstance(token, tuple) and token[0] is self

    def start(self, now) -> list:
        """Announce the file."""
        self._state = _ANNOUNCED
        self._deadline = now + READY_TIMEOUT
        self._again_at = now + ANNOUNCE_AGAIN
        return self._announce(now)

    def receive(self, frame, now) -> list:
        """A request of the receiver: CMD_READY (held) or CMD_STOP_RECEIVING."""
        if frame.cmd == CMD_STOP_RECEIVING:
            return self._end(ENDED_CANCELLED) if self._is_open() else []
        if frame.cmd != CMD_READY:
            return []
        try:
            md5, piece_size = parse_ready(frame.payload)
        except RemoteError:
            return self._link.reply(frame)
        if frame.flags & FLAG_HEX and not self._is_hex:
            return self._link.complain(frame, ERR_FILE_TYPE)
        out = self._link.reply(frame)
        if self._state == _IDLE:
            # It was stopped, and the receiver has not heard of it.
            return out + self._link.request(CMD_STOP_SENDING, b"", now)
        if md5 and md5 != self._md5:
            return out + self._stop(ENDED_MISMATCH, now)
        if piece_size > MAX_PIECE:
            return out + self._stop(ENDED_PIECE_SIZE, now)
        # Also when we are sending already: the receiver begins at piece 1.
        self._state = _SENDING
        self._deadline = self._again_at = None
        self._hex = frame.flags & FLAG_HEX
        self._rewind(piece_size)
        return out + self._need()

    def give(self, data, now) -> list:
        """What NeedData asked for, all of it."""
        if self._state != _SENDING or self._next is not None:
            return []
        if len(data) != self._wanted:
            raise LocalError("%d bytes given at %d, %d asked for" % (len(data), self._offset, self._wanted))
        flags = count = 0
        if self._hex:
            end = data.find(b"\n") + 1
            data = data[:end] if end else data
            if len(data) > MAX_LINE:
                return self._stop(ENDED_LINE, now)
            flags = FLAG_HEX
            self._is_last = self._offset + len(data) >= self._size
            if self._is_last:
                flags |= FLAG_LAST
        else:
            count = max((self._size + self._piece_size - 1) // self._piece_size, 1)
            self._is_last = self._number == count
        self._next = self._offset + len(data)
        head = self._number.to_bytes(2, "big") + count.to_bytes(2, "big")
        return self._link.request(CMD_PIECE, head + data, now, self._token, PIECE_TIMEOUT, flags)

    def acked(self, token, now) -> list:
        """An Acked whose token we own."""
        if self._state != _SENDING or token is not self._token:
            return []
        if self._is_last:
            return self._end(ENDED_DONE)
        self._offset = self._next
        self._next = None
        self._number += 1
        return self._need()

    def failed(self, token, now) -> list:
        """A Failed whose token we own."""
        if self._state != _SENDING or token is not self._token:
            return []
        if self._is_last:
            return self._end(ENDED_UNCONFIRMED)
        return self._stop(ENDED_NO_ACK, now)

    def again(self) -> list:
        """The piece in hand found no place in the link's queue: ask for it once more."""
        if self._state != _SENDING:
            return []
        self._next = None
        return [NeedData(self._offset, self._wanted)]

    def cancel(self, now) -> list:
        """Stop sending."""
        return self._stop(ENDED_STOPPED, now) if self._is_open() else []

    def handle_timeout(self, now) -> list:
        """Announce once more, or give up waiting for the receiver."""
        if self._again_at is not None and now >= self._again_at:
            self._again_at = None
            return self._announce(now)
        if self._deadline is not None and now >= self._deadline:
            out = self._end(ENDED_SILENCE)
            self._state = _LATE
            return out
        return []

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do."""
        return self._deadline if self._again_at is None else self._again_at

    def progress(self) -> int:
        """Bytes that the receiver has acked."""
        return self._offset

    def _is_open(self) -> bool:
        return self._state == _ANNOUNCED or self._state == _SENDING

    def _announce(self, now) -> list:
        # Without a token: a missing 1a is told by the missing 1b.
        return self._link.request(CMD_ANNOUNCE, build_announce(self._size, self._md5), now)

    def _rewind(self, piece_size):
        self._piece_size = piece_size
        self._number = 1
        self._offset = 0
        self._next = None
        self._wanted = 0
        self._is_last = False

    def _need(self) -> list:
        # A piece of an earlier round may still be in flight: its outcome must not count for this one.
        self._token = (self, self._number)
        self._wanted = min(MAX_LINE + 1 if self._hex else self._piece_size, self._size - self._offset)
        return [NeedData(self._offset, self._wanted)]

    def _stop(self, reason, now) -> list:
        return self._link.request(CMD_STOP_SENDING, b"", now) + self._end(reason)

    def _end(self, reason) -> list:
        self._state = _IDLE
        self._deadline = self._again_at = None
        return [Ended(reason)]
