"""The settings of a cloud: one TOML file and the flags of `localcloud`, read and checked here, once.

data_dir = "/var/lib/localcloud"     # database and broker files, readable by this user only
http_port = 80                       # modules know no other HTTP port than 80
advertised_host = "192.168.1.10"     # where devices and apps find the broker
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BROKERS = ("embedded", "mosquitto")
APP_CHOICES = ("any", "listed")
PRODUCT_CHOICES = ("any", "listed")


class SettingsError(Exception):
    """Names the key, where it stands, what was got and what is allowed."""


@dataclass(frozen=True)
class Settings:
    data_dir: Path
    http_host: str = "0.0.0.0"
    http_port: int = 8080
    mqtt_host: str = "0.0.0.0"
    mqtt_port: int = 1883
    broker: str = "embedded"
    # What devices and apps are told to connect to; without it, the address their request came to.
    advertised_host: str | None = None
    # Any SQLAlchemy URL; without it, an SQLite file in data_dir.
    database_url: str | None = None
    # Whether devices that bring a did of another cloud are let in.
    adopt: bool = True
    # "any": every well-formed app id; "listed": only those of `localcloud app add`.
    apps: str = "any"
    token_days: int = 7
    history_days: int = 7
    # "listed": only products of `localcloud product add`; "any": a device with another product key is let in, and its
    # product is added as a transparent one until there is a definition.
    products: str = "listed"


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
    # A database URL may hold a password.
    return "unusable" if key == "database_url" else repr(value)[:80]


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


def _host(value: Any) -> str:
    # It goes into answers whose fields end at the next "&" or line end.
    if not re.fullmatch(r"[0-9A-Za-z.:_-]{1,253}", _text(value)):
        raise ValueError
    return _text(value)


_PORT = ("a whole number from 0 (any free port) to 65535", _whole(0, 65535))
_DAYS = ("a whole number of days from 1 to 3650", _whole(1, 3650))

# key -> (what is allowed, in words; the check that gives the value or raises ValueError)
_CHECKS: dict[str, tuple[str, Any]] = {
    "data_dir": ("a directory", _path),
    "http_host": ("an address to listen on", _host),
    "http_port": _PORT,
    "mqtt_host": ("an address to listen on", _host),
    "mqtt_port": _PORT,
    "broker": ("one of %s" % ", ".join(BROKERS), _one_of(*BROKERS)),
    "advertised_host": ("a host name or address without port", _host),
    "database_url": ("a SQLAlchemy URL such as postgresql+psycopg://user@host/name", _text),
    "adopt": ("true or false", _one_of(True, False)),
    "apps": ("one of %s" % ", ".join(APP_CHOICES), _one_of(*APP_CHOICES)),
    "products": ("one of %s" % ", ".join(PRODUCT_CHOICES), _one_of(*PRODUCT_CHOICES)),
    "token_days": _DAYS,
    "history_days": _DAYS,
}
