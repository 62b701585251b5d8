"""The field at the bottom: one for lines of the role, search and filter. Remembers lines, as a shell does."""

from textual.binding import Binding
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input

from ..session import Session

_MAX_TYPED = 200
_TITLES = {
    "line": "line: Enter sends it, up and down bring back earlier ones, right completes",
    "search": "search: then n next, N before",
    "filter": "filter: text  -text  cmd:05,06  from:mcu  sn:1  rtt>50  error",
}


def suggestions(session: Session) -> list[str]:
    """What the beginning of a line may mean."""
    names = [attr.name for attr in session.schema.attrs] if session.schema else []
    words = [word for word in ("set", "get", "raise", "clear") if word in session.commands]
    return [*session.commands, *("%s %s" % (word, name) for word in words for name in names)]


class Prompt(Input):
    """Hidden until `open`; gives `Entered`, or nothing when Escape leaves it."""

    BINDINGS = [
        Binding("escape", "leave", "Leave", show=False),
        Binding("up", "earlier(-1)", "Line before", show=False),
        Binding("down", "earlier(1)", "Line after", show=False),
    ]

    class Entered(Message):
        """`what` is that of `open`."""

        def __init__(self, what: str, text: str) -> None:
            super().__init__()
            self.what = what
            self.text = text

    class Left(Message):
        """Closed, with or without something entered."""

    def __init__(self, suggestions: list[str], id: str) -> None:
        super().__init__(id=id)
        self._suggestions = suggestions
        self._what = ""
        self._typed: list[str] = []
        self._typed_at = 0

    def open(self, what: str, text: str) -> None:
        """Ask for a line, a search or a filter."""
        self._what = what
        self._typed_at = len(self._typed)
        self.border_title = _TITLES[what]
        self.suggester = SuggestFromList(self._suggestions, case_sensitive=False) if what == "line" else None
        self._put(text)
        self.add_class("open")
        self.focus()

    async def action_submit(self) -> None:
        text = self.value.strip()
        if self._what == "line" and text:
            self._typed = [*self._typed[1 - _MAX_TYPED :], text]
        self.post_message(self.Entered(self._what, text))
        self.action_leave()

    def action_leave(self) -> None:
        self.remove_class("open")
        self.post_message(self.Left())

    def action_earlier(self, step: int) -> None:
        if self._what == "line":
            self._typed_at = max(0, min(self._typed_at + step, len(self._typed)))
            self._put(self._typed[self._typed_at] if self._typed_at < len(self._typed) else "")

    def _put(self, text: str) -> None:
        self.value = text
        self.cursor_position = len(text)
