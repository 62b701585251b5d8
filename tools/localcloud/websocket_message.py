"""The messages of the WebSocket API as data: what comes in is checked here, what goes out is built here.

Cloud manual, WebSocket API. One JSON object per text frame: `cmd`, mostly `data`, some with `req_sn`, `res_sn` and
`did` beside them. Whatever a client sends is a `Message` or a `Refusal`.
"""

import json
from typing import Any, NamedTuple

from .store.devices import Device

INVALID_JSON = 1001
UNKNOWN_CMD = 1002
NOT_LOGGED_IN = 1003
INVALID_PARAMETER = 1004
NOT_IN_THIS_MODE = 1005
DEVICE_NOT_FOUND = 1006
DEVICE_NOT_BOUND = 1007
NOT_SUBSCRIBED = 1008
LOGIN_AGAIN = 1009
ATTR_INVALID = 1010
NO_HEARTBEAT = 1011
TOO_MANY = 1012
RAW_INVALID = 1013
DATA_INVALID = 1015
DEVICE_OFFLINE = 1016

# Clients log in again on 1003 and 1009 and connect again on 1011: these three mean nothing else. 1003, 1009 and 1011
# are the vendor's numbers, the others are ours.
TEXTS = {
    INVALID_JSON: "invalid json",
    UNKNOWN_CMD: "unknown cmd",
    NOT_LOGGED_IN: "please login first",
    INVALID_PARAMETER: "invalid parameter",
    NOT_IN_THIS_MODE: "command not allowed for this p0_type",
    DEVICE_NOT_FOUND: "device not found",
    DEVICE_NOT_BOUND: "device not bound",
    NOT_SUBSCRIBED: "device not subscribed",
    LOGIN_AGAIN: "M2M socket has closed, please login again!",
    ATTR_INVALID: "attr invalid",
    NO_HEARTBEAT: "No heartbeat!",
    TOO_MANY: "too many messages",
    RAW_INVALID: "raw frame invalid",
    DATA_INVALID: "device data invalid",
    DEVICE_OFFLINE: "device offline",
}

ATTRS = "attrs_v4"
CUSTOM = "custom"

MAX_SN = 0xFFFFFFFF
# What clients send, in seconds. The manual allows 180 at most, public clients send up to 600 and are served.
HEARTBEAT_S = 180
MAX_HEARTBEAT_S = 600
_MAX_TEXT = 128
# One message names no more devices than a large account has.
_MAX_DIDS = 20000


class Refusal(Exception):
    """Answered with s2c_invalid_msg; `detail` says to a person what was got and what was expected."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    @property
    def text(self) -> str:
        return "%s: %s" % (TEXTS[self.code], self.detail) if self.detail else TEXTS[self.code]


class Message(NamedTuple):
    """`sn` is the req_sn of a request, the res_sn of an ack, None when there is none."""

    cmd: str
    data: Any
    sn: int | None
    did: Any


class Login(NamedTuple):
    app_id: str
    uid: str
    token: str
    p0_type: str
    heartbeat_s: int
    is_auto: bool


def parse(text: str) -> Message:
    """The message in a text frame."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(INVALID_JSON) from None
    if not isinstance(value, dict):
        raise Refusal(INVALID_JSON, "expected an object")
    cmd = value.get("cmd")
    if not isinstance(cmd, str):
        raise Refusal(UNKNOWN_CMD, "cmd is missing")
    name = "res_sn" if cmd == "c2s_ack" else "req_sn"
    sn = value.get(name)
    if sn is not None and (type(sn) is not int or not 0 <= sn <= MAX_SN):
        raise Refusal(INVALID_PARAMETER, "%s: expected a whole number from 0 to %d" % (name, MAX_SN))
    return Message(cmd, value.get("data"), sn, value.get("did"))


def parse_login(data: Any) -> Login:
    """The data of a login_req."""
    row = _object(data)
    p0_type = row.get("p0_type")
    if p0_type not in (ATTRS, CUSTOM):
        raise Refusal(INVALID_PARAMETER, "p0_type: expected %s or %s" % (ATTRS, CUSTOM))
    is_auto = row.get("auto_subscribe", True)
    if type(is_auto) is not bool:
        raise Refusal(INVALID_PARAMETER, "auto_subscribe: expected true or false")
    heartbeat = _heartbeat(row.get("heartbeat_interval"))
    return Login(_text(row, "appid"), _text(row, "uid"), _text(row, "token"), p0_type, heartbeat, is_auto)


def parse_dids(data: Any) -> list[str]:
    """The devices a subscribe_req names, each once."""
    if not isinstance(data, list) or len(data) > _MAX_DIDS:
        raise Refusal(INVALID_PARAMETER, 'data: expected a list of {"did": "..."}')
    return list(dict.fromkeys(_text(_object(row), "did") for row in data))


def parse_target(data: Any) -> tuple[str, dict[str, Any]]:
    """(did, all of data) of a read, a write or a raw frame."""
    row = _object(data)
    return _text(row, "did"), row


def parse_raw(row: dict[str, Any]) -> bytes:
    """The bytes of a c2s_raw."""
    raw = row.get("raw")
    if not isinstance(raw, list) or not all(type(n) is int and 0 <= n <= 255 for n in raw):
        raise Refusal(INVALID_PARAMETER, "raw: expected a list of numbers from 0 to 255")
    return bytes(raw)


def check_did(value: Any) -> str:
    """The did beside a command."""
    return _text({"did": value}, "did")


def login_res(msg: str = "") -> dict[str, Any]:
    """The answer to a login: a success, or why not."""
    return {"cmd": "login_res", "data": {"success": False, "msg": msg} if msg else {"success": True}}


def subscribe_res(success: list[str], failed: list[tuple[str, int]]) -> dict[str, Any]:
    # Both lists are always there: the vendor's web client reads the length of each.
    data = {
        "success": [{"did": did, "error_code": 0, "msg": "ok"} for did in success],
        "failed": [{"did": did, "error_code": code, "msg": TEXTS[code]} for did, code in failed],
    }
    return {"cmd": "subscribe_res", "data": data}


def online_status(device: Device, is_online: bool) -> dict[str, Any]:
    # Deviation: is_online beside the manual's online, a public client looks for that name.
    state = {"online": is_online, "is_online": is_online}
    data = {"did": device.did, "passcode": device.passcode, "mac": device.mac, **state}
    return {"cmd": "s2c_online_status", "data": data}


def binding_changed(did: str, is_bound: bool) -> dict[str, Any]:
    return {"cmd": "s2c_binding_changed", "data": {"did": did, "bind": is_bound}}


def noti(did: str, attrs: dict[str, Any], **sn: int) -> dict[str, Any]:
    """Decoded attributes; `req_sn` when the device waits for an ack, `res_sn` when it answers."""
    return {"cmd": "s2c_noti", **sn, "data": {"did": did, "attrs": attrs}}


def raw(did: str, payload: bytes) -> dict[str, Any]:
    return {"cmd": "s2c_raw", "data": {"did": did, "raw": list(payload)}}


def ack(did: str, sn: int) -> dict[str, Any]:
    return {"cmd": "s2c_ack", "res_sn": sn, "did": did}


def invalid(refusal: Refusal) -> dict[str, Any]:
    return {"cmd": "s2c_invalid_msg", "data": {"error_code": refusal.code, "msg": refusal.text}}


def pong() -> dict[str, Any]:
    return {"cmd": "pong"}


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refusal(INVALID_PARAMETER, "data: expected an object")
    return value


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or not value.isprintable():
        raise Refusal(INVALID_PARAMETER, "%s: expected text of 1 to %d characters" % (name, _MAX_TEXT))
    return value


def _heartbeat(value: Any) -> int:
    if value is None:
        return HEARTBEAT_S
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if type(value) not in (int, float) or not 1 <= value < 10**9:
        raise Refusal(INVALID_PARAMETER, "heartbeat_interval: expected seconds, from 1 to %d" % HEARTBEAT_S)
    return min(int(value), MAX_HEARTBEAT_S)
