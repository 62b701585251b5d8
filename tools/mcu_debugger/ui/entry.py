"""An event of a session as one row of the screen: what stands in it, how it looks, what a search finds. Pure."""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from mcu_proto import const as c
from mcu_proto.datapoint import Schema
from mcu_proto.frame import BadFrame, Frame
from mcu_proto.names import ACTION_NAMES, BAD_NAMES, CMD_NAMES

from ..backlog import Shown, Told
from ..event_lines import SENDER_NAMES
from ..observer import Observed, Unanswered
from ..redaction import redacted
from ..view import frame_lines, table_lines, value_text

# number    counts rows up from 1            event     the event itself
# sender    "MCU", "module", "line" or ""    code      two hex digits, or what stands for them
# name      of the command                   summary   what it says
# relation  time to the ack, repetition      kind      key of STYLES
# plain     all of it in lower case, for filter and search
Entry = namedtuple(
    "Entry", ("number", "event", "time_us", "sender", "code", "name", "sn", "summary", "relation", "kind", "plain")
)

# kind: style of the row.
STYLES = {
    "request": "",
    "ack": "dim",
    "report": "green",
    "control": "bold cyan",
    "status": "#b48ead",
    "heartbeat": "dim",
    "transfer": "blue",
    "again": "yellow",
    "error": "bold red",
    "noise": "red dim",
    "told": "italic",
    "answer": "bold",
}
ERRORS = ("again", "error", "noise")
ARROWS = {"MCU": "◀ MCU", "module": "▶ mod", "line": "· line", "": ""}

_KINDS = {
    c.CMD_P0_UP: "report",
    c.CMD_P0_DOWN: "control",
    c.CMD_MODULE_STATUS: "status",
    c.CMD_HEARTBEAT: "heartbeat",
    **dict.fromkeys(c.TRANSFER_REQUESTS, "transfer"),
}
# Names that are too long for their column.
_SHORT_NAMES = {
    c.CMD_CONFIG_MODE: "configure network",
    c.ack_of(c.CMD_CONFIG_MODE): "configure ack",
    c.CMD_ILLEGAL_FROM_MODULE: "module complains",
    c.CMD_ILLEGAL_FROM_MCU: "MCU complains",
    c.CMD_BINDABLE: "binding window",
    c.ack_of(c.CMD_BINDABLE): "bindable ack",
    c.ack_of(c.CMD_READY): "ready ack",
    c.ack_of(c.CMD_ANNOUNCE): "announce ack",
}
_P0 = (c.CMD_P0_DOWN, c.ack_of(c.CMD_P0_DOWN), c.CMD_P0_UP)
_MAX_SUMMARY = 400


class EntryMaker:
    """Makes rows of events in their order; remembers the last state, to show what changed. `units` are by name."""

    def __init__(self, schema: Schema | None, units: dict[str, str]) -> None:
        self._schema = schema
        self._units = units
        self._state: dict = {}
        self._number = 0

    def rows(self, event: Any) -> list[Entry]:
        """The rows of one event: a table has a row a line, all else one."""
        if isinstance(event, Observed):
            return [self._row(event, self._observed(event))]
        if isinstance(event, Shown):
            return [self._row(event, _words(line, "answer")) for line in table_lines(event.columns, event.rows)]
        if event.text.startswith("? "):
            return [self._row(event, _words(event.text, "error"))]
        return [self._row(event, _words(event.text, "told" if isinstance(event, Told) else "answer"))]

    def value(self, name: str, value: object) -> str:
        """A value with its unit."""
        unit = self._units.get(name)
        return "%s %s" % (value_text(value), unit) if unit else value_text(value)

    def _row(self, event: Any, parts: Sequence[str]) -> Entry:
        self._number += 1
        plain = " ".join(parts[:6]).lower()
        sender, code, name, sn, summary, relation, kind = parts
        return Entry(self._number, event, event.time_us, sender, code, name, sn, summary, relation, kind, plain)

    def _observed(self, seen: Observed) -> tuple:
        item = seen.item
        sender = SENDER_NAMES[seen.sender]
        if isinstance(item, Frame):
            kind = self._kind(item, seen)
            name = _SHORT_NAMES.get(item.cmd) or CMD_NAMES.get(item.cmd, "unknown command")
            return sender, "%02x" % item.cmd, name, str(item.sn), self._summary(item, seen), _relation(seen), kind
        if isinstance(item, BadFrame):
            code = "%02x" % item.cmd if item.cmd >= 0 else "--"
            sn = str(item.sn) if item.sn >= 0 else ""
            why = BAD_NAMES.get(item.reason, str(item.reason))
            return sender, code, "BAD FRAME", sn, "%s: %s" % (why, redacted(item, seen.wire).hex(" ")), "", "error"
        if isinstance(item, Unanswered):
            name = CMD_NAMES.get(item.cmd, "unknown command")
            text = "sent %d times, #%d" % (item.sends, item.number)
            return sender, "%02x" % item.cmd, "NO ACK of %s" % name, str(item.sn), text, "", "error"
        wire = redacted(None, seen.wire)
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in wire)
        return sender, "--", "noise", "", "%d bytes %s |%s|" % (len(wire), wire.hex(" "), text), "", "noise"

    def _kind(self, frame: Frame, seen: Observed) -> str:
        if seen.repeats:
            return "again"
        if frame.cmd in (c.CMD_ILLEGAL_FROM_MCU, c.CMD_ILLEGAL_FROM_MODULE) or frame.cmd not in CMD_NAMES:
            return "error"
        if not frame.cmd & 1:
            return "report" if seen.values else "ack"
        return _KINDS.get(frame.cmd, "request")

    def _summary(self, frame: Frame, seen: Observed) -> str:
        if seen.values is not None and frame.cmd in _P0:
            return self._values(frame, seen.values)
        facts = [fact.strip() for fact in frame_lines(frame, self._schema)[1:]]
        return "  ".join(facts)[:_MAX_SUMMARY]

    def _values(self, frame: Frame, values: dict) -> str:
        action = ACTION_NAMES.get(frame.payload[0], "P0")
        if frame.cmd == c.CMD_P0_DOWN:
            return "%s  %s" % (action, self._list(values) or "nothing is flagged")
        changed = {name: value for name, value in values.items() if self._state.get(name) != value}
        is_first = not self._state
        self._state = {**self._state, **values}
        if not changed:
            return "%s  as before" % action
        rest = len(values) - len(changed)
        text = "%s  %s" % (action, self._list(changed))
        return text[:_MAX_SUMMARY] if is_first or not rest else "%s  (%d as before)" % (text[:_MAX_SUMMARY], rest)

    def _list(self, values: dict) -> str:
        return "  ".join("%s %s" % (name, self.value(name, value)) for name, value in values.items())


def _words(text: str, kind: str) -> tuple:
    return "", "", "", "", text, "", kind


def _relation(seen: Observed) -> str:
    words = []
    if seen.repeats:
        words.append("again #%d" % seen.repeats)
    if seen.rtt_us is not None:
        words.append("%.1f ms" % (seen.rtt_us / 1000))
    return "  ".join(words)
