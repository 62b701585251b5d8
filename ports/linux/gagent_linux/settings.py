"""Settings: a TOML file, or flags, or both -> frozen dataclasses. Every value is checked here and trusted afterwards.

An error names file and line (or flag), the key, what was found and what is allowed. An unknown key is an error too: a
misspelt one must not be silently ignored.
"""

import os
import re
import tomllib
from dataclasses import dataclass, field, replace
from typing import Any

from .definition_store import DefinitionError, load_definition
from .outbox import ALWAYS
from .settings_source import FileSource, FlagSource, Source
from .settings_values import (
    BRIDGE_KEYS,
    FIRMWARE_KEYS,
    METRICS_KEYS,
    PORT_KEYS,
    TLS_KEYS,
    TOP_KEYS,
    UPLINKS,
    Address,
)
from .tls import TlsFileError, TlsSettings, make_context

DEFAULT_API = "http://127.0.0.1:8000"
DEFAULT_BAUD = 9600
DEFAULT_TZ_MINUTES = 480  # the reference agent's fixed +8 h, which the firmware of many MCUs counts on

DEFAULT_MAX_FIRMWARE = 4 << 20  # images of MCUs have some 100 kB, this software packed 150

DEFAULT_OUTBOX_MAX = 10_000  # 3 MB of memory and of disk, and one report a minute for a week
DEFAULT_OUTBOX_DAYS = 30

_TABLE = "port"
_TLS = "tls"
_METRICS = "metrics"
_FIRMWARE = "firmware"
_BRIDGE = "bridge"
_BRIDGE_TLS = "bridge.tls"


class SettingsError(Exception):
    """One line for the user: where, which key, what was found, what is allowed."""


@dataclass(frozen=True)
class PortSettings:
    """One serial port and the identity that lives behind it."""

    name: str
    port: str
    baud: int = DEFAULT_BAUD
    mac: str = ""
    log_level: str = ""  # the one of the process
    uplink: str = "cloud"
    product: str = ""  # the path of its definition, and what is in that file
    definition: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class BridgeSettings:
    """The home broker, and how things are called there; `tls` None: a plain connection."""

    host: str
    port: int = 1883
    username: str = ""
    password: str = field(default="", repr=False)
    topic: str = "gagent"
    discovery: str = "homeassistant"  # "": no Home Assistant
    app_id: str = ""  # "": definitions are not fetched
    tls: TlsSettings | None = None


@dataclass(frozen=True)
class FirmwareSettings:
    """The largest image, how unsigned ones are met, and the key that must have signed ("": the first one seen)."""

    max_size: int = DEFAULT_MAX_FIRMWARE
    signatures: str = "warn"
    key: str = ""


@dataclass(frozen=True)
class Settings:
    """Everything the process needs to know."""

    ports: tuple[PortSettings, ...]
    state: str
    api: str = DEFAULT_API
    tz_minutes: int = DEFAULT_TZ_MINUTES
    mqtt_tls: bool = False
    mqtt_port: int = 0  # the one that the cloud names
    tls: TlsSettings = field(default_factory=TlsSettings)
    log_format: str = "text"
    metrics: Address | None = None
    durability: str = ALWAYS
    outbox_max: int = DEFAULT_OUTBOX_MAX
    outbox_days: int = DEFAULT_OUTBOX_DAYS
    uplink: str = "cloud"
    bridge: BridgeSettings | None = None
    firmware: FirmwareSettings = field(default_factory=FirmwareSettings)


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
    port_flags = {key: given.pop(key) for key in PORT_KEYS if key in given}
    if path is None:
        return _settings({**given, _TABLE: [port_flags]}, FlagSource())
    settings = load_settings(path)
    checked = {key: _check(TOP_KEYS, key, value, FlagSource(), None) for key, value in given.items()}
    if port_flags:
        checked["ports"] = (_port(port_flags, FlagSource(), 0, settings.uplink),)
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


_TABLES = ("[%s]" % _TLS, "[%s]" % _METRICS, "[%s]" % _FIRMWARE, "[%s]" % _BRIDGE, "[[%s]]" % _TABLE)


# The whole.


def _settings(content: dict[str, Any], place: Source) -> Settings:
    tables = content.pop(_TABLE, None)
    tls = _tls(_table(content, _TLS, TLS_KEYS, place), place)
    metrics = _table(content, _METRICS, METRICS_KEYS, place).get("listen")
    firmware = FirmwareSettings(**_table(content, _FIRMWARE, FIRMWARE_KEYS, place))
    bridge = _bridge(content, place) if _BRIDGE in content else None
    for key in content:
        if key not in TOP_KEYS:
            raise SettingsError(place.unknown(key, None, [*TOP_KEYS, *_TABLES]))
    checked = {key: _check(TOP_KEYS, key, value, place, None) for key, value in content.items()}
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(place.no_port())
    uplink = checked.get("uplink", UPLINKS[0])
    ports = tuple(_port(table, place, index, uplink) for index, table in enumerate(tables))
    for key in ("name", "port"):
        _forbid_twins(ports, key, place)
    for index, port in enumerate(ports):
        if port.uplink == "none" and bridge is None:
            where = place.of("uplink", index if "uplink" in tables[index] else None)
            raise SettingsError("%s = 'none': expected a table [%s] too, or nobody hears this port" % (where, _BRIDGE))
    values = {"state": default_state(), "firmware": firmware, **checked}
    return Settings(ports=ports, tls=tls, metrics=metrics, bridge=bridge, **values)


def _table(content: dict[str, Any], name: str, keys: dict, place: Source) -> dict[str, Any]:
    """The checked values of the table `name`, taken out of `content`; none when it is not there."""
    table = content.pop(name, {})
    if not isinstance(table, dict):
        raise SettingsError("%s: expected a table: [%s] and its keys below" % (place.of(name, None), name))
    for key in table:
        if key not in keys:
            raise SettingsError(place.unknown(key, name, list(keys)))
    return {key: _check(keys, key, value, place, name) for key, value in table.items()}


def _bridge(content: dict[str, Any], place: Source) -> BridgeSettings:
    given = content[_BRIDGE]
    # Taken out first: a table in a table is no key.
    inner = {_BRIDGE_TLS: given.pop(_TLS)} if isinstance(given, dict) and _TLS in given else {}
    table = _table(content, _BRIDGE, BRIDGE_KEYS, place)
    if "host" not in table:
        raise SettingsError(place.missing("host", _BRIDGE))
    if "password_file" in table:
        table["password"] = _password(table.pop("password_file"), place)
    tls = _tls(_table(inner, _BRIDGE_TLS, TLS_KEYS, place), place, _BRIDGE_TLS) if inner else None
    return BridgeSettings(tls=tls, **table)


def _password(name: str, place: Source) -> str:
    path = os.path.join(place.folder, name)
    try:
        with open(path, encoding="utf-8") as file:
            password = file.read(1024).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise SettingsError("%s = %r: %s" % (place.of("password_file", _BRIDGE), name, why)) from error
    if not password:
        raise SettingsError("%s = %r: expected a password in it" % (place.of("password_file", _BRIDGE), name))
    return password


def _tls(table: dict[str, Any], place: Source, name: str = _TLS) -> TlsSettings:
    settings = TlsSettings(**table)
    try:
        if table:
            make_context(settings)
    except TlsFileError as error:
        where = place.of(error.key, name)
        raise SettingsError("%s = %r: %s" % (where, getattr(settings, error.key), error)) from error
    return settings


def _port(table: dict[str, Any], place: Source, index: int, uplink: str) -> PortSettings:
    for key in table:
        if key not in PORT_KEYS:
            raise SettingsError(place.unknown(key, index, list(PORT_KEYS)))
    if "port" not in table:
        raise SettingsError(place.missing("port", index))
    checked = {key: _check(PORT_KEYS, key, value, place, index) for key, value in table.items()}
    if "product" in checked:
        checked |= _product(checked["product"], place, index)
    return PortSettings(**{"name": default_name(checked["port"]), "uplink": uplink, **checked})


def _product(name: str, place: Source, index: int) -> dict[str, Any]:
    path = os.path.join(place.folder, name)
    try:
        return {"product": path, "definition": load_definition(path).source}
    except DefinitionError as error:
        where = place.of("product", index)
        raise SettingsError("%s = %r: expected a datapoint definition: %s" % (where, name, error)) from error


def _check(checks: dict, key: str, value: object, place: Source, table: int | str | None) -> Any:
    try:
        return checks[key](value)
    except ValueError as error:
        raise SettingsError("%s = %r: expected %s" % (place.of(key, table), value, error)) from error


def _forbid_twins(ports: tuple[PortSettings, ...], key: str, place: Source) -> None:
    seen: dict[str, int] = {}
    for index, port in enumerate(ports):
        value = getattr(port, key)
        if value in seen:
            where = place.of(key, index)
            raise SettingsError("%s = %r: port %d has it already, expected another" % (where, value, seen[value] + 1))
        seen[value] = index
