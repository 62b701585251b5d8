"""The panel of live attributes: value with unit, and trend. Only what changed is drawn again."""

from rich.text import Text
from textual.widgets import DataTable

from mcu_proto.datapoint import Attr, Schema

from ..view import value_text
from .history import History, sparkline

_TREND = 10
_ACCESS = {
    "status_writable": ("w", "cyan"),
    "status_readonly": ("r", "green"),
    "alert": ("!", "yellow"),
    "fault": ("x", "red"),
}
_MAX_VALUE = 14
# A new value stands out for this long, in seconds.
_FRESH = 2


class AttrTable(DataTable):
    """A row per attribute of the product."""

    def __init__(self, schema: Schema | None, units: dict[str, str], id: str) -> None:
        super().__init__(cursor_type="row", zebra_stripes=True, id=id)
        self._schema = schema
        self._units = units
        self._shown: dict[tuple[str, str], str] = {}
        self._changed_at: dict[str, float] = {}
        self._values: dict = {}

    def on_mount(self) -> None:
        for key, title, width in (
            ("kind", "", 1),
            ("name", "attribute", 19),
            ("value", "value", _MAX_VALUE),
            ("trend", "trend", _TREND),
        ):
            self.add_column(title, key=key, width=width)
        for attr in self.attrs():
            letter, style = _ACCESS[attr.access]
            self.add_row(Text(letter, style), attr.name, "", "", key=attr.name)

    def attrs(self) -> list[Attr]:
        return list(self._schema.attrs) if self._schema is not None else []

    def attr_at_cursor(self) -> Attr | None:
        attrs = self.attrs()
        return attrs[self.cursor_row] if 0 <= self.cursor_row < len(attrs) else None

    def show(self, values: dict, history: History, now: float) -> None:
        """Draw what is new; `now` in seconds."""
        for attr in self.attrs():
            if attr.name not in values:
                continue
            value = values[attr.name]
            if attr.name not in self._values:
                self._values[attr.name] = value
            elif self._values[attr.name] != value:
                self._values[attr.name] = value
                self._changed_at[attr.name] = now
            is_alarm = attr.access in ("alert", "fault") and value is True
            is_fresh = now < self._changed_at.get(attr.name, now - _FRESH) + _FRESH
            style = "bold white on red" if is_alarm else "bold yellow" if is_fresh else ""
            text = " ".join(filter(None, (value_text(value), self._units.get(attr.name))))
            self._put(attr.name, "value", text[:_MAX_VALUE], style)
            self._put(attr.name, "trend", sparkline(attr, history.samples(attr.name), _TREND), "green")

    def _put(self, name: str, column: str, text: str, style: str) -> None:
        if self._shown.get((name, column)) == text + style:
            return
        self._shown[name, column] = text + style
        self.update_cell(name, column, Text(text, style))
