"""The settings of a cloud: one TOML file and the flags of `localcloud`, read and checked here, once.

data_dir = "/var/lib/localcloud"     # database and broker files, readable by this user only
http_port = 80                       # modules know no other HTTP port than 80
advertised_host = "192.168.1.10"     # where devices and apps find the broker
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BROKERS = ("embedded", "mosquitto")
ACCOUNT_CHOICES = ("control", "http")
APP_CHOICES = ("any", "listed")
PRODUCT_CHOICES = ("any", "listed")
DEPRECATED_CHOICES = ("refused", "served")


class SettingsError(Exception):
    """Names the key, where it stands, what was got and what is allowed."""


@dataclass(frozen=True)
class Settings:
    data_dir: Path
    http_host: str = "0.0.0.0"
    http_port: int = 8000
    mqtt_host: str = "0.0.0.0"
    mqtt_port: int = 1883
    # TLS: these listen when there is a certificate, see `localcloud cert`.
    https_port: int = 8443
    mqtts_port: int = 8883
    # The WebSocket API listens where HTTP does; apps know these two ports.
    ws_port: int = 8080
    wss_port: int = 8880
    # "embedded", "mosquitto", or the URL of a broker that runs already; then who keeps its accounts: "control", a
    # mosquitto with its dynamic security plugin, "http", a broker that asks this cloud, such as EMQX.
    broker: str = "embedded"
    broker_accounts: str = "control"
    # What devices and apps are told to connect to; without it, the address their request came to.
    advertised_host: str | None = None
    # Regions: the host name an app calls -> the host it is told to find its broker and WebSocket API at.
    regions: Mapping[str, str] = field(default_factory=dict)
    # Any SQLAlchemy URL; without it, an SQLite file in data_dir.
    database_url: str | None = None
    # Whether devices that bring a did of another cloud are let in.
    adopt: bool = True
    # "any": every well-formed app id; "listed": only those of `localcloud app add`.
    apps: str = "any"
    token_days: int = 7
    # How long messages and online records are kept, how long the latest values of a device, how long a code is good.
    history_days: int = 7
    latest_hours: int = 24
    code_hours: int = 24
    # Of one address; 0 for no limit.
    requests_per_minute: int = 6000
    # Programs, with their arguments: one that sends SMS and mail, one that asks another company who somebody is.
    sender: tuple[str, ...] = ()
    third_party: tuple[str, ...] = ()
    # "listed": only products of `localcloud product add`; "any": a device with another product key is let in, and its
    # product is added as a transparent one until there is a definition.
    products: str = "listed"
    # "served": also the calls of old editions that give passcodes and history to whoever knows a device's address.
    deprecated: str = "refused"


def read_settings(path: Path | None, flags: Mapping[str, Any]) -> Settings:
    """The settings of a file (or none), with the `flags` that are not None on top; SettingsError says what is wrong."""
    text = ""
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", error)
            raise SettingsError("settings %s cannot be read: %s" % (path, why)) from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError("settings %s: %s" % (path, error)) from None
    values = {}
    for key, value in table.items():
        try:
            values[key] = _checked(key, value)
        except SettingsError as error:
            raise SettingsError("settings %s%s: %s" % (path, _line_of(key, text), error)) from None
    for key, value in flags.items():
        if value is not None:
            values[key] = _checked(key, value)
    return Settings(**{"data_dir": default_data_dir(), **values})


def default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "localcloud"


def _checked(key: str, value: Any) -> Any:
    if key not in _CHECKS:
        raise SettingsError('no such key: "%s"; there are %s' % (key, ", ".join(sorted(_CHECKS))))
    expected, check = _CHECKS[key]
    try:
        return check(value)
    except (TypeError, ValueError):
        raise SettingsError("%s is %s, expected %s" % (key, _shown(key, value), expected)) from None


def _shown(key: str, value: Any) -> str:
    # A URL may hold a password.
    is_url = key == "database_url" or (key == "broker" and "://" in str(value))
    return "unusable" if is_url else repr(value)[:80]


def _line_of(key: str, text: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"""\s*\[*["']?%s\b""" % re.escape(key), line):
            return ", line %d" % number
    return ""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def _path(value: Any) -> Path:
    return Path(value if isinstance(value, Path) else _text(value)).expanduser()


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return check


def _one_of(*choices: Any) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) not in {type(choice) for choice in choices} or value not in choices:
            raise ValueError
        return value

    return check


def _command(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError
    return tuple(_text(part) for part in value)


def _regions(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError
    return {_host(name).lower(): _host(host) for name, host in value.items()}


def _host(value: Any) -> str:
    # It goes into answers whose fields end at the next "&" or line end.
    if not re.fullmatch(r"[0-9A-Za-z.:_-]{1,253}", _text(value)):
        raise ValueError
    return _text(value)


def _broker(value: Any) -> str:
    text = _text(value)
    if text in BROKERS:
        return text
    url = urlsplit(text)
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname or not url.username or url.port == 0:
        raise ValueError
    return text


_PORT = ("a whole number from 0 (any free port) to 65535", _whole(0, 65535))
_DAYS = ("a whole number of days from 1 to 3650", _whole(1, 3650))
_HOURS = ("a whole number of hours from 1 to 8760", _whole(1, 8760))
_PROGRAM = ('a program and its arguments, such as ["/usr/local/bin/send", "--fast"]', _command)

# key -> (what is allowed, in words; the check that gives the value or raises ValueError)
_CHECKS: dict[str, tuple[str, Any]] = {
    "data_dir": ("a directory", _path),
    "http_host": ("an address to listen on", _host),
    "http_port": _PORT,
    "mqtt_host": ("an address to listen on", _host),
    "mqtt_port": _PORT,
    "ws_port": _PORT,
    "wss_port": _PORT,
    "https_port": _PORT,
    "mqtts_port": _PORT,
    "broker": ("one of %s, or a URL such as mqtt://user:password@host:1883" % ", ".join(BROKERS), _broker),
    "broker_accounts": ("one of %s" % ", ".join(ACCOUNT_CHOICES), _one_of(*ACCOUNT_CHOICES)),
    "advertised_host": ("a host name or address without port", _host),
    "regions": ('a table of host names, such as "euapi.gizwits.com" = "eum2m.gizwits.com"', _regions),
    "database_url": ("a SQLAlchemy URL such as postgresql+psycopg://user@host/name", _text),
    "adopt": ("true or false", _one_of(True, False)),
    "apps": ("one of %s" % ", ".join(APP_CHOICES), _one_of(*APP_CHOICES)),
    "products": ("one of %s" % ", ".join(PRODUCT_CHOICES), _one_of(*PRODUCT_CHOICES)),
    "deprecated": ("one of %s" % ", ".join(DEPRECATED_CHOICES), _one_of(*DEPRECATED_CHOICES)),
    "token_days": _DAYS,
    "history_days": _DAYS,
    "latest_hours": _HOURS,
    "code_hours": _HOURS,
    "requests_per_minute": ("a whole number from 0 (no limit) to 1000000", _whole(0, 1000000)),
    "sender": _PROGRAM,
    "third_party": _PROGRAM,
}
