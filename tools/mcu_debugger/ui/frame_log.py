"""The rows that are kept: a bounded list, with those of it that pass the filter. Pure.

Old rows go in chunks, so that adding one is cheap; `forgotten` counts those that went.
"""

from .entry import Entry
from .entry_filter import Test, parse_filter

# About a minute of a busy line at 115200 baud.
MAX_ENTRIES = 5000


class FrameLog:
    """`shown` are the rows that pass the filter, oldest first."""

    def __init__(self, size: int = MAX_ENTRIES) -> None:
        self.shown: list[Entry] = []
        self.forgotten = 0
        self.filter_text = ""
        self._all: list[Entry] = []
        self._size = size
        self._test: Test = parse_filter("")

    def __len__(self) -> int:
        return len(self._all)

    def add(self, entries: list[Entry]) -> int:
        """Keep these too; how many rows went from the top of `shown`."""
        self._all += entries
        self.shown += [entry for entry in entries if self._test(entry)]
        surplus = len(self._all) - self._size
        if surplus <= 0:
            return 0
        surplus += self._size // 10
        first = self._all[surplus].number
        del self._all[:surplus]
        self.forgotten += surplus
        gone = next((i for i, entry in enumerate(self.shown) if entry.number >= first), len(self.shown))
        del self.shown[:gone]
        return gone

    def filter(self, text: str) -> None:
        """Show only the rows that pass; FilterError, and nothing changes, when the text means nothing."""
        self._test = parse_filter(text)
        self.filter_text = text
        self.shown = [entry for entry in self._all if self._test(entry)]

    def clear(self) -> None:
        """Begin anew."""
        self.forgotten += len(self._all)
        self._all = []
        self.shown = []

    def find(self, text: str, begin: int, step: int) -> int | None:
        """Index in `shown` of the next row that holds `text`, from `begin` on, around the end; None when none does."""
        count = len(self.shown)
        for i in range(count):
            at = (begin + i * step) % count
            if text.lower() in self.shown[at].plain:
                return at
        return None

    def state_at(self, entry: Entry) -> dict:
        """The attributes as the newest report or read reply up to this row told them; {} when none is kept."""
        for each in reversed(self._all):
            if each.number <= entry.number and each.kind == "report" and getattr(each.event, "values", None):
                return dict(each.event.values)
        return {}
