"""The list of rows: draws only the lines that are seen, so thousands cost nothing; follows the end until told not."""

import re

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .entry import ARROWS, STYLES, Entry
from .frame_log import FrameLog

_CURSOR = Style(bgcolor="grey30")
_PARTNER = Style(bgcolor="dark_blue")
_FOUND = Style(bgcolor="dark_goldenrod")
_SENDERS = {"MCU": "green", "module": "cyan", "line": "white", "": ""}


class FrameList(ScrollView, can_focus=True):
    """Rows of a `FrameLog`; the one under the cursor is `current`."""

    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "to_start", "First", show=False),
        Binding("end,G", "to_end", "Follow", show=False),
        Binding("enter", "inspect", "Inspect"),
    ]

    class Chosen(Message):
        """Enter was pressed, or a row was clicked twice."""

        def __init__(self, entry: Entry) -> None:
            super().__init__()
            self.entry = entry

    def __init__(self, log: FrameLog, id: str) -> None:
        super().__init__(id=id)
        self.log_rows = log
        self.cursor = -1
        self.is_following = True
        self.search = ""
        self._partners: tuple[int, ...] = ()

    @property
    def current(self) -> Entry | None:
        """The row under the cursor."""
        shown = self.log_rows.shown
        return shown[self.cursor] if 0 <= self.cursor < len(shown) else None

    def rows_changed(self, gone: int = 0) -> None:
        """The log has other rows; `gone` of those on top went."""
        count = len(self.log_rows.shown)
        self.virtual_size = Size(self.size.width, count)
        if self.is_following:
            self.cursor = count - 1
            self.scroll_to(y=max(0, count - self.size.height), animate=False, force=True, immediate=True)
        else:
            self.cursor = max(0, min(self.cursor - gone, count - 1))
            if gone:
                self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, force=True, immediate=True)
        self._find_partners()
        self.refresh()

    def go_to(self, index: int) -> None:
        """Put the cursor there and stop following, unless it is the end."""
        count = len(self.log_rows.shown)
        self.cursor = max(0, min(index, count - 1))
        self.is_following = self.cursor == count - 1
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True, immediate=True)
        elif self.cursor >= top + self.size.height:
            self.scroll_to(y=self.cursor - self.size.height + 1, animate=False, force=True, immediate=True)
        self._find_partners()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index = self.scroll_offset.y + y
        width = self.size.width
        shown = self.log_rows.shown
        if index >= len(shown):
            return Strip.blank(width, self.rich_style)
        entry = shown[index]
        text = row_text(entry, width)
        style = self.rich_style + Style.parse(STYLES[entry.kind])
        if index == self.cursor and (self.has_focus or not self.is_following):
            style += _CURSOR
        elif entry.number in self._partners:
            style += _PARTNER
        if self.search and self.search in entry.plain:
            text.highlight_regex("(?i)" + re.escape(self.search), _FOUND)
        text.stylize_before(style)
        segments = [segment for segment in text.render(self.app.console) if segment.text != "\n"]
        return Strip(Segment.adjust_line_length(segments, width, style), width)

    def action_move(self, step: int) -> None:
        self.go_to(self.cursor + step)

    def action_page(self, step: int) -> None:
        self.go_to(self.cursor + step * max(1, self.size.height - 1))

    def action_to_start(self) -> None:
        self.go_to(0)

    def action_to_end(self) -> None:
        self.go_to(len(self.log_rows.shown) - 1)

    def action_inspect(self) -> None:
        if self.current is not None:
            self.post_message(self.Chosen(self.current))

    def on_click(self, event: Click) -> None:
        y = self.scroll_offset.y + event.y
        if y < len(self.log_rows.shown):
            self.go_to(y)
            if event.chain == 2:
                self.action_inspect()

    def on_resize(self) -> None:
        self.rows_changed()

    def on_mouse_scroll_up(self) -> None:
        self.is_following = False

    def _find_partners(self) -> None:
        """The rows that belong to the one under the cursor: its request, its ack, its repetitions."""
        entry = self.current
        number = getattr(entry.event, "number", 0) if entry is not None and entry.sender else 0
        if entry is None or not number or self.is_following:
            self._partners = ()
            return
        event = entry.event
        wanted = {number, event.answers or number, event.repeats or number}
        near = self.log_rows.shown[max(0, self.cursor - 200) : self.cursor + 200]
        self._partners = tuple(
            each.number
            for each in near
            if each.sender
            and each is not entry
            and (each.event.number in wanted or each.event.answers in wanted or each.event.repeats in wanted)
        )


def row_text(entry: Entry, width: int) -> Text:
    """One row, cut to the width."""
    seconds = entry.time_us / 1_000_000
    if not entry.sender:
        text = Text("%10.3f  " % seconds, no_wrap=True, overflow="ellipsis")
        text.append(entry.summary)
        return text
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("%10.3f  " % seconds, "dim")
    text.append("%-6s" % ARROWS[entry.sender], _SENDERS[entry.sender])
    text.append("%3s " % entry.code, "bold")
    text.append("%-17.17s " % entry.name)
    text.append("%3s  " % entry.sn, "dim")
    tail = "  " + entry.relation if entry.relation else ""
    room = max(0, width - text.cell_len - len(tail) - 1)
    summary = Text(entry.summary)
    summary.truncate(room, overflow="ellipsis")
    text.append_text(summary)
    if tail:
        text.append(" " * max(0, room - summary.cell_len))
        text.append(tail, "yellow" if "again" in tail else "dim")
    return text
