"""What became of the reports of one outbox since the start of the process: counted, and each kind of loss told once."""

from .log import PortLog
from .outbox_queue import TOO_MANY, TOO_MANY_NEWS, TOO_OLD

IDENTITY = "identity"
REFUSED = "refused"

_WHY_DROPPED = {
    TOO_MANY: "the outbox is full: the oldest state reports are dropped from now on",
    TOO_MANY_NEWS: "the outbox is full of alerts and faults: the oldest of them are dropped from now on",
    TOO_OLD: "reports are dropped that waited too long for the cloud",
    IDENTITY: "stored reports are dropped: they are of an identity that is no more",
    REFUSED: "a report is dropped: the broker never takes it",
}


class OutboxTally:
    """`taken`, `delivered`, `repeated` reports, and `damaged` files."""

    def __init__(self, log: PortLog) -> None:
        self.taken = 0
        self.delivered = 0
        self.repeated = 0
        self.damaged = 0
        self.dropped = dict.fromkeys(_WHY_DROPPED, 0)
        self._log = log
        self._told: set[str] = set()

    def drop(self, why: str) -> None:
        """One report was dropped."""
        self.dropped[why] += 1
        if why not in self._told:
            self._told.add(why)
            self._log.warning("%s", _WHY_DROPPED[why])

    def damage(self, line: str) -> None:
        """A file was set aside; `line` says which, and where it is now."""
        self.damaged += 1
        self._log.error("%s", line)

    def all_went(self) -> None:
        """Nothing waits any more: the next loss is news again."""
        self._told.clear()
