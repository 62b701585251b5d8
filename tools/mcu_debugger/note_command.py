"""`note TEXT`, which every role has: a remark in the capture, and in the view."""

from mcu_proto.datapoint import Schema

from .capture.record import Note
from .commands import Command, CommandError


def note_command() -> Command:
    """A remark in the capture."""
    return Command("note TEXT", "a remark, kept in the capture", _text, lambda player, text, now: ([Note(0, text)], []))


def _text(words: list[str], schema: Schema | None) -> str:
    if not words:
        raise CommandError("expected a TEXT")
    return " ".join(words)
