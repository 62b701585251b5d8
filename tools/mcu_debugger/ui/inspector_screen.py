"""The frame inspector as a window: every byte with its meaning."""

from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable, Static

from ..inspector import Row, inspect, row_hex
from .entry import Entry
from .frame_list import row_text
from .window import CLOSE

if TYPE_CHECKING:
    from .app import DebuggerApp

# Eight bytes a line.
_HEX_WIDTH = 23


class InspectorScreen(ModalScreen[None]):
    """Every byte of a frame; left and right go to the frames beside it."""

    BINDINGS = [
        *CLOSE,
        Binding("left,p", "step(-1)", "Frame before"),
        Binding("right,n", "step(1)", "Frame after"),
    ]
    app: "DebuggerApp"

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self._entry = entry

    def compose(self) -> ComposeResult:
        with Vertical(classes="window"):
            yield Static(id="inspected")
            yield DataTable(id="bytes", cursor_type="row", zebra_stripes=True)
            yield Static("←/→ frame before, after   ↑/↓ bytes   Esc close", classes="hint")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for title, width in (("at", 5), ("bytes", _HEX_WIDTH), ("name", 22), ("meaning", None)):
            table.add_column(title, width=width)
        self._show()

    def action_step(self, step: int) -> None:
        entry = self.app.neighbour(self._entry, step)
        if entry is not None:
            self._entry = entry
            self._show()

    def _show(self) -> None:
        entry = self._entry
        head = row_text(entry, 10_000)
        head.overflow = "fold"
        head.no_wrap = False
        self.query_one("#inspected", Static).update(head)
        table = self.query_one(DataTable)
        table.clear()
        wire = getattr(entry.event, "wire", b"")
        rows = inspect(wire, self.app.session.schema) if wire else []
        if not rows:
            table.add_row("", "", "no bytes", Text(entry.summary))
        for row in rows:
            table.add_row(*_cells(row), height=None)


def _cells(row: Row) -> tuple[Text, Text, Text, Text]:
    offset = "" if row.offset is None else str(row.offset)
    style = "bold red" if row.meaning.startswith("WRONG") or row.name in ("missing", "cut", "noise") else ""
    dim = "dim" if row.meaning.endswith("ignored)") else style
    data = row_hex(row)
    chunks = [data[i : i + _HEX_WIDTH] for i in range(0, len(data), _HEX_WIDTH + 1)]
    name = "  " * row.depth + row.name
    return Text(offset, "dim"), Text("\n".join(chunks), "cyan"), Text(name, dim or "bold"), Text(row.meaning, dim)
