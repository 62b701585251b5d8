"""What is said on the home broker: attributes as JSON with a timestamp, controls as JSON, refusals. Pure.

    state     {"power": true, "mode": "heat", "week_program": "00ff00ff00ff00", "timestamp": "2026-01-31T12:00:00.123Z"}
    set       {"power": false, "target_temp": 45.5}
    error     {"attr": "target_temp", "value": 999, "error": "999 is not within -10 to 65"}
    event     {"attr": "fault_sensor", "value": true, "timestamp": "2026-01-31T12:00:00.123Z"}

A set is taken as a whole or not at all: a room at the wrong set point is better than half a mode change.
Survives: a set of any length, depth and content.
"""

import json
from datetime import UTC, datetime
from typing import NamedTuple

from mcu_proto.datapoint import Schema
from mcu_proto.errors import AttrError

TIMESTAMP = "timestamp"
# A control has at most 900 bytes of values; as text they take some times that.
MAX_SET = 16384
# Of a refused value that much is sent back.
_MAX_ECHO = 200
# Before this the system clock was never set: 2024-01-01.
_PLAUSIBLE_UTC = 1704067200

Values = dict[str, object]


class Refusal(NamedTuple):
    """Why a set was not taken; `attr` is None when it is not about one attribute."""

    attr: str | None
    value: object
    error: str


def state_key(name: str) -> str:
    """The key of the attribute `name` in a state; an attribute called timestamp must not hide the time."""
    return name + "_" if name == TIMESTAMP else name


def build_state(values: Values, utc: float) -> bytes:
    """The state message of `values` as `Schema.decode` gives them, true at `utc`."""
    content = {state_key(name): _plain(value) for name, value in values.items()}
    return dump(content | {TIMESTAMP: _time(utc)})


def build_event(attr: str, value: object, utc: float) -> bytes:
    """The event message of an alert or a fault that became `value`."""
    return dump({"attr": attr, "value": _plain(value), TIMESTAMP: _time(utc)})


def build_error(refusal: Refusal) -> bytes:
    """The error message."""
    value = refusal.value
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > _MAX_ECHO:
        value = text[:_MAX_ECHO] + "..."
    return dump({"attr": refusal.attr, "value": value, "error": refusal.error})


def dump(content: object) -> bytes:
    """JSON text as short as it gets."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def parse_set(schema: Schema, payload: bytes) -> tuple[bytes, list[Refusal]]:
    """(control P0, nothing) for a set that is good as a whole, else (nothing, every refusal)."""
    try:
        values = _object(payload)
    except ValueError as error:
        return b"", [Refusal(None, payload[:_MAX_ECHO].decode("utf-8", "replace"), str(error))]
    if not values:
        return b"", [Refusal(None, values, "it names no attribute")]
    if len(values) > len(schema.attrs):
        return b"", [Refusal(None, None, "%d attributes, the product has %d" % (len(values), len(schema.attrs)))]
    refusals = [refusal for name in values for refusal in _check(schema, name, values[name])]
    return (b"", refusals) if refusals else (schema.encode_control(values), [])


def _object(payload: bytes) -> Values:
    expected = 'expected a JSON object such as {"power": true}'
    if len(payload) > MAX_SET:
        raise ValueError("%d bytes, at most %d are taken" % (len(payload), MAX_SET))
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        raise ValueError("not JSON: " + expected) from None
    if not isinstance(values, dict):
        raise ValueError(expected)
    return values


def _check(schema: Schema, name: str, value: object) -> list[Refusal]:
    try:
        schema.encode_control({name: value})
    except AttrError as error:
        return [Refusal(name, value, error.args[1])]
    return []


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _time(utc: float) -> str | None:
    """ISO 8601 with milliseconds; None while the clock is not set: no time is better than a wrong one."""
    if utc < _PLAUSIBLE_UTC:
        return None
    return datetime.fromtimestamp(utc, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
