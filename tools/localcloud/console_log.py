"""The communication log in words: what crossed the cloud and who came and went, with the attributes decoded.

The Open API gives the log as hex; this is the same log as a person reads it. Functions on data.
"""

from typing import Any

from gagent import wire
from mcu_proto.const import ACTION_CONTROL, ACTION_VAR_CONTROL
from mcu_proto.datapoint import Schema
from mcu_proto.errors import RemoteError
from mcu_proto.names import ACTION_NAMES

from . import relay
from .store.history import APP2DEV, Message, Presence

_CONTROLS = (ACTION_CONTROL, ACTION_VAR_CONTROL)
_PRESENCE = {"dev_online": "online", "dev_re_online": "online again", "dev_offline": "offline"}
# An upload of an MCU is kilobytes of hex.
_MAX_HEX = 2000


def message_row(message: Message, schema: Schema | None) -> dict[str, Any]:
    """`way` is up or down, `words` what it is, `attrs` what it carries, {} when that is none or not known."""
    words, attrs = _read(message.payload, schema)
    return {
        "at": round(message.at, 3),
        "way": "down" if message.type == APP2DEV else "up",
        "words": words,
        "attrs": attrs,
        "source": message.source or "",
        "ip": message.ip,
        "hex": message.payload.hex()[:_MAX_HEX],
    }


def presence_row(change: Presence) -> dict[str, Any]:
    """The same for a device that came or went."""
    words = _PRESENCE.get(change.type, change.type)
    if change.reason:
        words += ", %s" % change.reason.replace("_", " ")
    if change.duration is not None:
        words += ", after %d s" % change.duration
    return {
        "at": round(change.at, 3),
        "way": "online" if change.type != "dev_offline" else "offline",
        "words": words,
        "attrs": {},
        "source": "",
        "ip": change.ip,
        "hex": "",
    }


def _read(payload: bytes, schema: Schema | None) -> tuple[str, dict[str, Any]]:
    try:
        envelope = wire.decode(payload)
        if not envelope.p0:
            return ("ack" if envelope.cmd == wire.CLOUD_CONTROL_ACK else "empty %04x" % envelope.cmd), {}
        action = envelope.p0[0]
        words = ACTION_NAMES.get(action, "action %02x" % action)
        if schema is None:
            return words, {}
        if action in _CONTROLS:
            return words, _plain(schema.decode_control(envelope.p0))
        return words, _plain(relay.state_of(schema, payload))
    except RemoteError as error:
        return "cannot be read: %s" % error, {}


def _plain(attrs: dict[str, Any]) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in attrs.items()}
