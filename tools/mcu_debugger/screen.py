"""Where the story of a line goes: plain lines for pipes and files, colour and tables for people at a terminal."""

from collections.abc import Sequence
from typing import TextIO

from .view import table_lines


def open_screen(stream: TextIO) -> "PlainScreen | RichScreen":
    """The screen that fits the stream."""
    return RichScreen(stream) if stream.isatty() else PlainScreen(stream)


class PlainScreen:
    """One line per event, flushed, so that a reader sees it when it happens."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def event(self, seconds: float, text: str) -> None:
        """Something that happened on the line."""
        self.text("%9.3f  %s" % (seconds, text))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        for line in table_lines(columns, rows):
            self.text(line)

    def text(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def prompt(self, role: str) -> None:
        """Invite a line; only people need it."""

    def end(self) -> None:
        """Leave the terminal as it was."""


class RichScreen:
    """The same with colour, and a prompt that comes back below every event."""

    def __init__(self, stream: TextIO) -> None:
        # Loaded here: a pipe never pays for it.
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._stream = stream

    def event(self, seconds: float, text: str) -> None:
        self._clear()
        style = next((style for start, style in _STYLES if text.startswith(start)), "")
        self._console.print("%9.3f " % seconds, style="dim", end=" ")
        self._console.print(text, style=style, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.table import Table

        self._clear()
        table = Table(box=None, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def text(self, text: str) -> None:
        self._clear()
        self._console.print(text, soft_wrap=True)

    def prompt(self, role: str) -> None:
        self._stream.write(role + "> ")
        self._stream.flush()

    def end(self) -> None:
        self._clear()
        self._stream.flush()

    def _clear(self) -> None:
        # Over the prompt, which the caller shows again.
        self._stream.write("\r\x1b[K")


# Start of an event's line: how it looks.
_STYLES = (
    ("control:", "bold green"),
    ("module status", "cyan"),
    ("heartbeat", "dim"),
    ("bad frame", "red"),
    ("the module calls", "red"),
    ("no luck", "red"),
    ("ignored", "yellow"),
    ("firmware good", "bold green"),
    ("firmware given up", "red"),
    ("as ordered", "magenta"),
    ("the line", "bold yellow"),
    ("module -- ", "red"),
    ("MCU    -- ", "red"),
    ("line   -- ", "red"),
    ("module ", "cyan"),
    ("MCU ", "green"),
)
