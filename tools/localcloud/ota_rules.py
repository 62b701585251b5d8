"""Which firmware a device gets, if any. Cloud manual, device side, 3.6 and 8.1. Functions on data.

Candidates are for the same product, kind and hardware version, of the same series (the first four characters of the
software version) and newer. Of these the newest that the device may have: the one it is to try first, or one that was
tried and that a running rule gives it now.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gagent.firmware import VERSION_LENGTH, is_newer

from .store.firmware import Firmware, PushRule

SERIES = 4
_DAY_MINUTES = 1440


class Asker(NamedTuple):
    """A device that asks, with what it runs; `mac` in lower case. `did` is "" when it asks for another product."""

    did: str
    mac: str
    soft_version: str


def choose(
    found: Iterable[Firmware], rules: Mapping[int, list[PushRule]], asker: Asker, now: float, minute: int
) -> Firmware | None:
    """The firmware of `found` (the newest first) that this device gets now; `minute` is that of the cloud's day."""
    for firmware in found:
        if not is_newer(firmware.soft_version, asker.soft_version):
            continue
        if firmware.soft_version[:SERIES] != asker.soft_version[:SERIES]:
            continue
        if firmware.test_did and firmware.test_did == asker.did:
            return firmware
        if firmware.verified_at is not None and any(covers(r, asker, now, minute) for r in rules.get(firmware.id, [])):
            return firmware
    return None


def covers(rule: PushRule, asker: Asker, now: float, minute: int) -> bool:
    """Whether a rule gives its firmware to this device now."""
    return (
        rule.is_running
        and rule.starts_at <= now
        and (rule.ends_at is None or now < rule.ends_at)
        and _is_within(minute, rule.from_minute, rule.to_minute)
        and (not rule.from_versions or asker.soft_version in rule.from_versions)
        and (not rule.macs or asker.mac in rule.macs)
        and (not asker.did or share(rule.id, asker.did) < rule.percent)
    )


def share(rule_id: int, did: str) -> int:
    """0 to 99: the percentage from which on a rule takes this device in; the same each time, another for each rule."""
    digest = hashlib.sha256(b"%d %s" % (rule_id, did.encode())).digest()
    return int.from_bytes(digest[:4], "big") % 100


def is_version(text: str) -> bool:
    """Eight characters that can stand in a module's form."""
    return len(text) == VERSION_LENGTH and text.isascii() and text.isprintable() and not set(text) & set(" &=,;\"'\\")


def _is_within(minute: int, first: int, end: int) -> bool:
    if first == end:
        return True
    # A window may span midnight.
    return (minute - first) % _DAY_MINUTES < (end - first) % _DAY_MINUTES
