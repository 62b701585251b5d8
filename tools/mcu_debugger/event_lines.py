"""Events of a session as lines: words for people, JSON for programs. Secrets are not shown in either."""

import json

from mcu_proto.const import MCU, MODULE
from mcu_proto.datapoint import Schema
from mcu_proto.frame import BadFrame, Frame
from mcu_proto.names import BAD_NAMES, CMD_NAMES

from .backlog import Answered, Shown, Told
from .observer import Observed, Unanswered
from .redaction import redacted
from .view import frame_lines, value_text

SENDER_NAMES = {MODULE: "module", MCU: "MCU", None: "line"}


def observed_lines(observed: Observed, schema: Schema | None, with_hex: bool) -> list[str]:
    """One frame, bad frame, stretch of noise or missing ack: who, what, and what it has to do with the others."""
    item = observed.item
    who = "%-6s " % SENDER_NAMES[observed.sender]
    if isinstance(item, Frame | BadFrame):
        head, *facts = frame_lines(item, schema)
        lines = [who + head + _relation(observed), *[" " * len(who) + fact for fact in facts]]
    elif isinstance(item, Unanswered):
        name = CMD_NAMES.get(item.cmd, "unknown command")
        sends = "%d sendings" % item.sends if item.sends > 1 else "1 sending"
        return [who + "-- no ack of %02x %s  sn %d after %s (#%d)" % (item.cmd, name, item.sn, sends, item.number)]
    else:
        lines = [who + "-- no frame: %d bytes %s" % (len(observed.wire), _text(redacted(None, observed.wire)))]
    if with_hex and observed.wire:
        lines.append(" " * len(who) + redacted(item, observed.wire).hex(" "))
    return lines


def observed_json(observed: Observed) -> dict:
    """The same for programs."""
    item = observed.item
    out: dict = {"t": observed.time_us / 1e6, "n": observed.number, "from": SENDER_NAMES[observed.sender]}
    if isinstance(item, Frame):
        out |= {"kind": "frame", "cmd": item.cmd, "name": CMD_NAMES.get(item.cmd, ""), "sn": item.sn}
        if item.flags:
            out["flags"] = item.flags
    elif isinstance(item, BadFrame):
        out |= {"kind": "bad", "why": BAD_NAMES.get(item.reason, str(item.reason)), "cmd": item.cmd, "sn": item.sn}
    elif isinstance(item, Unanswered):
        return out | {"kind": "unanswered", "cmd": item.cmd, "sn": item.sn, "sends": item.sends, "answers": item.number}
    else:
        out["kind"] = "noise"
    out["hex"] = redacted(item, observed.wire).hex()
    if observed.values is not None:
        out["values"] = {name: _plain(value) for name, value in observed.values.items()}
    if observed.repeats:
        out["repeats"] = observed.repeats
    if observed.answers:
        out["answers"] = observed.answers
    if observed.rtt_us is not None:
        out["rtt_ms"] = observed.rtt_us / 1000
    return out


def event_json(event: tuple) -> str:
    """Any event of a session as one line of JSON."""
    if isinstance(event, Observed):
        out = observed_json(event)
    elif isinstance(event, Shown):
        rows = [dict(zip(event.columns, row, strict=True)) for row in event.rows]
        out = {"t": event.time_us / 1e6, "kind": "table", "rows": rows}
    else:
        # Told or Answered.
        time_us, text = event
        out = {"t": time_us / 1e6, "kind": _KINDS[type(event)], "text": text}
    return json.dumps(out, ensure_ascii=False)


_KINDS = {Told: "event", Answered: "answer"}


def _relation(observed: Observed) -> str:
    text = ""
    if observed.repeats:
        text += "  (again, first #%d)" % observed.repeats
    if observed.rtt_us is not None:
        text += "  (%.1f ms)" % (observed.rtt_us / 1000)
    return text


def _text(data: bytes) -> str:
    shown = "".join(chr(b) if 32 <= b < 127 else "." for b in data)
    return "%s |%s|" % (data.hex(" "), shown)


def _plain(value: object) -> object:
    return value_text(value) if isinstance(value, bytes) else value
