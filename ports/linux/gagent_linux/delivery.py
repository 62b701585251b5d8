"""Reports from the outbox to the broker: QoS 1, oldest first, one at a time. Cloud manual, device side, chapter 4.4.

A report leaves the outbox when the broker acknowledged it (PUBACK). One is under way and no more, so that a crash or a
lost session repeats one report at most, and nothing overtakes. At 200 ms to the broker and back that is five reports a
second, twenty times what an MCU on a 9600 baud line sends for long.
"""

from collections.abc import Callable
from functools import partial

from .outbox import Outbox

# deliver(topic, payload, on_acked), with QoS 1; ValueError when it can never be published.
Deliver = Callable[[str, bytes, Callable[[], None]], None]

# A report that was under way when this many sessions in a row ended is what ends them: those behind it shall not wait.
_MAX_SESSIONS = 8


class Delivery:
    """By `deliver`, between `begin` and `end` of a session; `wake` it when there may be something new to send."""

    def __init__(self, outbox: Outbox, deliver: Deliver) -> None:
        self._outbox = outbox
        self._deliver = deliver
        self._is_open = False
        self._under_way: int | None = None
        self._tried = 0
        self._sessions = 0

    def begin(self) -> None:
        """A session is there: what waits goes first."""
        self._is_open = True
        self._under_way = None
        self._outbox.cloud_here()
        self.wake()

    def end(self) -> None:
        """The session is over; harmless when there is none."""
        if not self._is_open:
            return
        self._is_open = False
        if self._under_way is not None and self._sessions >= _MAX_SESSIONS:
            self._outbox.refuse(self._under_way)
        self._under_way = None
        self._outbox.cloud_away()

    def wake(self) -> None:
        """Send the next report, unless one is under way."""
        while self._is_open and self._under_way is None:
            report = self._outbox.first()
            if report is None:
                return
            self._sessions = self._sessions + 1 if report.seq == self._tried else 1
            self._tried = self._under_way = report.seq
            try:
                self._deliver(report.topic, report.payload, partial(self._acked, report.seq))
            except ValueError:
                self._outbox.refuse(report.seq)
                self._under_way = None

    def is_behind(self, limit: int) -> bool:
        """Whether more than `limit` reports wait for a session that is there."""
        return self._is_open and len(self._outbox) > limit

    def _acked(self, seq: int) -> None:
        if seq == self._under_way:
            self._under_way = None
            self._outbox.delivered(seq)
            self.wake()
