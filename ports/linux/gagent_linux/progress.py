"""Whether the pump of one port makes progress: what the watchdog of the service manager goes by.

A port that waits (for its adapter, for an MCU that is silent, for a cloud that is away) makes progress: its deadlines
are met. One whose deadline has long passed, or whose agent fails at the same input again and again, does not.
"""

# Far over any pause of a busy machine, and below what a watchdog allows.
_LATE = 10_000
# With a pause of a second after each failure: a third of a minute.
_FAILURES = 20


class Progress:
    """Fed by the pump: each input that was dealt with, or failed in the agent, by its name."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}

    def done(self, name: str) -> None:
        """An input was dealt with."""
        self._failures.pop(name, None)

    def failed(self, name: str) -> None:
        """An input raised."""
        self._failures[name] = self._failures.get(name, 0) + 1

    def blocked(self, deadline: int | None, now: int) -> str:
        """Why there is no progress, or ""; `deadline` is when the agent wanted to be called."""
        if deadline is not None and now - deadline > _LATE:
            return "its timer is %d s late" % ((now - deadline) // 1000)
        for name, count in self._failures.items():
            if count >= _FAILURES:
                return "%s failed %d times in a row" % (name, count)
        return ""
