"""The newest events of a session, for a view that reads them when it has time: a ring, safe between two threads."""

import threading
from collections import deque, namedtuple

# What a session's listeners get, besides `observer.Observed`; times are µs since the session began.
Told = namedtuple("Told", ("time_us", "text"))  # something happened
Answered = namedtuple("Answered", ("time_us", "text"))  # to a line that was typed, or of the script
Shown = namedtuple("Shown", ("time_us", "columns", "rows"))  # the same as a table

# A minute of a busy 115200 baud line; ten megabytes.
SIZE = 5000


class Backlog:
    """Keeps the last `size` events and how many there were before."""

    def __init__(self, size: int = SIZE) -> None:
        self._events: deque = deque(maxlen=size)
        self._end = 0
        self._lock = threading.Lock()

    def append(self, event: tuple) -> None:
        with self._lock:
            self._events.append(event)
            self._end += 1

    def since(self, at: int, limit: int) -> tuple[list, int]:
        """(up to `limit` of the newest events after position `at`, the position to go on from)."""
        with self._lock:
            count = min(self._end - at, len(self._events), limit)
            events = [self._events[i] for i in range(len(self._events) - count, len(self._events))] if count else []
            return events, self._end
