"""What a device's envelope means to the sessions of the WebSocket API, and the envelopes that they send.

    0x0091 state          s2c_noti, all who subscribed       0x0094 state   s2c_noti with res_sn, who asked
    0x0093 state          s2c_noti with req_sn, all          0x0094 empty   s2c_ack, who asked
    other P0              s2c_raw, also in attrs_v4          cannot be read s2c_invalid_msg 1015

A session with p0_type `custom` gets the bytes of all that. All of it is functions on data.
"""

from typing import Any, NamedTuple

from gagent import wire
from mcu_proto.const import ACTION_READ, ACTION_READ_REPLY, ACTION_REPORT, ACTION_VAR_READ_REPLY, ACTION_VAR_REPORT
from mcu_proto.datapoint import Schema
from mcu_proto.errors import AttrError, RemoteError

from . import relay
from .websocket_message import ATTR_INVALID, RAW_INVALID, Refusal

_UP = (wire.CLOUD_REPORT, wire.CLOUD_CONTROL, wire.CLOUD_CONTROL_ACK)
_DOWN = (wire.CLOUD_COMMAND, wire.CLOUD_CONTROL, wire.CLOUD_CONTROL_ACK)
_STATE = (ACTION_READ_REPLY, ACTION_REPORT, ACTION_VAR_READ_REPLY, ACTION_VAR_REPORT)

STATE = "state"
ACK = "ack"
RAW = "raw"
NOTHING = "nothing"
UNREADABLE = "unreadable"

# An error names the value that was refused; values can be long.
_MAX_DETAIL = 200


class Heard(NamedTuple):
    """`kind` as above; `attrs` of a state, else {}; `why` it cannot be read, else ""."""

    kind: str
    cmd: int
    sn: int
    attrs: dict[str, Any]
    why: str


def hear(schema: Schema | None, payload: bytes) -> Heard:
    """What an envelope of a device says. Never raises."""
    try:
        envelope = wire.decode(payload)
    except RemoteError as error:
        return Heard(UNREADABLE, 0, 0, {}, str(error))
    kind, attrs, why = _meaning(schema, envelope)
    return Heard(kind, envelope.cmd, envelope.sn, attrs, why)


def read_envelope(schema: Schema | None, names: Any, sn: int | None) -> bytes:
    """The envelope that asks for the state; `names` count for products of variable length only."""
    if schema is None or not schema.variable:
        return _down(bytes((ACTION_READ,)), sn)
    if names is not None and (not isinstance(names, list) or not all(isinstance(name, str) for name in names)):
        raise Refusal(ATTR_INVALID, "names: expected a list of names")
    try:
        return _down(schema.encode_read(names or None), sn)
    except AttrError as error:
        raise Refusal(ATTR_INVALID, str(error)[:_MAX_DETAIL]) from None


def write_envelope(schema: Schema | None, attrs: Any, sn: int | None) -> bytes:
    """The envelope that sets `attrs`."""
    if schema is None:
        raise Refusal(ATTR_INVALID, "the datapoints of this device's product are not known")
    if not isinstance(attrs, dict) or not attrs:
        raise Refusal(ATTR_INVALID, "attrs: expected an object of names and values")
    try:
        return _down(relay.control_p0(schema, attrs, "hex"), sn)
    except AttrError as error:
        raise Refusal(ATTR_INVALID, str(error)[:_MAX_DETAIL]) from None


def raw_envelope(payload: bytes) -> bytes:
    """The envelope that an app may send as it is. P0 alone, which a public client sends, is put into 0x0090."""
    # Deviation: the manual takes envelopes only. No action is 0, so the two cannot be mistaken for each other.
    if payload and payload[0] != 0:
        payload = relay.command(payload)
    try:
        envelope = wire.decode(payload)
    except RemoteError as error:
        raise Refusal(RAW_INVALID, str(error)) from None
    if envelope.cmd not in _DOWN:
        raise Refusal(RAW_INVALID, "cmd is %04x, expected 0090, 0093 or 0094" % envelope.cmd)
    if len(envelope.p0) > relay.MAX_CONTROL:
        raise Refusal(RAW_INVALID, "P0 has %d bytes, expected at most %d" % (len(envelope.p0), relay.MAX_CONTROL))
    return payload


def ack_envelope(sn: int) -> bytes:
    """The envelope that answers a device's 0x0093."""
    payload: bytes = wire.encode(wire.CLOUD_CONTROL_ACK, b"", sn)
    return payload


def _meaning(schema: Schema | None, envelope: wire.Envelope) -> tuple[str, dict[str, Any], str]:
    if envelope.cmd not in _UP:
        return NOTHING, {}, ""
    if not envelope.p0:
        return (ACK if envelope.cmd == wire.CLOUD_CONTROL_ACK else NOTHING), {}, ""
    if envelope.p0[0] not in _STATE or schema is None or not schema.attrs:
        return RAW, {}, ""
    try:
        values = schema.decode(envelope.p0)
    except RemoteError as error:
        return UNREADABLE, {}, str(error)
    return STATE, {name: _shown(value) for name, value in values.items()}, ""


def _shown(value: Any) -> Any:
    return list(value) if isinstance(value, bytes) else value


def _down(p0: bytes, sn: int | None) -> bytes:
    if sn is None:
        return relay.command(p0)
    payload: bytes = wire.encode(wire.CLOUD_CONTROL, p0, sn)
    return payload
