"""What is new in a session, as rows of the log: a bounded helping each time, or none while the view is frozen. Pure."""

from collections import namedtuple

from ..backlog import Answered
from ..session import Session
from .entry import EntryMaker
from .frame_log import FrameLog

# Events that are taken at once: more cannot be read, and a screen has a hundred lines at best.
ROWS_PER_TICK = 200

# `count` rows came, `gone` went from the top of what is shown; `refused` are answers to lines that could not be.
Helping = namedtuple("Helping", ("count", "gone", "refused"))


class Feed:
    """`rows` came so far, `left_out` events did not: the newest go first. `waiting` came since the view is frozen."""

    def __init__(self, session: Session, log: FrameLog) -> None:
        self.rows = 0
        self.left_out = 0
        self.is_frozen = False
        self.waiting = 0
        self._backlog = session.backlog
        self._log = log
        self._maker = EntryMaker(session.schema, session.units)
        self._at = 0

    def take(self) -> Helping:
        """Put what is new into the log."""
        if self.is_frozen:
            self.waiting = self._backlog.since(self._at, 0)[1] - self._at
            return Helping(0, 0, [])
        events, at = self._backlog.since(self._at, ROWS_PER_TICK)
        self.left_out += at - self._at - len(events)
        self._at = at
        self.waiting = 0
        entries = [entry for event in events for entry in self._maker.rows(event)]
        self.rows += len(entries)
        refused = [event.text[2:] for event in events if isinstance(event, Answered) and event.text.startswith("? ")]
        return Helping(len(entries), self._log.add(entries), refused)
