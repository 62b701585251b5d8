"""What the bytes of each command's payload are, for the frame inspector. Serial manual, chapters 3 to 9.

`PAYLOADS` has a row for every command whose payload the manual describes: a function that walks a `ByteCursor`, to its
end or until `Cut` is raised. P0 is told by `inspector_p0`.
"""

from collections.abc import Callable

from mcu_proto import const as c
from mcu_proto.datapoint import Schema
from mcu_proto.names import ERR_NAMES, STATUS_NAMES

from .byte_cursor import ByteCursor
from .inspector_p0 import describe_p0

Describe = Callable[[ByteCursor, int, "Schema | None"], None]

_MODES = {c.CONFIG_SOFTAP: "SoftAP", c.CONFIG_AIRLINK: "AirLink", c.CONFIG_DIRECT: "direct, with ssid and password"}
_MODULE_KINDS = {0: "basic", 1: "Wi-Fi", 2: "cellular"}
_CENTRAL_SCOPES = (
    "the controller only",
    "and all sub-devices",
    "and all sub-devices and user bindings",
    "and related sub-devices",
    "all sub-devices",
    "all sub-devices and bindings",
    "some sub-devices",
    "some sub-devices and bindings",
)
_GATEWAY_SCOPES = ("the gateway only", "the gateway and all sub-devices", "all sub-devices")
_SUB_COMMANDS = {1: "check", 2: "result of a check", 3: "download", 4: "result of a download"}


def _device_info(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    for name in ("protocol version", "P0 version", "hardware version", "software version"):
        cursor.text(8, name)
    cursor.text(32, "product key")
    cursor.number(2, "binding window", lambda n: "%d s" % n if n else "always open")
    if cursor.left():
        _device_attributes(cursor)
    if cursor.left():
        cursor.secret(32, "product secret")
    if cursor.left():
        size = cursor.number(2, "length of data")
        # It may hold apPwd, a password.
        cursor.secret(min(size, cursor.left()), "data")


def _device_attributes(cursor: ByteCursor) -> None:
    n = cursor.number(8, "device attributes", lambda n: "%016x" % n)
    for bit, name in ((0, "central controller"), (1, "made by the code generator"), (6, "encrypted LAN discovery")):
        cursor.note("bit %d" % bit, "%d  %s" % (n >> bit & 1, name), 1)
    if n & 1:
        _scope(cursor, "bits 2-5", n >> 2 & 15, _CENTRAL_SCOPES)
    for bit, name in ((7, "variable length"), (8, "light gateway")):
        cursor.note("bit %d" % bit, "%d  %s" % (n >> bit & 1, name), 1)
    if n >> 8 & 1:
        _scope(cursor, "bits 9-12", n >> 9 & 15, _GATEWAY_SCOPES)
    if n >> 13:
        cursor.note("bits 13-63", "must be 0", 1)


def _scope(cursor: ByteCursor, bits: str, scope: int, names: tuple) -> None:
    cursor.note(bits, "a reset takes along: " + (names[scope] if scope < len(names) else "%d, unknown" % scope), 1)


def _config_mode(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    cursor.number(1, "mode", lambda n: _MODES.get(n, "%d, unknown: taken as AirLink" % n))
    for name in ("ssid", "password", "bssid", "time zone", "server"):
        if not cursor.left():
            return
        size = cursor.number(1, "length of " + name)
        if name == "password":
            cursor.secret(size, name)
        else:
            cursor.text(size, name)


def _status(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    status_rows(cursor, cursor.number(2, "status word", lambda n: "%04x" % n))


def status_rows(cursor: ByteCursor, status: int) -> None:
    """A row for every bit of the module status word."""
    for bit in range(16):
        name = STATUS_NAMES.get(1 << bit)
        if name is not None:
            cursor.note("bit %d" % bit, "%d  %s" % (status >> bit & 1, name), 1)
        elif bit == 8:
            about = "" if status & c.STATUS_ROUTER else ", valid only with a router"
            cursor.note("bits 8-10", "%d  signal level, 0 to 7%s" % (status >> 8 & 7, about), 1)
        elif bit not in (9, 10) and status >> bit & 1:
            cursor.note("bit %d" % bit, "1  reserved, must be 0", 1)


def _illegal(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    cursor.number(1, "code", lambda n: ERR_NAMES.get(n, "%d, unknown" % n))


def _network_time(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    cursor.number(2, "year", lambda n: "%d: not known yet" % n if n in (0, 1970) else str(n))
    for name in ("month", "day", "hour", "minute", "second"):
        cursor.number(1, name)
    if cursor.left():
        cursor.number(4, "UTC", lambda n: "%d s since 1970" % n)


def _module_info_type(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    cursor.number(1, "type", lambda n: _MODULE_KINDS[0] if n == 0 else "%d, unknown" % n)


def _module_info(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    kind = cursor.number(1, "module type", lambda n: _MODULE_KINDS.get(n, "%d, unknown" % n))
    for name in ("protocol version", "hardware version", "software version"):
        cursor.text(8, name)
    if kind == 1:
        cursor.text(16, "MAC")
        cursor.text(16, "IPv4 address")
        _device_attributes(cursor)
        return
    if kind != 2:
        return
    _device_attributes(cursor)
    for size, name in ((16, "IMEI"), (16, "IMSI"), (8, "MCC"), (8, "MNC")):
        cursor.text(size, name)
    cells = cursor.number(1, "cells")
    cursor.number(1, "bytes per cell", lambda n: "%d, ignored" % n)
    for i in range(cells):
        cursor.number(2, "cell %d LAC" % (i + 1), lambda n: "%04x" % n)
        cursor.number(2, "cell %d id" % (i + 1), lambda n: "%04x" % n)
        cursor.number(1, "cell %d RSSI" % (i + 1))


def _announce(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    cursor.number(4, "file size", lambda n: "%d bytes" % n)
    _md5(cursor)


def _ready(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    _md5(cursor)
    cursor.number(2, "piece size", lambda n: "%d bytes" % n if n else "0: 256 bytes")


def _md5(cursor: ByteCursor) -> None:
    cursor.text(cursor.number(2, "length of md5"), "md5")


def _piece(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    number = cursor.number(2, "piece number")
    count = cursor.number(2, "piece count", lambda n: str(n) if n else "0: lines of HEX text are not counted")
    is_last = number == count or flags & c.FLAG_LAST
    cursor.take(cursor.left(), "data", "the last piece" if is_last else "piece %d" % number)


def _transaction(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    kind = cursor.number(1, "sub-command", lambda n: _SUB_COMMANDS.get(n, "%d, unknown" % n))
    if kind == 1:
        for size, name in ((32, "product key"), (32, "did"), (8, "hardware version"), (8, "software version")):
            cursor.text(size, name)
        cursor.number(1, "compare", lambda n: "the module decides and downloads" if n else "tell what there is")
    elif kind == 3:
        cursor.text(cursor.number(2, "length of url"), "url")
    elif kind == 2 and cursor.left() > 1:
        cursor.text(8, "software version")
        cursor.text(cursor.number(2, "length of url"), "url")
    elif kind == 2:
        cursor.number(1, "found", lambda n: "an update was found" if n else "no update")
    elif kind == 4:
        cursor.number(1, "error", lambda n: "failed" if n else "good")


def _short_text(cursor: ByteCursor, name: str) -> None:
    cursor.text(cursor.number(1, "length of " + name), name)


def _registration(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    _short_text(cursor, "product key")
    cursor.secret(cursor.number(1, "length of product secret"), "product secret")
    cursor.number(8, "sub-device attributes", lambda n: "%016x" % n)
    _short_text(cursor, "tag")
    cursor.number(1, "what", lambda n: "deregister" if n else "register")
    for i in range(cursor.number(1, "devices")):
        _short_text(cursor, "MAC %d" % (i + 1))
        _short_text(cursor, "meshId %d" % (i + 1))


def _registration_result(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    _short_text(cursor, "tag")
    cursor.number(1, "result", _result_text)
    for i in range(cursor.number(1, "devices")):
        _short_text(cursor, "MAC %d" % (i + 1))
        _short_text(cursor, "meshId %d" % (i + 1))
        cursor.number(1, "result %d" % (i + 1), _result_text)
        _short_text(cursor, "did %d" % (i + 1))


def _result_text(n: int) -> str:
    return "good" if n == 0 else "%d, failed" % n


# cmd: what walks its payload. Commands that are not here have none.
PAYLOADS: dict[int, Describe] = {
    c.ack_of(c.CMD_GET_INFO): _device_info,
    c.CMD_P0_DOWN: describe_p0,
    c.ack_of(c.CMD_P0_DOWN): describe_p0,
    c.CMD_P0_UP: describe_p0,
    c.CMD_CONFIG_MODE: _config_mode,
    c.CMD_MODULE_STATUS: _status,
    c.CMD_ILLEGAL_FROM_MODULE: _illegal,
    c.CMD_ILLEGAL_FROM_MCU: _illegal,
    c.ack_of(c.CMD_GET_TIME): _network_time,
    c.CMD_GET_MODULE_INFO: _module_info_type,
    c.ack_of(c.CMD_GET_MODULE_INFO): _module_info,
    c.CMD_ANNOUNCE: _announce,
    c.CMD_READY: _ready,
    c.CMD_PIECE: _piece,
    c.CMD_TRANSACTION: _transaction,
    c.CMD_TRANSACTION_RESULT: _transaction,
    c.CMD_REGISTER_SUBDEVICES: _registration,
    c.CMD_SUBDEVICES_REGISTERED: _registration_result,
}
