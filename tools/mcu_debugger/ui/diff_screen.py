"""Two states of the attributes side by side, as a window."""

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable, Label, Static

from ..view import value_text
from .window import CLOSE


class DiffScreen(ModalScreen[None]):
    """Two states side by side."""

    BINDINGS = [*CLOSE, Binding("a", "all", "All attributes"), Binding("enter", "dismiss", "Close", show=False)]

    def __init__(self, left: tuple[str, dict], right: tuple[str, dict]) -> None:
        super().__init__()
        self._left = left
        self._right = right
        self._is_all = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="window"):
            yield Label("What changed", classes="title")
            yield DataTable(cursor_type="row", zebra_stripes=True)
            yield Static("a all attributes, or only those that differ   Esc close", classes="hint")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_column("attribute", width=24)
        table.add_column(self._left[0], width=24)
        table.add_column(self._right[0], width=24)
        self._show()

    def action_all(self) -> None:
        self._is_all = not self._is_all
        self._show()

    def _show(self) -> None:
        table = self.query_one(DataTable)
        table.clear()
        left, right = self._left[1], self._right[1]
        for name in {**left, **right}:
            texts = [value_text(state[name]) if name in state else "?" for state in (left, right)]
            differs = texts[0] != texts[1]
            if differs or self._is_all:
                style = "bold yellow" if differs else "dim"
                table.add_row(Text(name, style), Text(texts[0], style), Text(texts[1], style))
        if not table.row_count:
            table.add_row(Text("nothing differs", "dim"), "", "")
