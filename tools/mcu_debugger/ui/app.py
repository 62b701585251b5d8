"""The full screen itself: what is shown where, which key does what. See the package for its parts.

Ten times a second it takes what is new from the session's backlog, at most so many rows: at a burst the newest are
shown and the rest is counted as left out. Nothing here waits, and nothing grows.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterable

from rich.text import Text
from textual.app import App, ComposeResult, SystemCommand
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from ..session import Session
from .attr_table import AttrTable
from .diff_screen import DiffScreen
from .editor_screen import EditorScreen, set_line
from .entry import Entry
from .entry_filter import FilterError
from .feed import Feed
from .frame_list import FrameList
from .frame_log import FrameLog
from .help_screen import HelpScreen
from .history import History
from .inspector_screen import InspectorScreen
from .keys import BINDINGS
from .palette import RolePalette
from .prompt import Prompt, suggestions
from .rates import Rates
from .statistics_screen import StatisticsScreen
from .status_line import head_text, state_text
from .style import CSS

_TICK_S = 0.1
# Ticks between two drawings of attributes and status, and between two samples of the history.
_PANEL_TICKS = 3
_SAMPLE_TICKS = 10
# Below this width the frames need all of it.
_PANEL_FROM_WIDTH = 116


class DebuggerApp(App[None]):
    """Shows a session that runs elsewhere; `is_over` tells when it has ended."""

    TITLE = "mcu-debugger"
    CSS = CSS
    COMMANDS = {RolePalette}
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = [*BINDINGS]

    def __init__(
        self,
        session: Session,
        is_over: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        super().__init__()
        self.session = session
        self.frame_log = FrameLog()
        self.history = History()
        self.rates = Rates(clock, cpu_clock)
        self.feed = Feed(session, self.frame_log)
        # A state to compare with: what it is called, its attributes.
        self.marked: tuple[str, dict] | None = None
        self._is_over = is_over
        self._clock = clock
        self._ticks = 0
        self._filter_before = ""
        self._painted: dict[str, Text] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        with Horizontal(id="main"):
            yield FrameList(self.frame_log, id="frames")
            yield AttrTable(self.session.schema, self.session.units, id="attributes")
        yield Static(id="state")
        yield Prompt(suggestions(self.session), id="prompt")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        table = self._attributes()
        table.display = self.session.schema is not None and self.size.width >= _PANEL_FROM_WIDTH
        self.frames().focus()
        # Windows has no such thing, and elsewhere the terminal must be given back.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        self.tick()
        # A timer of the screen ends before its widgets do; one of the app would still draw on them.
        self.screen.set_interval(_TICK_S, self.tick)

    def get_system_commands(self, screen: Screen) -> Iterable[SystemCommand]:
        yield SystemCommand("Quit", "end the session", self.action_quit)

    # What is new.

    def tick(self) -> None:
        """Take what is new and draw it."""
        if self._is_over():
            self.exit()
            return
        self._take()
        if self._ticks % _SAMPLE_TICKS == 0:
            self.rates.tick(self.session.observer.counts, self.feed.rows)
            self.history.sample(self.values())
        if self._ticks % _PANEL_TICKS == 0:
            self._draw_panels()
        self._ticks += 1

    def values(self) -> dict:
        """The attributes now: those of the simulated MCU itself, else what the line told."""
        return self.session.player.values if self.session.role == "sim" else dict(self.session.observer.values)

    def frames(self) -> FrameList:
        """The list, whichever window lies over it."""
        return self.screen_stack[0].query_one(FrameList)

    def neighbour(self, entry: Entry, step: int) -> Entry | None:
        """The shown row of a frame beside this one; the list's cursor goes there."""
        frames = self.frames()
        shown = self.frame_log.shown
        at = next((i for i, each in enumerate(shown) if each.number == entry.number), frames.cursor) + step
        while 0 <= at < len(shown):
            if shown[at].sender:
                frames.go_to(at)
                return shown[at]
            at += step
        return None

    def start_line(self, usage: str) -> None:
        """Type the beginning of a line of the role; one without arguments is submitted at once."""
        words = usage.split()
        if len(words) == 1:
            self._submit(words[0])
        else:
            self._ask("line", words[0] + " ")

    def _take(self) -> None:
        helping = self.feed.take()
        for refusal in helping.refused:
            self.notify(refusal, severity="error")
        if helping.count:
            self.frames().rows_changed(helping.gone)

    def _draw_panels(self) -> None:
        for place, text in (("#head", head_text(self.session)), ("#state", state_text(self))):
            # An idle screen is not painted anew.
            if self._painted.get(place) != text:
                self._painted[place] = text
                self.screen_stack[0].query_one(place, Static).update(text)
        table = self._attributes()
        if table.display and not self.feed.is_frozen:
            table.show(self.values(), self.history, self._clock())

    def _attributes(self) -> AttrTable:
        return self.screen_stack[0].query_one(AttrTable)

    # Keys.

    def action_freeze(self) -> None:
        self.feed.is_frozen = not self.feed.is_frozen
        self.tick()
        self._draw_panels()

    def action_search(self) -> None:
        self._ask("search", self.frames().search)

    def action_filter(self) -> None:
        self._ask("filter", self.frame_log.filter_text)

    def action_errors(self) -> None:
        if self.frame_log.filter_text == "error":
            self._filter(self._filter_before)
        else:
            self._filter_before = self.frame_log.filter_text
            self._filter("error")

    def action_found(self, step: int) -> None:
        frames = self.frames()
        if not frames.search:
            self.action_search()
            return
        at = self.frame_log.find(frames.search, frames.cursor + step, step)
        if at is None:
            self.notify("nothing holds %s" % frames.search, severity="warning")
        else:
            frames.go_to(at)

    def action_inspect(self) -> None:
        self.frames().action_inspect()

    def action_edit(self) -> None:
        table = self._attributes()
        attr = table.attr_at_cursor()
        if attr is None:
            self.notify("needs a product definition: --product", severity="warning")
        elif "set" not in self.session.commands:
            self.notify("this role only listens: sim sets attributes, module sends controls", severity="warning")
        else:
            what = "the MCU sets" if self.session.role == "sim" else "control"
            unit = self.session.units.get(attr.name, "")
            screen = EditorScreen(attr, self.values().get(attr.name), unit, what)
            self.push_screen(screen, lambda value: self._edited(attr.name, value))

    def action_mark(self) -> None:
        self.marked = self._state_here()
        self.notify("marked: %s" % self.marked[0])
        self._draw_panels()

    def action_diff(self) -> None:
        if self.marked is None:
            self.notify("mark a state first: m", severity="warning")
        else:
            self.push_screen(DiffScreen(self.marked, self._state_here()))

    def action_statistics(self) -> None:
        self.push_screen(StatisticsScreen())

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def action_attributes(self) -> None:
        table = self._attributes()
        table.display = not table.display and self.session.schema is not None
        self._draw_panels()

    def action_clear(self) -> None:
        self.frame_log.clear()
        self.frames().rows_changed()

    def action_line(self) -> None:
        if not self.session.commands:
            self.notify("this role takes no lines", severity="warning")
            return
        self._ask("line", "")

    def on_frame_list_chosen(self, message: FrameList.Chosen) -> None:
        self.push_screen(InspectorScreen(message.entry))

    def on_data_table_row_selected(self, message: DataTable.RowSelected) -> None:
        if isinstance(message.data_table, AttrTable):
            self.action_edit()

    def on_prompt_entered(self, message: Prompt.Entered) -> None:
        if message.what == "line":
            self._submit(message.text)
        elif message.what == "filter":
            self._filter(message.text)
        else:
            frames = self.frames()
            frames.search = message.text.lower()
            frames.refresh()
            if message.text:
                self.action_found(-1)

    def on_prompt_left(self) -> None:
        self.frames().focus()

    def _ask(self, what: str, text: str) -> None:
        self.screen_stack[0].query_one(Prompt).open(what, text)

    def _submit(self, line: str) -> None:
        if line:
            self.session.submit(line)

    def _filter(self, text: str) -> None:
        try:
            self.frame_log.filter(text)
        except FilterError as e:
            self.notify(str(e), severity="error")
            return
        frames = self.frames()
        frames.is_following = True
        frames.rows_changed()
        self._draw_panels()

    def _edited(self, name: str, value: str | None) -> None:
        if value is not None:
            self._submit(set_line(name, value))

    def _state_here(self) -> tuple[str, dict]:
        """The state at the row under the cursor when it was walked to, else now."""
        frames = self.frames()
        entry = frames.current
        if entry is not None and not frames.is_following:
            state = self.frame_log.state_at(entry)
            if state:
                return "at %.3f s" % (entry.time_us / 1_000_000), state
        seconds = entry.time_us / 1_000_000 if entry is not None else 0
        return "live, %.3f s" % seconds, dict(self.values())
