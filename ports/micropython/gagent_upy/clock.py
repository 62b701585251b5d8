"""The agent's clock: milliseconds that only grow, of a counter that wraps."""

import time


class Clock:
    """`now()` must be called at least once in the counter's six days; the loop does a thousand times a minute."""

    def __init__(self):
        self._ticks = time.ticks_ms()
        self._now = 0

    def now(self) -> int:
        """Milliseconds since the start."""
        ticks = time.ticks_ms()
        passed = time.ticks_diff(ticks, self._ticks)
        if passed > 0:
            self._now += passed
            self._ticks = ticks
        return self._now
