"""A capture as rows for a spreadsheet: one a frame, or one a change of the attributes."""

from collections.abc import Iterable, Iterator

from mcu_proto.datapoint import Schema

from ..event_lines import observed_json
from ..observer import Observed
from ..view import value_text

_COLUMNS = ("t", "n", "from", "kind", "cmd", "name", "sn", "rtt_ms", "repeats", "answers", "why", "hex")


def frame_rows(items: Iterable[tuple], schema: Schema | None) -> Iterator[list]:
    """The header, then a row for every observed item."""
    yield list(_COLUMNS)
    for item in items:
        if isinstance(item, Observed):
            row = observed_json(item)
            if isinstance(row.get("cmd"), int):
                row["cmd"] = "%02x" % row["cmd"] if row["cmd"] >= 0 else ""
            yield [row.get(column, "") for column in _COLUMNS]


def value_rows(items: Iterable[tuple], schema: Schema | None) -> Iterator[list]:
    """The header, then a row for every report, read reply and control that says something of the attributes."""
    names = [attr.name for attr in schema.attrs] if schema is not None else []
    yield ["t", "from", *names]
    for item in items:
        if isinstance(item, Observed) and item.values is not None:
            row = observed_json(item)
            yield [row["t"], row["from"], *(value_text(item.values[n]) if n in item.values else "" for n in names)]
