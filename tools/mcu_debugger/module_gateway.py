"""What a module does for an MCU that has others behind it: sub-devices and transactions. Serial manual, 7.6 and 9.

Functions on payloads; each raises RemoteError when the payload means nothing. Every sub-device is welcome here, and the
firmware that a transaction finds is the image that was offered by hand.
"""

from mcu_proto.const import ACTION_SUBDEVICE_STATES, ACTION_SUBDEVICE_UP
from mcu_proto.subdevice import (
    RegistrationResult,
    build_registration_result,
    parse_data,
    parse_registration,
    parse_states,
)
from mcu_proto.transaction import (
    Check,
    CheckResult,
    Download,
    DownloadResult,
    Offer,
    build_transaction,
    parse_transaction,
)

from .bootloader import version_of
from .module_events import FirmwareAsked, SubdeviceReported, SubdevicesRegistered, SubdeviceStates
from .module_upgrade import Image

_DID_LENGTH = 22
# What an offer without comparison says of an image that does not say its version.
_UNKNOWN_VERSION = "unknown"


def register(payload: bytes) -> tuple[SubdevicesRegistered, bytes]:
    """53: (what was asked, payload of the 55 that grants it); dids are made of the meshIds."""
    item = parse_registration(payload)
    devices = [(mac, mesh_id, 0, mesh_id.ljust(_DID_LENGTH, b"0")[:_DID_LENGTH]) for mac, mesh_id in item.devices]
    return SubdevicesRegistered(item), build_registration_result(RegistrationResult(item.arg, 0, devices))


def subdevice_events(p0: bytes) -> list:
    """What a report of sub-devices (P0 71, 73) says; [] when it is none."""
    if p0[:1] == bytes((ACTION_SUBDEVICE_STATES,)):
        return [SubdeviceStates(parse_states(p0))]
    if p0[:1] == bytes((ACTION_SUBDEVICE_UP,)):
        return [SubdeviceReported(mesh_id, data) for mesh_id, data in parse_data(p0)]
    return []


def look_for(payload: bytes, offer: Image | None) -> tuple[FirmwareAsked, bytes, bool]:
    """23: (what was asked, payload of the 25 that answers, True when the image is sent now)."""
    item = parse_transaction(payload)
    if offer is None:
        answer = CheckResult(0) if isinstance(item, Check) and item.compare else DownloadResult(1)
        return FirmwareAsked(item), build_transaction(answer), False
    if isinstance(item, Check) and not item.compare:
        version = version_of(offer.data) or _UNKNOWN_VERSION
        return FirmwareAsked(item), build_transaction(Offer(version, "debugger://offer")), False
    answer = DownloadResult(0) if isinstance(item, Download) else CheckResult(1)
    return FirmwareAsked(item), build_transaction(answer), True
