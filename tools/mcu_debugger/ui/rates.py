"""How busy the line and the program are: differences of counters over time. Pure: the clocks are handed in."""

from collections.abc import Callable

from ..observer import Counts


class Rates:
    """Frames and bytes a second on the line, rows a second on the screen, share of a core; measured between ticks."""

    def __init__(self, clock: Callable[[], float], cpu_clock: Callable[[], float]) -> None:
        self.frames = 0.0
        self.bytes = 0.0
        self.rows = 0.0
        self.cpu = 0.0
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._before: tuple | None = None

    def tick(self, counts: Counts, rows: int) -> None:
        """Once a second or so; `rows` are those shown in all."""
        now = (self._clock(), sum(counts.frames), sum(counts.bytes) + counts.noise_bytes, rows, self._cpu_clock())
        before, self._before = self._before, now
        if before is None or now[0] <= before[0]:
            return
        seconds = now[0] - before[0]
        self.frames, self.bytes, self.rows, self.cpu = (
            (b - a) / seconds for a, b in zip(before[1:], now[1:], strict=True)
        )
