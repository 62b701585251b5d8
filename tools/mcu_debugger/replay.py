"""`Replay`: a capture played to a port, with the pauses it had or others. Pure: chunks, time and answers go in.

It reads the capture as it goes: an hour of traffic takes no more memory than a minute.
"""

from collections.abc import Iterable, Iterator

from mcu_proto.link import SendSerial

from .capture.record import Chunk

# How long the other end may still answer after the last byte.
LINGER = 500
# At full speed so many chunks go out before the port is read again.
_BURST = 64


class Replay:
    """Plays the chunks of `senders`; `speed` 2.0 is twice as fast, 0: without pauses."""

    def __init__(self, chunks: Iterable, senders: tuple, speed: float) -> None:
        self.values: dict = {}
        self.is_done = False
        self.played = 0
        self._chunks: Iterator[Chunk] = (
            chunk for chunk in chunks if isinstance(chunk, Chunk) and chunk.sender in senders
        )
        self._speed = speed
        self._next: Chunk | None = None
        self._due: int | None = None
        self._zero_us = 0

    def facts(self) -> dict:
        return {}

    def start(self, now: int) -> list:
        self._advance()
        if self._next is not None:
            self._zero_us = self._next.time_us
        self._set_due(now)
        return []

    def receive_from(self, sender: "int | None", data: bytes, now: int) -> list:
        """Answers of the other end: only to be seen."""
        return []

    def handle_timeout(self, now: int) -> list:
        """The chunks whose time has come."""
        out: list = []
        while self._next is not None and self._due is not None and now >= self._due and len(out) < _BURST:
            out.append(SendSerial(self._next.data))
            self.played += 1
            self._advance()
            self._set_due(now)
        if self._next is None and self._due is not None and now >= self._due:
            self.is_done = True
        return out

    def next_timeout(self) -> "int | None":
        return self._due

    def is_idle(self) -> bool:
        return True

    def line_lost(self, now: int) -> list:
        return []

    def _advance(self) -> None:
        self._next = next(self._chunks, None)

    def _set_due(self, now: int) -> None:
        if self._next is None:
            self._due = now + LINGER
        elif self._speed == 0:
            self._due = now
        else:
            self._due = int((self._next.time_us - self._zero_us) / 1000 / self._speed)
