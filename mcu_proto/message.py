"""Payloads of the basic commands as the module reads and builds them. Serial manual, chapters 3 and 4.

A parser raises RemoteError when the bytes cannot mean anything and ignores what is surplus; text loses its padding.
The MCU's end of the same payloads is in `mcu_message`, module info in `module_info`.
"""

from collections import namedtuple

from .errors import RemoteError
from .text import read_text

# Device info, 0x02: what the MCU says of itself. Four layouts exist and only their length tells them apart:
#   V1  66  protocol_ver 8 | p0_ver 8 | hard_ver 8 | soft_ver 8 | product_key 32 | bindable_timeout 2 (s, 0: always)
#   V2  74  ... | device_attr 8 (bit set)
#   V3 106  ... | product_secret 32
#   V4 108+ ... | length 2 | data ("key=value&key=value")
# A field the layout lacks is None.
DeviceInfo = namedtuple(
    "DeviceInfo",
    (
        "protocol_ver",
        "p0_ver",
        "hard_ver",
        "soft_ver",
        "product_key",
        "bindable_timeout",
        "device_attr",
        "product_secret",
        "data",
    ),
)
# Enter network configuration, 0x09. The texts are b"" unless mode is CONFIG_DIRECT.
ConfigMode = namedtuple("ConfigMode", ("mode", "ssid", "key", "bssid"))


def parse_device_info(payload) -> DeviceInfo:
    """0x02; RemoteError when shorter than V1 or without a usable product key."""
    n = len(payload)
    if n < 66:
        raise RemoteError("device info of %d bytes, at least 66 expected" % n)
    key = read_text(payload, 32, 32)
    if len(key) != 32 or not _is_hex(key):
        raise RemoteError("device info with product key '%s', 32 hex digits expected" % key)
    attr = int.from_bytes(payload[66:74], "big") if n >= 74 else None
    secret = read_text(payload, 74, 32) if n >= 106 else None
    data = None
    if n >= 108:
        data = bytes(payload[108 : 108 + (payload[106] << 8 | payload[107])])
    return DeviceInfo(
        read_text(payload, 0, 8),
        read_text(payload, 8, 8),
        read_text(payload, 16, 8),
        read_text(payload, 24, 8),
        key,
        payload[64] << 8 | payload[65],
        attr,
        secret,
        data,
    )


def parse_config_mode(payload) -> ConfigMode:
    """0x09; RemoteError when empty or when a text is cut."""
    if not payload:
        raise RemoteError("config mode without its mode byte")
    texts = []
    at = 1
    while at < len(payload) and len(texts) < 3:
        end = at + 1 + payload[at]
        if end > len(payload):
            raise RemoteError(
                "config mode with a text of %d bytes, %d are there" % (payload[at], len(payload) - at - 1)
            )
        texts.append(bytes(payload[at + 1 : end]))
        at = end
    while len(texts) < 3:
        texts.append(b"")
    return ConfigMode(payload[0], texts[0], texts[1], texts[2])


def build_module_status(status) -> bytes:
    """0x0d."""
    return bytes((status >> 8 & 0xFF, status & 0xFF))


def parse_illegal(payload) -> int:
    """0x11 and 0x12: the ERR_* code."""
    if not payload:
        raise RemoteError("illegal frame notice without its code")
    return payload[0]


def build_network_time(utc, tz_minutes) -> bytes:
    """0x18 in the long form; `utc` in seconds, 0 when not known: then every byte is zero."""
    if not utc:
        return bytes(11)
    local = utc + tz_minutes * 60
    year, month, day = _civil(local // 86400)
    second = local % 86400
    out = bytes((year >> 8, year & 0xFF, month, day, second // 3600, second // 60 % 60, second % 60))
    return out + (utc & 0xFFFFFFFF).to_bytes(4, "big")


def parse_env(data) -> dict:
    """The `key=value&key=value` text of device info (V4): every pair that has a key, ASCII or UTF-8."""
    env = {}
    for pair in bytes(data).split(b"&"):
        parts = pair.split(b"=", 1)
        if len(parts) == 2 and parts[0]:
            try:
                env[parts[0].decode()] = parts[1].decode()
            except UnicodeError:
                pass  # one value nobody can read does not cost the others
    return env


def _is_hex(text) -> bool:
    return all(c in "0123456789abcdefABCDEF" for c in text)


def _civil(days) -> tuple:
    """(year, month, day) of the day that many days after 1970-01-01."""
    # Years that begin in March put the leap day last, so that a month's length follows one formula.
    days += 719468
    era = days // 146097
    day = days % 146097
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    if month < 10:
        return era * 400 + year, month + 3, day + 1
    return era * 400 + year + 1, month - 9, day + 1
