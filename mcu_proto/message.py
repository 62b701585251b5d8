"""Payloads of the basic commands. Serial manual, chapters 3 (device info) and 4 (management).

A parser raises RemoteError when the bytes cannot mean anything and ignores what is surplus; text loses its padding.
"""

from collections import namedtuple

from .errors import LocalError, RemoteError

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
# Module info, 0x22, of a Wi-Fi module.
ModuleInfo = namedtuple("ModuleInfo", ("protocol_ver", "hard_ver", "soft_ver", "mac", "ip", "device_attr"))
# Module info, 0x22, of a cellular module; `cells` are (lac, cell id, rssi).
CellularInfo = namedtuple(
    "CellularInfo", ("protocol_ver", "hard_ver", "soft_ver", "device_attr", "imei", "imsi", "mcc", "mnc", "cells")
)
# Network time, 0x18: local calendar time; `utc` is None in the short form of old modules. All zero: not known yet.
NetworkTime = namedtuple("NetworkTime", ("year", "month", "day", "hour", "minute", "second", "utc"))


def parse_device_info(payload) -> DeviceInfo:
    """0x02; RemoteError when shorter than V1 or without a usable product key."""
    n = len(payload)
    if n < 66:
        raise RemoteError("device info of %d bytes, at least 66 expected" % n)
    key = _text(payload, 32, 32)
    if len(key) != 32 or not _is_hex(key):
        raise RemoteError("device info with product key '%s', 32 hex digits expected" % key)
    attr = int.from_bytes(payload[66:74], "big") if n >= 74 else None
    secret = _text(payload, 74, 32) if n >= 106 else None
    data = None
    if n >= 108:
        data = bytes(payload[108 : 108 + (payload[106] << 8 | payload[107])])
    return DeviceInfo(
        _text(payload, 0, 8),
        _text(payload, 8, 8),
        _text(payload, 16, 8),
        _text(payload, 24, 8),
        key,
        payload[64] << 8 | payload[65],
        attr,
        secret,
        data,
    )


def build_device_info(info) -> bytes:
    """0x02 in the layout that holds every field that is not None."""
    out = b"".join([_padded(field, 8) for field in info[:4]]) + _padded(info.product_key, 32)
    out += info.bindable_timeout.to_bytes(2, "big")
    if info.device_attr is None:
        return out
    out += info.device_attr.to_bytes(8, "big")
    if info.product_secret is None:
        return out
    out += _padded(info.product_secret, 32)
    if info.data is None:
        return out
    return out + len(info.data).to_bytes(2, "big") + info.data


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


def build_config_mode(config) -> bytes:
    """0x09; the texts go in only with CONFIG_DIRECT's ssid."""
    out = bytes((config.mode,))
    if config.ssid:
        for text in (config.ssid, config.key, config.bssid):
            out += bytes((len(text),)) + text
    return out


def parse_module_status(payload) -> int:
    """0x0d: the status word."""
    if len(payload) < 2:
        raise RemoteError("module status of %d bytes, 2 expected" % len(payload))
    return payload[0] << 8 | payload[1]


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


def parse_network_time(payload) -> NetworkTime:
    """0x18 in either form."""
    if len(payload) < 7:
        raise RemoteError("network time of %d bytes, 7 or 11 expected" % len(payload))
    utc = int.from_bytes(payload[7:11], "big") if len(payload) >= 11 else None
    year = payload[0] << 8 | payload[1]
    return NetworkTime(year, payload[2], payload[3], payload[4], payload[5], payload[6], utc)


def build_module_info(info) -> bytes:
    """0x22 of a Wi-Fi module."""
    out = b"\x01" + b"".join([_padded(field, 8) for field in info[:3]])
    return out + _padded(info.mac, 16) + _padded(info.ip, 16) + info.device_attr.to_bytes(8, "big")


def build_cellular_info(info) -> bytes:
    """0x22 of a cellular module."""
    out = b"\x02" + b"".join([_padded(field, 8) for field in info[:3]]) + info.device_attr.to_bytes(8, "big")
    out += _padded(info.imei, 16) + _padded(info.imsi, 16) + _padded(info.mcc, 8) + _padded(info.mnc, 8)
    out += bytes((len(info.cells), 5))
    for lac, cell, rssi in info.cells:
        out += bytes((lac >> 8, lac & 0xFF, cell >> 8, cell & 0xFF, rssi))
    return out


def parse_module_info(payload) -> "ModuleInfo | CellularInfo":
    """0x22 of either kind; RemoteError when it is cut or of a third kind."""
    kind = payload[0] if payload else 0
    if kind == 1 and len(payload) >= 65:
        attr = int.from_bytes(payload[57:65], "big")
        texts = [_text(payload, at, size) for at, size in ((1, 8), (9, 8), (17, 8), (25, 16), (41, 16))]
        return ModuleInfo(texts[0], texts[1], texts[2], texts[3], texts[4], attr)
    if kind == 2 and len(payload) >= 83 and len(payload) >= 83 + 5 * payload[81]:
        cells = []
        for at in range(83, 83 + 5 * payload[81], 5):
            cells.append((payload[at] << 8 | payload[at + 1], payload[at + 2] << 8 | payload[at + 3], payload[at + 4]))
        attr = int.from_bytes(payload[25:33], "big")
        t = [_text(payload, at, size) for at, size in ((1, 8), (9, 8), (17, 8), (33, 16), (49, 16), (65, 8), (73, 8))]
        return CellularInfo(t[0], t[1], t[2], attr, t[3], t[4], t[5], t[6], cells)
    raise RemoteError("module info of kind %d and %d bytes" % (kind, len(payload)))


def _text(payload, at, size) -> str:
    """ASCII text without its padding; bytes that are not printable ASCII become '?'."""
    out = ""
    for b in bytes(payload[at : at + size]).rstrip(b"\x00 "):
        out += chr(b) if 32 <= b < 127 else "?"
    return out


def _padded(text, size) -> bytes:
    data = text.encode()
    if len(data) > size:
        raise LocalError("text of %d bytes in a field of %d" % (len(data), size))
    return data + bytes(size - len(data))


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
