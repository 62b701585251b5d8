"""Frames without their secrets: the product secret of device info (02) and the Wi-Fi key of direct configuration (09).

Each secret byte becomes 2a (a star) and the checksum is made right again, so that what is shown is still a frame of the
same length. Of a damaged frame of these two commands only the beginning is kept.
"""

from mcu_proto.const import CMD_CONFIG_MODE, CMD_GET_INFO, ack_of
from mcu_proto.errors import RemoteError
from mcu_proto.frame import BadFrame, Frame, encode_frame
from mcu_proto.message import parse_config_mode

_DEVICE_INFO = ack_of(CMD_GET_INFO)
# Device info up to the device attributes; what follows is the secret and a text that may hold a password.
_PUBLIC_INFO = 74
# Header, length, command, sn, flags.
_HEAD = 8


def redacted(item: object, wire: bytes) -> bytes:
    """The wire bytes of an observed item, fit to be shown to anybody."""
    if isinstance(item, Frame) and item.cmd in _PUBLIC:
        payload = _PUBLIC[item.cmd](item.payload)
        if payload == item.payload:
            return wire
        return encode_frame(item.cmd, item.sn, payload, item.flags)
    if isinstance(item, BadFrame) and item.cmd in _PUBLIC and len(wire) > _HEAD:
        return wire[:_HEAD] + b"*" * (len(wire) - _HEAD)
    if item is None and _looks_secret(wire):
        return wire[:_HEAD] + b"*" * (len(wire) - _HEAD)
    return wire


def _looks_secret(wire: bytes) -> bool:
    """Half a frame of one of the two commands."""
    return wire[:2] == b"\xff\xff" and len(wire) > _HEAD and wire[4] in _PUBLIC


def _device_info(payload: bytes) -> bytes:
    return payload[:_PUBLIC_INFO] + b"*" * (len(payload) - _PUBLIC_INFO)


def _config_mode(payload: bytes) -> bytes:
    try:
        config = parse_config_mode(payload)
    except RemoteError:
        return payload[:1] + b"*" * (len(payload) - 1)
    at = 1 + 1 + len(config.ssid) + 1
    return payload[:at] + b"*" * len(config.key) + payload[at + len(config.key) :] if config.key else payload


_PUBLIC = {_DEVICE_INFO: _device_info, CMD_CONFIG_MODE: _config_mode}
