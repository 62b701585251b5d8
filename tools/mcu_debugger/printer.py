"""A session on standard output: plain lines, colour and a prompt for people at a terminal, JSON lines for programs."""

from typing import TextIO

from mcu_proto.datapoint import Schema

from .backlog import Answered, Shown, Told
from .event_lines import event_json, observed_lines
from .observer import Observed
from .screen import PlainScreen, RichScreen


class LinePrinter:
    """`verbosity` 0: what happens; 1: every frame in words; 2: its bytes too."""

    def __init__(self, screen: PlainScreen | RichScreen, schema: Schema | None, verbosity: int) -> None:
        self._screen = screen
        self._schema = schema
        self._verbosity = verbosity

    def begin(self, title: str) -> None:
        self._screen.text(title)

    def show(self, event: tuple) -> bool:
        """Any event of a session; False when there was nothing to print."""
        if isinstance(event, Observed):
            if self._verbosity:
                lines = observed_lines(event, self._schema, self._verbosity > 1)
                self._screen.event(event.time_us / 1e6, lines[0])
                for line in lines[1:]:
                    self._screen.text(" " * 11 + line)
            return bool(self._verbosity)
        if isinstance(event, Told):
            self._screen.event(event.time_us / 1e6, event.text)
        elif isinstance(event, Answered):
            self._screen.text(event.text)
        elif isinstance(event, Shown):
            self._screen.table(event.columns, event.rows)
        return True

    def prompt(self, role: str) -> None:
        self._screen.prompt(role)

    def end(self) -> None:
        self._screen.end()


class JsonPrinter:
    """One object a line, flushed, so that a reader sees it when it happens."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, title: str) -> None:
        self.show(Told(0, title))

    def show(self, event: tuple) -> bool:
        self._stream.write(event_json(event) + "\n")
        self._stream.flush()
        return True

    def prompt(self, role: str) -> None:
        """Programs need none."""

    def end(self) -> None:
        """Nothing to put right."""
