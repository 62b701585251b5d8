"""Settings: a TOML file, or flags, or both -> frozen dataclasses. Every value is checked here and trusted afterwards.

An error names file and line (or flag), the key, what was found and what is allowed. An unknown key is an error too: a
misspelt one must not be silently ignored.
"""

import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import serial

from .settings_source import FileSource, FlagSource, Source

DEFAULT_API = "http://127.0.0.1:8080"
DEFAULT_BAUD = 9600
DEFAULT_TZ_MINUTES = 480  # the reference agent's fixed +8 h, which the firmware of many MCUs counts on

_TABLE = "port"


class SettingsError(Exception):
    """One line for the user: where, which key, what was found, what is allowed."""


@dataclass(frozen=True)
class PortSettings:
    """One serial port and the identity that lives behind it."""

    name: str
    port: str
    baud: int = DEFAULT_BAUD
    mac: str = ""


@dataclass(frozen=True)
class Settings:
    """Everything the process needs to know."""

    ports: tuple[PortSettings, ...]
    state: str
    api: str = DEFAULT_API
    tz_minutes: int = DEFAULT_TZ_MINUTES


def load_settings(path: str) -> Settings:
    """The settings in the file `path`."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("%s: cannot be read: %s" % (path, getattr(error, "strerror", error))) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError("%s: not TOML: %s" % (path, error)) from error
    return _settings(content, FileSource(path, text, _TABLE))


def make_settings(path: str | None, flags: dict[str, Any]) -> Settings:
    """The settings of the file (if any) with `flags` (key -> value, None where not given) laid over them."""
    given = {key: value for key, value in flags.items() if value is not None}
    port_flags = {key: given.pop(key) for key in _PORT_KEYS if key in given}
    if path is None:
        return _settings({**given, _TABLE: [port_flags]}, FlagSource())
    settings = load_settings(path)
    checked = {key: _check(_TOP_KEYS, key, value, FlagSource(), None) for key, value in given.items()}
    if port_flags:
        checked["ports"] = (_port(port_flags, FlagSource(), 0),)
    return replace(settings, **checked)


def default_state() -> str:
    """Where identities are kept unless told otherwise: /var/lib/gagent for root, else in the user's state directory."""
    if os.geteuid() == 0:
        return "/var/lib/gagent"
    root = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(root, "gagent")


def default_name(port: str) -> str:
    """A name for a port that was given none: its path or URL without what does not belong in a file name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", port.removeprefix("/dev/").split("?")[0]).strip("-.") or "port"


# One value -> the value, or ValueError with what is allowed.


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


def _matching(pattern: str, value: object, expected: str) -> str:
    text = _text(value, expected)
    if not re.fullmatch(pattern, text):
        raise ValueError(expected)
    return text


def _text(value: object, expected: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text: " + expected)
    return value


def _number(value: object, low: int, high: int, expected: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(expected)
    return value


_TOP_KEYS: dict[str, Callable[[object], Any]] = {"api": _api, "state": _state, "tz_minutes": _tz_minutes}
_PORT_KEYS: dict[str, Callable[[object], Any]] = {"port": _serial_port, "baud": _baud, "name": _name, "mac": _mac}


# The whole.


def _settings(content: dict[str, Any], place: Source) -> Settings:
    tables = content.pop(_TABLE, None)
    for key in content:
        if key not in _TOP_KEYS:
            raise SettingsError(place.unknown(key, None, [*_TOP_KEYS, "[[%s]]" % _TABLE]))
    checked = {key: _check(_TOP_KEYS, key, value, place, None) for key, value in content.items()}
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(place.no_port())
    ports = tuple(_port(table, place, index) for index, table in enumerate(tables))
    for key in ("name", "port"):
        _forbid_twins(ports, key, place)
    return Settings(ports=ports, **{"state": default_state(), **checked})


def _port(table: dict[str, Any], place: Source, index: int) -> PortSettings:
    for key in table:
        if key not in _PORT_KEYS:
            raise SettingsError(place.unknown(key, index, list(_PORT_KEYS)))
    if "port" not in table:
        raise SettingsError(place.missing("port", index))
    checked = {key: _check(_PORT_KEYS, key, value, place, index) for key, value in table.items()}
    return PortSettings(**{"name": default_name(checked["port"]), **checked})


def _check(checks: dict, key: str, value: object, place: Source, index: int | None) -> Any:
    try:
        return checks[key](value)
    except ValueError as error:
        raise SettingsError("%s = %r: expected %s" % (place.of(key, index), value, error)) from error


def _forbid_twins(ports: tuple[PortSettings, ...], key: str, place: Source) -> None:
    seen: dict[str, int] = {}
    for index, port in enumerate(ports):
        value = getattr(port, key)
        if value in seen:
            where = place.of(key, index)
            raise SettingsError("%s = %r: port %d has it already, expected another" % (where, value, seen[value] + 1))
        seen[value] = index
