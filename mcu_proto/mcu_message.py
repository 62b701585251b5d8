"""Payloads of the basic commands as the MCU builds and reads them. Serial manual, chapters 3 and 4.

For simulators and observers; a chip that is the module does not load it.
"""

from collections import namedtuple

from .errors import RemoteError
from .text import padded

# Network time, 0x18: local calendar time; `utc` is None in the short form of old modules. All zero: not known yet.
NetworkTime = namedtuple("NetworkTime", ("year", "month", "day", "hour", "minute", "second", "utc"))


def build_device_info(info) -> bytes:
    """0x02 in the layout that holds every field that is not None."""
    out = b"".join([padded(field, 8) for field in info[:4]]) + padded(info.product_key, 32)
    out += info.bindable_timeout.to_bytes(2, "big")
    if info.device_attr is None:
        return out
    out += info.device_attr.to_bytes(8, "big")
    if info.product_secret is None:
        return out
    out += padded(info.product_secret, 32)
    if info.data is None:
        return out
    return out + len(info.data).to_bytes(2, "big") + info.data


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


def parse_network_time(payload) -> NetworkTime:
    """0x18 in either form."""
    if len(payload) < 7:
        raise RemoteError("network time of %d bytes, 7 or 11 expected" % len(payload))
    utc = int.from_bytes(payload[7:11], "big") if len(payload) >= 11 else None
    year = payload[0] << 8 | payload[1]
    return NetworkTime(year, payload[2], payload[3], payload[4], payload[5], payload[6], utc)
