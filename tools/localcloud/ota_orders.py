"""What the operator orders of firmware: an image, the device it is tried on, the rules by which it is pushed.

The command and the console give the same orders. What cannot be is refused in words before anything is kept.
"""

import hashlib
import time
from pathlib import Path

from gagent.firmware import KIND_MCU, KIND_MODULE, is_newer

from .ota_rules import SERIES, is_version
from .ota_signing import load_key
from .store.devices import VERSIONS, Device
from .store.firmware import Firmware, PushRule
from .store.store import Store

KINDS = {"module": KIND_MODULE, "mcu": KIND_MCU}
KIND_NAMES = {number: name for name, number in KINDS.items()}
# The largest image; original modules take no more than their flash area, some 500 kB.
MAX_IMAGE = 16 << 20
_MAX_NAME = 40


class OtaError(Exception):
    """What the operator asked for cannot be; says why and what to do."""


def firmware_of(store: Store, firmware_id: int) -> Firmware:
    """The firmware of that number; OtaError when there is none."""
    firmware = store.firmware.get(firmware_id)
    if firmware is None:
        raise OtaError("there is no firmware %d: see `localcloud ota list`" % firmware_id)
    return firmware


def add_firmware(
    store: Store, data_dir: Path, content: bytes, product_key: str, kind: str, versions: tuple[str, str], name: str
) -> Firmware:
    """Puts an image of `versions` (hardware, software) into the store, signed if there is a key; OtaError otherwise."""
    hard_version, soft_version = versions
    if kind not in KINDS:
        raise OtaError("kind %.20r: expected one of %s" % (kind, ", ".join(KINDS)))
    for what, version in (("hardware", hard_version), ("software", soft_version)):
        if not is_version(version):
            raise OtaError("%s version %.20r: expected 8 printable characters such as 00000002" % (what, version))
    if store.products.get(product_key) is None:
        raise OtaError("product %.40r is not known: see `localcloud product list`" % product_key)
    if not 0 < len(content) <= MAX_IMAGE:
        raise OtaError("the image has %d bytes, expected 1 to %d" % (len(content), MAX_IMAGE))
    firmware = Firmware(
        product_key,
        KINDS[kind],
        hard_version,
        soft_version,
        _file_name(name),
        len(content),
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
        hashlib.sha256(content).hexdigest(),
        "",
        "",
        time.time(),
    )
    signer = load_key(data_dir)
    if signer is not None:
        firmware = Firmware(**{**vars(firmware), "key": signer.public, "signature": signer.sign(firmware)})
    added = store.firmware.add(firmware, content)
    if added is None:
        raise OtaError(
            "there is firmware %s for hardware %s already: give it another version, or remove that one first"
            % (soft_version, hard_version)
        )
    return added


def add_rule(store: Store, rule: PushRule) -> PushRule:
    """Starts a rule; OtaError for firmware that was not tried on a device yet, and for rules that cover nobody."""
    firmware = firmware_of(store, rule.firmware_id)
    if firmware.verified_at is None:
        raise OtaError(
            "firmware %d has not run on any device yet: try it on one with `localcloud ota verify %d DID`"
            % (firmware.id, firmware.id)
        )
    if not 1 <= rule.percent <= 100:
        raise OtaError("percent %d: expected 1 to 100" % rule.percent)
    if rule.ends_at is not None and rule.ends_at <= rule.starts_at:
        raise OtaError("the rule ends before it starts")
    for version in rule.from_versions:
        if not is_version(version):
            raise OtaError("software version %.20r: expected 8 printable characters such as 00000001" % version)
        _check_step(firmware, version)
    return store.firmware.add_rule(rule)


def set_test(store: Store, firmware_id: int, did: str) -> Device:
    """Tries the firmware on one device first, again if need be; OtaError when it is not for that device."""
    firmware, device = firmware_of(store, firmware_id), store.devices.get(did)
    if device is None or device.is_disabled or device.product_key != firmware.product_key:
        raise OtaError("device %.30r: expected one in use, of product %s" % (did, firmware.product_key))
    hard_version, soft_version = (getattr(device, column) for column in VERSIONS[str(firmware.kind)])
    if hard_version and hard_version != firmware.hard_version:
        raise OtaError("device %s has hardware %s, the firmware is for %s" % (did, hard_version, firmware.hard_version))
    if soft_version:
        _check_step(firmware, soft_version)
    store.firmware.set_test(firmware_id, did)
    store.upgrades.tell_again(did, firmware_id)
    return device


def set_running(store: Store, rule_id: int, is_running: bool) -> None:
    """Starts or stops a rule; OtaError when there is none."""
    if not store.firmware.set_running(rule_id, is_running):
        raise OtaError("there is no rule %d: see `localcloud ota list`" % rule_id)


def remove(store: Store, firmware_id: int) -> None:
    """The image goes, with its rules and results; OtaError when there is none."""
    if not store.firmware.remove(firmware_id):
        raise OtaError("there is no firmware %d: see `localcloud ota list`" % firmware_id)


def _check_step(firmware: Firmware, running: str) -> None:
    if not is_newer(firmware.soft_version, running):
        raise OtaError("software %s is no newer than %s" % (firmware.soft_version, running))
    if firmware.soft_version[:SERIES] != running[:SERIES]:
        raise OtaError(
            "software %s is of another series than %s: their first %d characters must be the same"
            % (firmware.soft_version, running, SERIES)
        )


def _file_name(name: str) -> str:
    """A name that modules can read: one dot, and an extension of three letters that says hex or bin."""
    stem, _, extension = name.rpartition(".")
    plain = "".join(letter for letter in stem or name if letter.isascii() and (letter.isalnum() or letter in "-_"))
    return "%s.%s" % (plain[:_MAX_NAME] or "firmware", "hex" if extension.lower() == "hex" else "bin")
