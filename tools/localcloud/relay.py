"""From a device's envelope to its state, from an app's control to an envelope. Cloud manual, device side, 4.4 and 7.

    dev2app  envelope -> P0 -> attributes    of a report or read reply; every other P0 is kept but means nothing here
    app2dev  attributes or raw bytes -> P0 -> envelope 0x0090

All of it is functions on data. What a device sends may be anything: it ends in RemoteError, never in a wrong state.
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gagent import wire
from mcu_proto.const import ACTION_READ_REPLY, ACTION_REPORT, ACTION_VAR_READ_REPLY, ACTION_VAR_REPORT
from mcu_proto.datapoint import Schema
from mcu_proto.errors import AttrError

# Commands with which a device hands P0 to the apps, and the actions in which P0 holds its state.
_UP = (wire.CLOUD_REPORT, wire.CLOUD_CONTROL, wire.CLOUD_CONTROL_ACK)
_STATE = (ACTION_READ_REPLY, ACTION_REPORT, ACTION_VAR_READ_REPLY, ACTION_VAR_REPORT)

# Reference modules read 1024 bytes at a time and drop a packet that is longer.
MAX_CONTROL = 900

_TEXTS: dict[str, Callable[[str], bytes]] = {"hex": bytes.fromhex, "base64": partial(base64.b64decode, validate=True)}
# How the bytes of a control may be written. A list of numbers is read with each of them.
CODINGS = ("array", *_TEXTS)


def new_client() -> str:
    """A client id for the topics of one app session; reference modules keep exactly these 23 characters."""
    return "usr%020d" % secrets.randbelow(10**20)


def state_of(schema: Schema, payload: bytes) -> dict[str, Any]:
    """The attributes in a device's envelope, {} when it carries none; RemoteError when it cannot be read."""
    envelope = wire.decode(payload)
    if envelope.cmd not in _UP or not envelope.p0 or envelope.p0[0] not in _STATE:
        return {}
    return {
        name: value.hex() if isinstance(value, bytes) else value for name, value in schema.decode(envelope.p0).items()
    }


def shown(attrs: Mapping[str, Any], bools: str) -> dict[str, Any]:
    """Attributes as an app sees them: bools as 0 and 1, or as they are for products shown with `literal` ones."""
    if bools == "literal":
        return dict(attrs)
    return {name: int(value) if isinstance(value, bool) else value for name, value in attrs.items()}


def control_p0(schema: Schema, attrs: Mapping[str, Any], coding: str) -> bytes:
    """The P0 that sets `attrs`; AttrError when one is unknown, read-only or out of range."""
    values = {
        name: _binary(name, value, coding) if schema.attr(name).data_type == "binary" else value
        for name, value in attrs.items()
    }
    p0: bytes = schema.encode_control(values)
    return p0


def raw_p0(raw: Any, coding: str) -> bytes:
    """The P0 that an app gives as bytes: a list of numbers, or hex or base64 text. AttrError when it is none."""
    p0 = _binary("raw", raw, coding)
    if not 0 < len(p0) <= MAX_CONTROL:
        raise AttrError("raw", "has %d bytes, expected 1 to %d" % (len(p0), MAX_CONTROL))
    return p0


def command(p0: bytes) -> bytes:
    """The envelope in which the cloud sends P0 down."""
    envelope: bytes = wire.encode(wire.CLOUD_COMMAND, p0)
    return envelope


def _binary(name: str, value: Any, coding: str) -> bytes:
    if isinstance(value, str) and coding in _TEXTS:
        try:
            return _TEXTS[coding](value)
        except (ValueError, binascii.Error):
            raise AttrError(name, "is no %s text" % coding) from None
    if not isinstance(value, list) or not all(type(n) is int and 0 <= n <= 255 for n in value):
        raise AttrError(name, "is neither %s text nor a list of numbers from 0 to 255" % coding)
    return bytes(value)
