"""The receiving end of big data: the MCU's in an upgrade, the module's in an upload. See `transfer`."""

from .const import CMD_ANNOUNCE, CMD_PIECE, CMD_READY, CMD_STOP_RECEIVING, CMD_STOP_SENDING, FLAG_HEX, FLAG_LAST, const
from .errors import RemoteError
from .transfer import (
    DEFAULT_PIECE,
    ENDED_CANCELLED,
    ENDED_DONE,
    ENDED_ORDER,
    ENDED_SILENCE,
    ENDED_SIZE,
    ENDED_STOPPED,
    Ended,
    Ready,
    StoreData,
    build_ready,
    parse_announce,
)

# The receiver gives up when no piece comes.
PIECE_SILENCE = const(15000)

_IDLE = const(0)
_ANNOUNCED = const(1)
_RECEIVING = const(2)


class TransferReceiver:
    """Receives one file after another; `piece_size` is what we ask for, `wants_hex` asks for lines of HEX text."""

    def __init__(self, link, piece_size=DEFAULT_PIECE, wants_hex=False):
        self._link = link
        self._piece_size = piece_size
        self._flags = FLAG_HEX if wants_hex else 0
        self._state = _IDLE
        self._deadline = None
        self._rewind(0, b"")

    def receive(self, frame, now) -> list:
        """A request of the sender: CMD_ANNOUNCE, CMD_PIECE (held) or CMD_STOP_SENDING."""
        if frame.cmd == CMD_PIECE:
            return self._on_piece(frame, now)
        if frame.cmd == CMD_STOP_SENDING:
            return self._end(ENDED_CANCELLED) if self._state else []
        if frame.cmd != CMD_ANNOUNCE:
            return []
        try:
            size, md5 = parse_announce(frame.payload)
        except RemoteError:
            return []
        self._state = _ANNOUNCED
        self._deadline = None
        self._rewind(size, md5)
        return [Ready(size, md5)]

    def accept(self, now) -> list:
        """There is room for the file of the last Ready: ask for its pieces."""
        if self._state != _ANNOUNCED:
            return []
        self._state = _RECEIVING
        self._deadline = now + PIECE_SILENCE
        payload = build_ready(self._md5, self._piece_size)
        return self._link.request(CMD_READY, payload, now, flags=self._flags)

    def stored(self, now) -> list:
        """The data of the last StoreData is safe: ack it."""
        if self._frame is None:
            return []
        out = self._link.reply(self._frame)
        self._frame = None
        if self._state != _RECEIVING:
            return out
        self._offset = self._next
        self._number += 1
        self._deadline = now + PIECE_SILENCE
        if not self._is_last:
            return out
        return out + (self._end(ENDED_DONE) if self._offset == self._size else self._stop(ENDED_SIZE, now))

    def cancel(self, now) -> list:
        """Stop receiving: no room, or the md5 of the whole was wrong."""
        return self._stop(ENDED_STOPPED, now)

    def handle_timeout(self, now) -> list:
        """Give up when no piece comes."""
        if self._deadline is not None and now >= self._deadline:
            return self._stop(ENDED_SILENCE, now)
        return []

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do."""
        return self._deadline

    def progress(self) -> int:
        """Bytes that are stored."""
        return self._offset

    def _on_piece(self, frame, now) -> list:
        payload = frame.payload
        if self._state != _RECEIVING or len(payload) < 4:
            # Nobody announced it.
            return self._link.reply(frame) + self._link.request(CMD_STOP_RECEIVING, b"", now)
        number = payload[0] << 8 | payload[1]
        if number < self._number:
            # It came again after we stored it.
            return self._link.reply(frame)
        if self._frame is not None:
            # We are storing: the ack follows.
            return []
        if number > self._number:
            return self._link.reply(frame) + self._stop(ENDED_ORDER, now)
        data = payload[4:]
        self._next = self._offset + len(data)
        if self._next > self._size:
            return self._link.reply(frame) + self._stop(ENDED_SIZE, now)
        self._is_last = number == payload[2] << 8 | payload[3] or bool(frame.flags & FLAG_LAST)
        self._frame = frame
        self._deadline = None
        return [StoreData(self._offset, data)]

    def _rewind(self, size, md5):
        self._size = size
        self._md5 = md5
        self._number = 1
        self._offset = 0
        self._next = 0
        self._is_last = False
        self._frame = None

    def _stop(self, reason, now) -> list:
        return self._link.request(CMD_STOP_RECEIVING, b"", now) + self._end(reason)

    def _end(self, reason) -> list:
        self._state = _IDLE
        self._deadline = None
        return [Ended(reason)]
