"""The command palette: every action of the screen and every line of the role, by name."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

if TYPE_CHECKING:
    from .app import DebuggerApp

# Name in the palette, what it does, action of the app.
ACTIONS = (
    ("Freeze or go on", "the session and its capture go on meanwhile", "freeze"),
    ("Search", "find text in the rows", "search"),
    ("Filter", "show only some rows", "filter"),
    ("Errors only", "and back", "errors"),
    ("Inspect frame", "every byte of the row under the cursor", "inspect"),
    ("Edit attribute", "the one under the cursor", "edit"),
    ("Mark state", "to compare with later", "mark"),
    ("Show differences", "from the marked state", "diff"),
    ("Statistics", "counters, round trips, rates", "statistics"),
    ("Attributes panel", "on or off", "attributes"),
    ("Clear the list", "", "clear"),
    ("Type a line", "of the role", "line"),
    ("Help", "keys, filter, lines", "help"),
)


class RolePalette(Provider):
    """Actions of the screen, then lines of the role."""

    async def discover(self) -> Hits:
        for name, about, run in self._all():
            yield DiscoveryHit(name, run, help=about)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, about, run in self._all():
            score = max(matcher.match(name), matcher.match(about) * 0.7)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=about)

    def _all(self) -> Iterator[tuple]:
        app: DebuggerApp = self.screen.app  # type: ignore[assignment]
        for name, about, action in ACTIONS:
            yield name, about, partial(app.run_action, action)
        for command in app.session.commands.values():
            yield command.usage, command.about, partial(app.start_line, command.usage)
