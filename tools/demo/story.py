"""What the demo prints: one line a step, when the step was seen from its far end."""

import sys
import time

_GREEN, _RED, _GREY, _BOLD, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[90m", "\x1b[1m", "\x1b[0m"


class Story:
    """Colour only on terminals; the clock starts with the story."""

    def __init__(self, title: str) -> None:
        self._colour = sys.stdout.isatty()
        self._began = time.monotonic()
        self.steps = 0
        print(self._paint(_BOLD, title), flush=True)

    def step(self, who: str, what: str) -> None:
        """A step that was seen to happen."""
        self.steps += 1
        self._line(_GREEN, "ok", who, what)

    def event(self, who: str, what: str) -> None:
        """Something that happens by itself after the story."""
        self._line(_GREY, "..", who, what)

    def failure(self, what: str) -> None:
        """The step that did not come, and what to look at."""
        self._line(_RED, "NO", "", what)

    def text(self, text: str) -> None:
        print(text, flush=True)

    def _line(self, colour: str, mark: str, who: str, what: str) -> None:
        seconds = time.monotonic() - self._began
        print(
            "%s %s %-10s %s" % (self._paint(_GREY, "%7.2f s" % seconds), self._paint(colour, mark), who, what),
            flush=True,
        )

    def _paint(self, colour: str, text: str) -> str:
        return colour + text + _PLAIN if self._colour else text
