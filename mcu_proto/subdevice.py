"""Light gateway: devices behind the MCU, known by their meshId. Serial manual, chapter 9.

Registration 53 (MCU to module) and its result 55; online states, data down and data up as P0 actions 71, 72 and 73.
Lengths are one byte, of data two; texts are bytes, as the MCU sent them. A list that is cut raises RemoteError.
"""

from collections import namedtuple

from .const import ACTION_SUBDEVICE_STATES
from .errors import RemoteError

# 53. `devices` are (mac, meshId); `arg` comes back in the result; `is_reset` deregisters.
Registration = namedtuple("Registration", ("product_key", "product_secret", "attrs", "arg", "is_reset", "devices"))
# 55. `devices` are (mac, meshId, result, did), result 0 good. The vendor's layout is not public: this one is ours.
RegistrationResult = namedtuple("RegistrationResult", ("arg", "result", "devices"))


def build_registration(item) -> bytes:
    """53."""
    out = _short(item.product_key) + _short(item.product_secret) + item.attrs.to_bytes(8, "big") + _short(item.arg)
    out += bytes((item.is_reset, len(item.devices)))
    for mac, mesh_id in item.devices:
        out += _short(mac) + _short(mesh_id)
    return out


def parse_registration(payload) -> Registration:
    """53."""
    reader = _Reader(payload)
    key, secret = reader.short(), reader.short()
    attrs = int.from_bytes(reader.take(8), "big")
    arg, is_reset = reader.short(), reader.number(1)
    devices = [(reader.short(), reader.short()) for _ in range(reader.number(1))]
    return Registration(key, secret, attrs, arg, is_reset, devices)


def build_registration_result(item) -> bytes:
    """55."""
    out = _short(item.arg) + bytes((item.result, len(item.devices)))
    for mac, mesh_id, result, did in item.devices:
        out += _short(mac) + _short(mesh_id) + bytes((result,)) + _short(did)
    return out


def parse_registration_result(payload) -> RegistrationResult:
    """55."""
    reader = _Reader(payload)
    arg, result = reader.short(), reader.number(1)
    devices = []
    for _ in range(reader.number(1)):
        devices.append((reader.short(), reader.short(), reader.number(1), reader.short()))
    return RegistrationResult(arg, result, devices)


def build_states(states) -> bytes:
    """P0 71 of (meshId, online 0 or 1)."""
    out = bytes((ACTION_SUBDEVICE_STATES,)) + len(states).to_bytes(2, "big")
    for mesh_id, online in states:
        out += _short(mesh_id) + bytes((online,))
    return out


def parse_states(p0) -> list:
    """(meshId, online) of P0 71."""
    reader = _Reader(p0)
    reader.take(1)
    return [(reader.short(), reader.number(1)) for _ in range(reader.number(2))]


def build_data(action, items) -> bytes:
    """P0 72 or 73 of (meshId, P0 of that device)."""
    out = bytes((action,)) + len(items).to_bytes(2, "big")
    for mesh_id, p0 in items:
        out += _short(mesh_id) + len(p0).to_bytes(2, "big") + p0
    return out


def parse_data(p0) -> list:
    """(meshId, P0 of that device) of P0 72 or 73."""
    reader = _Reader(p0)
    reader.take(1)
    return [(reader.short(), reader.take(reader.number(2))) for _ in range(reader.number(2))]


class _Reader:
    """Takes one field after another; RemoteError at the end."""

    def __init__(self, data):
        self._data = bytes(data)
        self._at = 0

    def take(self, size) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise RemoteError("field of %d bytes, %d are there" % (size, len(self._data) - self._at))
        data = self._data[self._at : end]
        self._at = end
        return data

    def number(self, size) -> int:
        return int.from_bytes(self.take(size), "big")

    def short(self) -> bytes:
        return self.take(self.number(1))


def _short(data) -> bytes:
    return bytes((len(data),)) + data
