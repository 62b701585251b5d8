"""The lines above and below the frames: which session this is, and how the line and the view are."""

from typing import TYPE_CHECKING

from rich.text import Text

from ..session import Session
from ..view import status_text

if TYPE_CHECKING:
    from .app import DebuggerApp


def head_text(session: Session) -> Text:
    """Role, title, module status."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(" %s " % session.role, "bold reverse")
    text.append("  %s" % session.title)
    if session.observer.status is not None:
        text.append("   %s" % status_text(session.observer.status), "cyan")
    return text


def state_text(app: "DebuggerApp") -> Text:
    """Freezing, counters, what is filtered, searched and marked."""
    counts = app.session.observer.counts
    frames = app.frames()
    text = Text(no_wrap=True, overflow="ellipsis")
    if app.feed.is_frozen:
        text.append(" FROZEN, %d new " % app.feed.waiting, "bold black on yellow")
    elif not frames.is_following:
        text.append(" End follows ", "bold black on cyan")
    text.append(" %d frames  %.0f/s" % (sum(counts.frames), app.rates.frames))
    errors = counts.errors()
    text.append("  %d errors" % errors, "bold red" if errors else "")
    if counts.round_trips:
        text.append("  ack %.1f ms" % (counts.round_trips[-1] / 1000))
    if app.feed.left_out:
        text.append("  %d left out of the view" % app.feed.left_out, "yellow")
    if app.frame_log.filter_text:
        text.append("  filter: %s (%d)" % (app.frame_log.filter_text, len(app.frame_log.shown)), "cyan")
    if frames.search:
        text.append("  search: %s" % frames.search, "cyan")
    if app.marked:
        text.append("  marked: %s" % app.marked[0], "cyan")
    return text
