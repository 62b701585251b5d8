"""One figure: its values, one for each run, and what it is compared with; and all of them as a table or as JSON."""

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple


class Baseline(NamedTuple):
    """What the same machine needed for something simpler, in the same runs."""

    name: str
    values: list[float]


class Figure(NamedTuple):
    """`values` has one value for each run."""

    name: str
    unit: str
    values: list[float]
    baseline: Baseline | None = None

    def median(self) -> float:
        return statistics.median(self.values)

    def ratio(self) -> float | None:
        """Median over the runs of value / baseline: what slows one run down slows both."""
        if self.baseline is None:
            return None
        return statistics.median(value / base for value, base in zip(self.values, self.baseline.values, strict=True))


def quantile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(figures: list[Figure]) -> str:
    """A line for each figure."""
    rows = [("figure", "median", "min .. max", "unit", "ratio", "to")]
    for figure in figures:
        ratio = figure.ratio()
        rows.append(
            (
                figure.name,
                _number(figure.median()),
                "%s .. %s" % (_number(min(figure.values)), _number(max(figure.values))),
                figure.unit,
                "" if ratio is None else _number(ratio),
                figure.baseline.name if figure.baseline else "",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) if i in (1, 2, 4) else cell.ljust(width) for i, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def document(figures: list[Figure]) -> list[dict[str, Any]]:
    """The figures for JSON, with every value."""
    return [
        {
            "name": figure.name,
            "unit": figure.unit,
            "median": figure.median(),
            "values": figure.values,
            "ratio": figure.ratio(),
            "baseline": figure.baseline._asdict() if figure.baseline else None,
        }
        for figure in figures
    ]


def _number(value: float) -> str:
    if value >= 1000:
        return "{:,.0f}".format(value)
    return "%.3g" % value
