"""The counters of a session as a window."""

from statistics import median
from typing import TYPE_CHECKING

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from mcu_proto.const import MCU, MODULE
from mcu_proto.names import BAD_NAMES, CMD_NAMES

from ..observer import Counts
from .window import CLOSE

if TYPE_CHECKING:
    from .app import DebuggerApp


class StatisticsScreen(ModalScreen[None]):
    """Counters of the session, twice a second."""

    BINDINGS = [*CLOSE, Binding("s", "dismiss", "Close", show=False)]
    app: "DebuggerApp"

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="window"):
            yield Label("Statistics", classes="title")
            yield Static(id="figures")

    def on_mount(self) -> None:
        self._show()
        self.set_interval(0.5, self._show)

    def _show(self) -> None:
        app = self.app
        counts = app.session.observer.counts
        grid = Table.grid(padding=(0, 4))
        grid.add_row(_line_table(counts, app), _command_table(counts))
        self.query_one("#figures", Static).update(grid)


def _line_table(counts: Counts, app: "DebuggerApp") -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    trips = sorted(counts.round_trips)
    log = app.frame_log
    rows = [
        ("frames of the module", str(counts.frames[MODULE])),
        ("frames of the MCU", str(counts.frames[MCU])),
        ("bytes of the module", str(counts.bytes[MODULE])),
        ("bytes of the MCU", str(counts.bytes[MCU])),
        ("noise", "%d bytes" % counts.noise_bytes),
        ("sent again", str(counts.repeats)),
        ("without an ack", str(counts.unanswered)),
        ("complaints (11, 12)", str(counts.complaints)),
        *((BAD_NAMES.get(reason, str(reason)), str(n)) for reason, n in sorted(counts.bad.items())),
        ("", ""),
        ("round trip, least", _ms(trips[0]) if trips else "-"),
        ("median", _ms(median(trips)) if trips else "-"),
        ("95 of 100 within", _ms(trips[len(trips) * 95 // 100]) if trips else "-"),
        ("longest", _ms(trips[-1]) if trips else "-"),
        ("", ""),
        ("line", "%.0f frames/s, %.0f bytes/s" % (app.rates.frames, app.rates.bytes)),
        ("screen", "%.0f rows/s" % app.rates.rows),
        ("left out of the view", str(app.feed.left_out)),
        ("kept", "%d rows, %d forgotten" % (len(log), log.forgotten)),
        ("this program", "%.0f %% of a core" % (100 * app.rates.cpu)),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _command_table(counts: Counts) -> Table:
    table = Table(box=None, header_style="dim")
    table.add_column("cmd", style="bold")
    table.add_column("")
    table.add_column("frames", justify="right")
    for cmd, count in sorted(counts.commands.items()):
        table.add_row("%02x" % cmd, CMD_NAMES.get(cmd, "unknown command"), str(count))
    return table


def _ms(us: float) -> str:
    return "%.1f ms" % (us / 1000)
