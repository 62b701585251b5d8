"""Values over time, for sparklines: one sample a second, bounded. Pure."""

from collections import deque

from mcu_proto.datapoint import Attr

from ..value_text import limits

SAMPLES = 120
_LEVELS = "▁▂▃▄▅▆▇█"


class History:
    """The last SAMPLES samples of every attribute."""

    def __init__(self) -> None:
        self._samples: dict[str, deque] = {}

    def sample(self, values: dict) -> None:
        """One moment."""
        for name, value in values.items():
            self._samples.setdefault(name, deque(maxlen=SAMPLES)).append(value)

    def samples(self, name: str) -> list:
        return list(self._samples.get(name, ()))


def sparkline(attr: Attr, samples: list, width: int) -> str:
    """The newest `width` samples as blocks; between the least and the greatest of them, enums over their labels."""
    found = [_number(attr, value) for value in samples[-width:]]
    numbers = [number for number in found if number is not None]
    if not numbers or len(numbers) < len(found):
        return ""
    low, high = min(numbers), max(numbers)
    if attr.data_type in ("bool", "enum"):
        low, high = min(low, 0), max(high, limits(attr)[1])
    span = high - low
    top = len(_LEVELS) - 1
    return "".join(_LEVELS[round((number - low) * top / span) if span else 0] for number in numbers)


def _number(attr: Attr, value: object) -> float | None:
    if attr.data_type == "enum" and isinstance(value, str):
        return attr.spec.index(value) if value in attr.spec else None
    return value if isinstance(value, int | float) else None
