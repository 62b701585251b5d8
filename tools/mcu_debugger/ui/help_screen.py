"""Keyboard help as a window: the keys, the words of the filter, the lines that the role takes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from .keys import FILTERS, KEYS
from .window import CLOSE

if TYPE_CHECKING:
    from .app import DebuggerApp

_LEFT = 34


class HelpScreen(ModalScreen[None]):
    """The keys, the filter's words and the lines that this role takes."""

    BINDINGS = [*CLOSE, Binding("question_mark", "dismiss", "Close", show=False)]
    app: "DebuggerApp"

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="window"):
            yield Label("Keys", classes="title")
            yield Static(_pairs(KEYS))
            yield Label("Filter: all words must hold", classes="title")
            yield Static(_pairs(FILTERS))
            if self.app.session.commands:
                yield Label("Lines (:)", classes="title")
                commands = self.app.session.commands.values()
                yield Static(_pairs([(command.usage, command.about) for command in commands]))


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold cyan", width=_LEFT)
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table
