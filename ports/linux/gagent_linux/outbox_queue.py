"""Reports that wait for the cloud, in order and bounded: in number, in bytes, in age. Pure; `now` is monotonic seconds.

What goes when there is no room: the oldest state report; when there is none left, the oldest that is news. What is too
old goes whatever it is. The newest report never goes: it is what the appliance is like now.
"""

from collections import OrderedDict

from .outbox_file import Report

# With reports of the usual 100 bytes the number is reached first; a file that an MCU sent up has 65 kB.
MAX_BYTES = 16 << 20

TOO_MANY = "state"
TOO_MANY_NEWS = "news"
TOO_OLD = "age"


class OutboxQueue:
    """At most `max_reports`, none that came more than `max_age_s` ago."""

    def __init__(self, max_reports: int, max_age_s: float, max_bytes: int = MAX_BYTES) -> None:
        self._max_reports = max_reports
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: OrderedDict[int, tuple[Report, float]] = OrderedDict()
        self._states: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def reports(self) -> list[Report]:
        """All of them, in order."""
        return [report for report, _ in self._waiting.values()]

    def add(self, report: Report, came: float) -> list[tuple[Report, str]]:
        """Take the newest report, which came at `came`; what had to go for it, each with why."""
        self._waiting[report.seq] = (report, came)
        self._bytes += _size(report)
        if not report.news:
            self._states[report.seq] = None
        dropped = []
        while len(self._waiting) > 1 and (len(self._waiting) > self._max_reports or self._bytes > self._max_bytes):
            dropped.append(self._drop_one(report.seq))
        return dropped

    def expire(self, now: float) -> list[tuple[Report, str]]:
        """What has become too old."""
        dropped = []
        while len(self._waiting) > 1:
            report, came = next(iter(self._waiting.values()))
            if now - came <= self._max_age_s:
                break
            self.remove(report.seq)
            dropped.append((report, TOO_OLD))
        return dropped

    def first(self) -> tuple[Report, float] | None:
        """The oldest, and when it came."""
        return next(iter(self._waiting.values()), None)

    def remove(self, seq: int) -> Report | None:
        """Take one out, if it is there."""
        entry = self._waiting.pop(seq, None)
        if entry is None:
            return None
        self._bytes -= _size(entry[0])
        self._states.pop(seq, None)
        return entry[0]

    def _drop_one(self, newest: int) -> tuple[Report, str]:
        seq = next(iter(self._states), newest)
        why = TOO_MANY
        if seq == newest:
            seq, why = next(iter(self._waiting)), TOO_MANY_NEWS
        report, _ = self._waiting[seq]
        self.remove(seq)
        return report, why


def _size(report: Report) -> int:
    return len(report.topic) + len(report.payload)
