"""The attribute editor as a window: a list to choose from, or a field with steps."""

import shlex

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static

from mcu_proto.datapoint import Attr, Scale

from ..view import range_text, value_text


class EditorScreen(ModalScreen[str | None]):
    """A new value for one attribute; gives it as text, None when it was left."""

    BINDINGS = [
        Binding("escape", "leave", "Leave"),
        Binding("up", "nudge(1)", "One step up", show=False),
        Binding("down", "nudge(-1)", "One step down", show=False),
    ]

    def __init__(self, attr: Attr, value: object, unit: str, what: str) -> None:
        super().__init__()
        self._attr = attr
        self._value = value
        self._unit = unit
        self._what = what

    def compose(self) -> ComposeResult:
        attr = self._attr
        with Vertical(classes="window small"):
            yield Label("%s: %s" % (self._what, attr.name), classes="title")
            yield Label("%s, %s%s" % (attr.data_type, range_text(attr), " " + self._unit if self._unit else ""))
            if self._labels():
                yield OptionList(*self._labels())
                yield Static("↑/↓ choose   Enter set   Esc leave", classes="hint")
            else:
                yield Input(value=value_text(self._value) if self._value is not None else "")
                yield Static("↑/↓ one step   Enter set   Esc leave", classes="hint")

    def on_mount(self) -> None:
        labels = self._labels()
        if not labels:
            self.query_one(Input).focus()
            return
        options = self.query_one(OptionList)
        text = value_text(self._value)
        options.highlighted = labels.index(text) if text in labels else 0
        options.focus()

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_nudge(self, steps: int) -> None:
        if not isinstance(self._attr.spec, Scale):
            return
        scale = self._attr.spec
        field = self.query_one(Input)
        try:
            number = float(field.value)
        except ValueError:
            return
        low, high = sorted((raw * scale.ratio + scale.addition) / scale.unit for raw in (scale.low, scale.high))
        number = min(max(number + steps * abs(scale.ratio) / scale.unit, low), high)
        field.value = "%.10g" % number

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._labels()[event.option_index])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)

    def _labels(self) -> list[str]:
        if self._attr.data_type == "bool":
            return ["false", "true"]
        return list(self._attr.spec) if self._attr.data_type == "enum" else []


def set_line(name: str, value: str) -> str:
    """The console line that sets an attribute."""
    return "set %s %s" % (shlex.quote(name), shlex.quote(value))
