"""What each key of the settings may be: one check a key, value -> value, or ValueError with what is allowed."""

import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import serial

from .log import LOG_LEVELS
from .outbox import ALWAYS, OFFLINE
from .redactor import LOG_FORMATS

UPLINKS = ("cloud", "none")
SIGNATURES = ("off", "warn", "require")


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int


def _api(value: object) -> str:
    expected = "http://host[:port] or https://host[:port], without a path"
    url = _text(value, expected)
    parts = urlsplit(url)
    try:
        parts.port  # noqa: B018  it is parsed when asked for
    except ValueError:
        raise ValueError(expected) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(expected)
    return url.rstrip("/")


def _state(value: object) -> str:
    return os.path.abspath(os.path.expanduser(_text(value, "the path of a directory")))


def _tz_minutes(value: object) -> int:
    return _number(value, -720, 840, "minutes east of UTC, -720 to 840")


def _durability(value: object) -> str:
    expected = '"%s" (on disk before the MCU\'s ack) or "%s" (on disk only while the cloud is away)' % (ALWAYS, OFFLINE)
    if value not in (ALWAYS, OFFLINE):
        raise ValueError(expected)
    return str(value)


def _outbox_max(value: object) -> int:
    return _number(value, 1, 1_000_000, "how many reports may wait for the cloud, 1 to 1000000")


def _outbox_days(value: object) -> int:
    return _number(value, 1, 3650, "how many days a report may wait for the cloud, 1 to 3650")


def _mqtt_port(value: object) -> int:
    return _number(value, 1, 65535, "a TCP port, 1 to 65535 (brokers with TLS: 8883)")


def _file(value: object) -> str:
    expected = "the path of a file that this user may read"
    path = os.path.abspath(os.path.expanduser(_text(value, expected)))
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise ValueError(expected)
    return path


def _server_name(value: object) -> str:
    return _matching(r"[A-Za-z0-9.:-]{1,253}", value, "the name or address that the server's certificate bears")


def _log_format(value: object) -> str:
    return _one_of(LOG_FORMATS, value)


def _log_level(value: object) -> str:
    return _one_of(tuple(LOG_LEVELS), value)


def _address(value: object) -> Address:
    expected = "host:port, for example 127.0.0.1:9469 (reached from this machine only)"
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", _text(value, expected))
    if match is None or int(match[3]) > 65535:
        raise ValueError(expected)
    return Address(match[1] or match[2], int(match[3]))


def _max_size(value: object) -> int:
    return _number(value, 0, 1 << 28, "the largest image in bytes, 0 (take no firmware) to 268435456")


def _signatures(value: object) -> str:
    return _one_of(SIGNATURES, value)


def _public_key(value: object) -> str:
    expected = "the operator's public key, 64 hex digits, as `localcloud ota key` prints it"
    return _matching(r"[0-9A-Fa-f]{64}", value, expected).lower()


def _uplink(value: object) -> str:
    return _one_of(UPLINKS, value)


def _host(value: object) -> str:
    return _matching(r"[A-Za-z0-9.:_-]{1,253}", value, "the name or address of the broker")


def _broker_port(value: object) -> int:
    return _number(value, 1, 65535, "a TCP port, 1 to 65535 (brokers: 1883, with TLS 8883)")


def _login(value: object) -> str:
    return _text(value, "what the broker knows this user by")


def _path(value: object) -> str:
    return os.path.expanduser(_text(value, "the path of a file, from the settings file's folder"))


def _topic(value: object) -> str:
    expected = "levels of letters, digits, '.', '_', '-', with '/' between them, such as gagent or home/gagent"
    return _matching(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", value, expected)


def _discovery(value: object) -> str:
    return "" if value == "" else _topic(value)


def _app_id(value: object) -> str:
    return _matching(r"[0-9A-Za-z]{1,64}", value, "the application id that the cloud gave: letters and digits")


def _serial_port(value: object) -> str:
    expected = "a device such as /dev/ttyUSB0 or a URL of pyserial such as socket://host:port, rfc2217://host:port"
    url = _text(value, expected)
    if "://" in url:
        try:
            serial.serial_for_url(url, do_not_open=True)
        except (ValueError, OSError) as error:
            raise ValueError("%s (%s)" % (expected, error)) from error
    return url


def _baud(value: object) -> int:
    return _number(value, 300, 4_000_000, "bits a second, 300 to 4000000 (most MCUs of this protocol: 9600)")


def _name(value: object) -> str:
    expected = "1 to 64 letters, digits, '.', '_', '-', beginning with a letter or digit"
    return _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value, expected)


def _mac(value: object) -> str:
    expected = "12 hex digits without separators, or for cellular modules the IMEI: 1 to 32 letters and digits"
    return _matching(r"[A-Za-z0-9]{1,32}", value, expected)


def _one_of(allowed: tuple[str, ...], value: object) -> str:
    expected = "one of: " + ", ".join(allowed)
    text = _text(value, expected)
    if text not in allowed:
        raise ValueError(expected)
    return text


def _matching(pattern: str, value: object, expected: str) -> str:
    text = _text(value, expected)
    if not re.fullmatch(pattern, text):
        raise ValueError(expected)
    return text


def _text(value: object, expected: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text: " + expected)
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _number(value: object, low: int, high: int, expected: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(expected)
    return value


TOP_KEYS: dict[str, Callable[[object], Any]] = {
    "api": _api,
    "state": _state,
    "tz_minutes": _tz_minutes,
    "mqtt_tls": _flag,
    "mqtt_port": _mqtt_port,
    "log_format": _log_format,
    "durability": _durability,
    "outbox_max": _outbox_max,
    "outbox_days": _outbox_days,
    "uplink": _uplink,
}
METRICS_KEYS: dict[str, Callable[[object], Any]] = {"listen": _address}
FIRMWARE_KEYS: dict[str, Callable[[object], Any]] = {
    "max_size": _max_size,
    "signatures": _signatures,
    "key": _public_key,
}
TLS_KEYS: dict[str, Callable[[object], Any]] = {
    "ca": _file,
    "cert": _file,
    "key": _file,
    "server_name": _server_name,
}
BRIDGE_KEYS: dict[str, Callable[[object], Any]] = {
    "host": _host,
    "port": _broker_port,
    "username": _login,
    "password": _login,
    "password_file": _path,
    "topic": _topic,
    "discovery": _discovery,
    "app_id": _app_id,
}
PORT_KEYS: dict[str, Callable[[object], Any]] = {
    "port": _serial_port,
    "baud": _baud,
    "name": _name,
    "mac": _mac,
    "log_level": _log_level,
    "uplink": _uplink,
    "product": _path,
}
