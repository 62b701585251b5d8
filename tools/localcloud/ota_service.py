"""Firmware over the air: who is told of what, what comes of it. Cloud manual, device side, 3.6, 4.6.2 and 8.1.

    add ─▶ verify on one device ─(it runs it)─▶ push by rules ─▶ noticed ─▶ offered ─▶ under way ─▶ done
                                                                   ▲ once a day, while it is on line and not done

What a device runs, as it tells with every check, is the only proof: an upgrade is done when its version comes, whatever
was said before. Everything is in the store, so several workers do not tell a device twice.
"""

import asyncio
import logging
import time
from typing import NamedTuple, Protocol

from sqlalchemy.exc import SQLAlchemyError

from gagent import wire
from gagent.firmware import is_newer
from mcu_proto.errors import RemoteError

from .ota_rules import Asker, choose
from .store.devices import VERSIONS, Device
from .store.firmware import Firmware, PushRule
from .store.store import Store
from .store.upgrades import DONE, FAILED, OFFERED, UNDER_WAY

# Seconds between two looks at whom to tell, and how many devices are told in one.
_LOOK_S = 5.0
_AT_ONCE = 200
# A device that did not take it is told again after a day.
_NOTICE_EVERY_S = 86400.0
_MAX_TEXT = 100

log = logging.getLogger("localcloud")


class Progress(NamedTuple):
    """`kinds` of which it may speak; `versions` are "<hardware>,<software>"."""

    kinds: tuple[int, ...]
    percent: int
    versions: str
    text: str


class Reach(Protocol):
    """Who is on line, and a way to them."""

    def online(self, dids: list[str]) -> set[str]: ...

    def send_service(self, did: str, payload: bytes) -> None: ...


class OtaService:
    """`start` needs a running loop, in which it then looks for whom to tell; all else is called when a device asks."""

    def __init__(self, store: Store, reach: Reach) -> None:
        self._store = store
        self._reach = reach
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._look_for_ever(), name="firmware notices")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def offer(self, device: Device, kind: int, hard_version: str, soft_version: str) -> tuple[Firmware | None, bool]:
        """What a device that runs these versions gets now, and whether there is firmware for it at all."""
        now = time.time()
        self._settle(device.did, kind, hard_version, soft_version, now)
        found = self._store.firmware.of(device.product_key, kind, hard_version)
        chosen = self._choose(found, Asker(device.did, device.mac.lower(), soft_version), now)
        if chosen is not None:
            self._store.upgrades.put(device.did, chosen.id, OFFERED, 0, "", now)
        return chosen, bool(found)

    def offer_any(self, product_key: str, kind: int, hard_version: str, soft_version: str) -> Firmware | None:
        """What an MCU gets that asks on behalf of another: the rules without addresses count."""
        found = self._store.firmware.of(product_key, kind, hard_version)
        return self._choose(found, Asker("", "", soft_version), time.time())

    def learned(self, did: str, columns: dict[str, str]) -> None:
        """0x021C: a device has told its versions, of one kind or of both."""
        for kind, (hard, soft) in VERSIONS.items():
            if hard in columns and soft in columns:
                self._settle(did, int(kind), columns[hard], columns[soft], time.time())

    def progress(self, did: str, body: bytes) -> None:
        """0x022C: how far a device is; RemoteError when it cannot be read."""
        told = parse_progress(body)
        found = [
            firmware
            for firmware in map(self._store.firmware.get, (u.firmware_id for u in self._store.upgrades.open_of(did)))
            if firmware is not None and "%s,%s" % (firmware.hard_version, firmware.soft_version) == told.versions
        ]
        if not found:
            log.info("device %s is at %d %% of firmware %s, which is not from here", did, told.percent, told.versions)
            return
        # Module and MCU may have the same versions; not every module says of which it speaks.
        firmware = min(found, key=lambda firmware: firmware.kind not in told.kinds)
        state = FAILED if told.text.startswith("failed") else UNDER_WAY
        self._store.upgrades.put(did, firmware.id, state, told.percent, told.text, time.time())

    def look(self, now: float) -> None:
        """Tells devices on line of what they may have."""
        self._tell(self._due(now), now)

    def _settle(self, did: str, kind: int, hard_version: str, soft_version: str, now: float) -> None:
        """What was open for this device, and is what it runs now, is done; what is older is no more to come."""
        for upgrade in self._store.upgrades.open_of(did):
            firmware = self._store.firmware.get(upgrade.firmware_id)
            if firmware is None or (firmware.kind, firmware.hard_version) != (kind, hard_version):
                continue
            if is_newer(soft_version, firmware.soft_version):
                self._store.upgrades.forget(did, firmware.id)
            elif firmware.soft_version == soft_version:
                self._store.upgrades.put(did, firmware.id, DONE, 100, "", now)
                log.info("device %s runs firmware %s", did, soft_version)
                if firmware.test_did == did and firmware.verified_at is None:
                    self._store.firmware.set_verified(firmware.id, now)
                    log.info("firmware %d is verified: it can be pushed", firmware.id)

    def _choose(self, found: list[Firmware], asker: Asker, now: float) -> Firmware | None:
        rules = {firmware.id: self._store.firmware.rules(firmware.id) for firmware in found}
        return choose(found, rules, asker, now, _minute(now))

    async def _look_for_ever(self) -> None:
        while True:
            now = time.time()
            try:
                # Over ten thousand devices it takes a while.
                self._tell(await asyncio.to_thread(self._due, now), now)
            except SQLAlchemyError as error:
                log.error("devices not told of firmware: %s", error)
            await asyncio.sleep(_LOOK_S)

    def _tell(self, due: list[tuple[str, Firmware]], now: float) -> None:
        """The first of them; the others in the next look."""
        for did, firmware in due[:_AT_ONCE]:
            if self._store.upgrades.may_notice(did, firmware.id, now, _NOTICE_EVERY_S):
                self._reach.send_service(did, notice(firmware.kind, did))

    def _due(self, now: float) -> list[tuple[str, Firmware]]:
        """The devices on line that may have something now and were not told of late, each with what it may have."""
        rules: dict[int, list[PushRule]] = {}
        for rule in self._store.firmware.running_rules():
            rules.setdefault(rule.firmware_id, []).append(rule)
        kinds = {
            (firmware.product_key, firmware.kind, firmware.hard_version)
            for firmware in self._store.firmware.all()
            # Of thousands of devices only those are looked at for which there may be something.
            if firmware.id in rules or (firmware.test_did and self._reach.online([firmware.test_did]))
        }
        return [found for kind in sorted(kinds) for found in self._due_of(kind, rules, now)]

    def _due_of(
        self, kind: tuple[str, int, str], rules: dict[int, list[PushRule]], now: float
    ) -> list[tuple[str, Firmware]]:
        found, minute = self._store.firmware.of(*kind), _minute(now)
        settled = {firmware.id: self._store.upgrades.settled(firmware.id, now - _NOTICE_EVERY_S) for firmware in found}
        due = []
        for device in self._store.devices.running_on(*kind):
            firmware = choose(found, rules, Asker(device.did, device.mac, device.soft_version), now, minute)
            if firmware is not None and device.did not in settled[firmware.id]:
                due.append((device.did, firmware))
        online = self._reach.online([did for did, _ in due])
        return [(did, firmware) for did, firmware in due if did in online]


def notice(kind: int, did: str) -> bytes:
    """0x0211: there is firmware of this kind; ask what."""
    payload: bytes = wire.encode_service(wire.SERVICE_OTA, bytes((kind,)) + len(did).to_bytes(2, "big") + did.encode())
    return payload


def parse_progress(body: bytes) -> Progress:
    """The body of 0x022C; RemoteError when it is cut."""
    # Flags, length, percent, then two texts with their lengths.
    data = body[4:]
    if len(data) < 1 or int.from_bytes(body[2:4], "big") != len(data):
        raise RemoteError("progress of %d bytes" % len(body))
    flags = int.from_bytes(body[:2], "big")
    texts, at = [], 1
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        texts.append(data[at + 2 : end].decode("ascii", "replace"))
        at = end
    if at != len(data) or len(texts) != 2:
        raise RemoteError("progress with %d texts, 2 expected" % len(texts))
    # It goes into a log and onto a page.
    versions, text = ("".join(letter if letter.isprintable() else "." for letter in t[:_MAX_TEXT]) for t in texts)
    return Progress(tuple(int(kind) for kind in VERSIONS if flags >> int(kind) & 1), min(data[0], 100), versions, text)


def _minute(now: float) -> int:
    local = time.localtime(now)
    return local.tm_hour * 60 + local.tm_min
