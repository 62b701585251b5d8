"""What a report tells of a capture, gathered in one pass and in bounded memory, however long the capture is."""

from collections import deque
from collections.abc import Iterable

from mcu_proto.const import MCU, MODULE
from mcu_proto.frame import BadFrame

from ..observer import Observed, Unanswered
from .reader import Damage
from .record import Head, Note

_COLUMNS = 600
_POINTS = 2000
# Enough to see what happens; the rest is counted.
MAX_ERRORS = 300
MAX_FRAMES = 300
MAX_NOTES = 300


class Timeline:
    """Frames of each end and errors over time; columns grow twice as wide whenever there are too many."""

    def __init__(self) -> None:
        self.width_us = 1000
        # [module, mcu, errors] a column.
        self.columns: list[list[int]] = []

    def add(self, time_us: int, kind: int) -> None:
        at = time_us // self.width_us
        while at >= _COLUMNS:
            pairs = zip(self.columns[::2], [*self.columns[1::2], [0, 0, 0]], strict=False)
            self.columns = [[a + b for a, b in zip(one, two, strict=True)] for one, two in pairs]
            self.width_us *= 2
            at = time_us // self.width_us
        while len(self.columns) <= at:
            self.columns.append([0, 0, 0])
        self.columns[at][kind] += 1


class Series:
    """One attribute over time: where it changes, thinned when there are too many."""

    def __init__(self) -> None:
        self.points: list[tuple[int, object]] = []
        self.changes = 0
        self._every = 1

    def add(self, time_us: int, value: object) -> None:
        if self.points and self.points[-1][1] == value:
            return
        self.changes += 1
        if self.changes % self._every:
            return
        self.points.append((time_us, value))
        if len(self.points) > _POINTS:
            self.points = self.points[::2]
            self._every *= 2


class Digest:
    """Feed it every item; then read."""

    def __init__(self) -> None:
        self.title = ""
        self.began = ""
        self.last_us = 0
        self.timeline = Timeline()
        self.series: dict[str, Series] = {}
        self.errors: list[Observed] = []
        self.errors_in_all = 0
        self.notes: list[Note] = []
        self.damage: list[Damage] = []
        self.first: list[Observed] = []
        self.newest: deque[Observed] = deque(maxlen=MAX_FRAMES)

    def feed(self, items: Iterable[tuple]) -> None:
        for item in items:
            if isinstance(item, Observed):
                self._observed(item)
            elif isinstance(item, Note) and len(self.notes) < MAX_NOTES:
                self.notes.append(item)
            elif isinstance(item, Damage) and len(self.damage) < MAX_NOTES:
                self.damage.append(item)
            elif isinstance(item, Head) and not self.began:
                self.title, self.began = item.title, item.began

    def _observed(self, observed: Observed) -> None:
        self.last_us = max(self.last_us, observed.time_us)
        if observed.sender in (MODULE, MCU):
            self.timeline.add(observed.time_us, observed.sender)
        if _is_error(observed):
            self.timeline.add(observed.time_us, 2)
            self.errors_in_all += 1
            if len(self.errors) < MAX_ERRORS:
                self.errors.append(observed)
        if len(self.first) < MAX_FRAMES:
            self.first.append(observed)
        else:
            self.newest.append(observed)
        for name, value in (observed.values or {}).items():
            # What the MCU says it is; a control is only a wish.
            if observed.sender == MCU:
                self.series.setdefault(name, Series()).add(observed.time_us, value)


def _is_error(observed: Observed) -> bool:
    item = observed.item
    if item is None or isinstance(item, BadFrame | Unanswered) or observed.repeats:
        return True
    return item.cmd in (0x11, 0x12)
