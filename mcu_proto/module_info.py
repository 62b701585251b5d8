"""Module info, commands 21 and 22, of both kinds of modules. Serial manual, chapter 4.8."""

from collections import namedtuple

from .errors import RemoteError
from .text import padded, read_text

# Module info, 0x22, of a Wi-Fi module.
ModuleInfo = namedtuple("ModuleInfo", ("protocol_ver", "hard_ver", "soft_ver", "mac", "ip", "device_attr"))
# Module info, 0x22, of a cellular module; `cells` are (lac, cell id, rssi).
CellularInfo = namedtuple(
    "CellularInfo", ("protocol_ver", "hard_ver", "soft_ver", "device_attr", "imei", "imsi", "mcc", "mnc", "cells")
)


def build_module_info(info) -> bytes:
    """0x22 of a Wi-Fi module."""
    out = b"\x01" + b"".join([padded(field, 8) for field in info[:3]])
    return out + padded(info.mac, 16) + padded(info.ip, 16) + info.device_attr.to_bytes(8, "big")


def build_cellular_info(info) -> bytes:
    """0x22 of a cellular module."""
    out = b"\x02" + b"".join([padded(field, 8) for field in info[:3]]) + info.device_attr.to_bytes(8, "big")
    out += padded(info.imei, 16) + padded(info.imsi, 16) + padded(info.mcc, 8) + padded(info.mnc, 8)
    out += bytes((len(info.cells), 5))
    for lac, cell, rssi in info.cells:
        out += bytes((lac >> 8, lac & 0xFF, cell >> 8, cell & 0xFF, rssi))
    return out


def parse_module_info(payload) -> "ModuleInfo | CellularInfo":
    """0x22 of either kind; RemoteError when it is cut or of a third kind."""
    kind = payload[0] if payload else 0
    if kind == 1 and len(payload) >= 65:
        attr = int.from_bytes(payload[57:65], "big")
        texts = [read_text(payload, at, size) for at, size in ((1, 8), (9, 8), (17, 8), (25, 16), (41, 16))]
        return ModuleInfo(texts[0], texts[1], texts[2], texts[3], texts[4], attr)
    if kind == 2 and len(payload) >= 83 and len(payload) >= 83 + 5 * payload[81]:
        cells = []
        for at in range(83, 83 + 5 * payload[81], 5):
            cells.append((payload[at] << 8 | payload[at + 1], payload[at + 2] << 8 | payload[at + 3], payload[at + 4]))
        attr = int.from_bytes(payload[25:33], "big")
        t = [
            read_text(payload, at, size) for at, size in ((1, 8), (9, 8), (17, 8), (33, 16), (49, 16), (65, 8), (73, 8))
        ]
        return CellularInfo(t[0], t[1], t[2], attr, t[3], t[4], t[5], t[6], cells)
    raise RemoteError("module info of kind %d and %d bytes" % (kind, len(payload)))
