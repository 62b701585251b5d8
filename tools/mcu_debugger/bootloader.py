"""The firmware conversation of the simulated MCU: takes an image, checks it, boots it. Serial manual, chapter 7.

    19 ─▶ erase, 1b ─▶ pieces into flash, each acked when stored ─▶ md5 ─┬ good: commit, restart, 29 restarts the module
                                                                         └ wrong: 27, the old version goes on
    power is cut anywhere: the old version boots; a commit is whole or has not happened

The flash is handed in (`flash`): erase(size), write(offset, data), image(), commit(soft_ver, md5). A fault ordered by
name happens once, when so many bytes are stored; `FAULTS` is the list.
"""

import hashlib
import re
from collections import namedtuple

from mcu_proto.const import CMD_ANNOUNCE, CMD_PIECE, CMD_READY
from mcu_proto.frame import Frame
from mcu_proto.link import McuLink
from mcu_proto.names import ENDED_NAMES
from mcu_proto.transfer import ENDED_DONE, Ended, Ready, StoreData, build_announce, build_ready
from mcu_proto.transfer_receiver import TransferReceiver

from .flash import FlashError, FlashFolder, MemoryFlash
from .intel_hex import HexFileError, parse_intel_hex
from .mcu_events import FirmwareInstalled, FirmwareOffered, FirmwareProgress, FirmwareRefused, Misbehaved

# soft_ver: of every new image, None: the image says, or the old one counted up. wants_hex: ask for lines of HEX text.
BootOptions = namedtuple("BootOptions", ("flash", "soft_ver", "piece_size", "wants_hex"))

FAULTS = {
    "no-ready": "ignore the announcement of an image; BYTES is how many",
    "wrong-md5": "be ready for another image than the announced",
    "stop-asking": "stop acking pieces",
    "same-again": "store a piece and lose its ack, so that it comes again",
    "ready-again": "be ready anew, so that the transfer begins again",
    "out-of-order": "ack a piece with another sn",
    "cancel": "stop the transfer",
    "power-cut": "lose power",
    "bad-flash": "store one byte wrong",
    "early-reboot": "restart into the new image before the last piece is acked",
}
# What an image may say of itself, anywhere in its first bytes: SOFT_VER=01000002
_VERSION = re.compile(rb"SOFT_VER=([0-9A-Za-z._-]{1,8})")
_VERSION_WITHIN = 4096
# The generated MCU code gives its last ack this long to leave the line before it restarts.
RESTART_DELAY = 600
# Larger images are refused: no MCU of this kind has more.
MAX_IMAGE = 16 * 1024 * 1024


class Bootloader:
    """`soft_ver` is the version that runs; `restart_in` becomes the ms after which the owner must restart the MCU."""

    def __init__(self, link: McuLink, options: BootOptions, soft_ver: str) -> None:
        self.soft_ver = soft_ver
        self.restart_in: int | None = None
        # True from a new version to the restart of the module that shows it.
        self.is_new = False
        self._link = link
        self._options = options
        self._flash: MemoryFlash | FlashFolder = options.flash
        self._fault: str | None = None
        self._fault_at = 0
        self._ignores = 0
        self._frame: Frame | None = None
        self._begin(0, b"")

    def order(self, fault: str, at: int) -> None:
        """This fault happens when `at` bytes are stored."""
        self._fault, self._fault_at = fault, at
        self._ignores = max(at, 1) if fault == "no-ready" else 0

    def receive(self, frame: Frame, now: int) -> list:
        """A request of the sender; CMD_PIECE is held until it is stored."""
        self._frame = frame
        return self._digest(self._receiver.receive(frame, now), now)

    def handle_timeout(self, now: int) -> list:
        return self._digest(self._receiver.handle_timeout(now), now)

    def next_timeout(self) -> "int | None":
        return self._receiver.next_timeout()

    def power_on(self) -> None:
        """Half an image is forgotten."""
        self.restart_in = None
        self._begin(0, b"")

    def _begin(self, size: int, md5: bytes) -> None:
        self._receiver = TransferReceiver(self._link, self._options.piece_size, self._options.wants_hex)
        self._size = size
        self._md5 = md5
        self._told = 0

    def _digest(self, effects: list, now: int) -> list:
        out: list = []
        for effect in effects:
            if isinstance(effect, Ready):
                out += self._on_ready(effect, now)
            elif isinstance(effect, StoreData):
                out += self._on_data(effect, now)
            elif isinstance(effect, Ended):
                out += self._on_ended(effect, now)
            else:
                out.append(effect)
        return out

    def _on_ready(self, ready: Ready, now: int) -> list:
        self._size, self._md5, self._told = ready.size, ready.md5, 0
        out = [FirmwareOffered(ready.size, ready.md5.decode("ascii", "replace"))]
        if ready.size > MAX_IMAGE:
            return [*out, FirmwareRefused("an image of %d bytes has no room" % ready.size), *self._cancel(now)]
        if self._ignores:
            self._ignores -= 1
            return [*out, Misbehaved(FAULTS["no-ready"])]
        if self._happens("wrong-md5", self._fault_at):
            request = self._link.request(CMD_READY, build_ready(b"0" * 32, self._options.piece_size), now)
            return [*out, Misbehaved(FAULTS["wrong-md5"]), *request]
        try:
            self._flash.erase(ready.size)
        except FlashError as e:
            return [*out, FirmwareRefused(str(e)), *self._cancel(now)]
        return out + self._digest(self._receiver.accept(now), now)

    def _on_data(self, store: StoreData, now: int) -> list:
        data = store.data
        stored = store.offset + len(data)
        out: list = []
        if self._happens("bad-flash", stored):
            data = bytes((data[0] ^ 1,)) + data[1:]
            out.append(Misbehaved(FAULTS["bad-flash"]))
        try:
            self._flash.write(store.offset, data)
        except FlashError as e:
            return [*out, FirmwareRefused(str(e)), *self._cancel(now)]
        if stored * 10 // self._size > self._told:
            self._told = stored * 10 // self._size
            out.append(FirmwareProgress(stored, self._size))
        for fault, act in self._PIECE_FAULTS.items():
            if self._happens(fault, stored):
                return [*out, Misbehaved(FAULTS[fault]), *act(self, now)]
        if self._fault == "early-reboot" and stored == self._size:
            self._fault = None
            return [*out, Misbehaved(FAULTS["early-reboot"]), *self._install(0)]
        return out + self._digest(self._receiver.stored(now), now)

    def _on_ended(self, ended: Ended, now: int) -> list:
        if ended.reason != ENDED_DONE:
            return [FirmwareRefused(ENDED_NAMES.get(ended.reason, "?"))]
        if hashlib.md5(self._flash.image(), usedforsecurity=False).hexdigest().encode() != self._md5.lower():
            return [FirmwareRefused("its md5 is not the announced one"), *self._cancel(now)]
        return self._install(RESTART_DELAY)

    def _install(self, restart_in: int) -> list:
        try:
            version = self._options.soft_ver or version_of(self._flash.image()) or _counted_up(self.soft_ver)
            self._flash.commit(version, self._md5.decode("ascii", "replace"))
        except FlashError as e:
            return [FirmwareRefused(str(e))]
        self.soft_ver = version
        self.is_new = True
        self.restart_in = restart_in
        return [FirmwareInstalled(version)]

    def _cancel(self, now: int) -> list:
        return [effect for effect in self._receiver.cancel(now) if not isinstance(effect, Ended)]

    def _happens(self, fault: str, stored: int) -> bool:
        if self._fault != fault or stored < self._fault_at:
            return False
        self._fault = None
        return True

    def _same_again(self, now: int) -> list:
        # The first effect is the ack.
        return self._digest(self._receiver.stored(now)[1:], now)

    def _ready_again(self, now: int) -> list:
        frame = self._frame
        self._begin(self._size, self._md5)
        self._receiver.receive(Frame(CMD_ANNOUNCE, 0, 0, build_announce(self._size, self._md5)), now)
        # Before the ack: else the next piece is on its way already.
        return self._receiver.accept(now) + (self._link.reply(frame) if frame else [])

    def _out_of_order(self, now: int) -> list:
        frame = self._frame
        wrong = Frame(CMD_PIECE, (frame.sn if frame else 0) + 1 & 0xFF, 0, b"")
        return self._link.reply(wrong) + self._same_again(now)

    def _cancel_told(self, now: int) -> list:
        return self._digest(self._receiver.cancel(now), now)

    def _power_cut(self, now: int) -> list:
        self.restart_in = 0
        return []

    # What happens to a piece instead of its ack.
    _PIECE_FAULTS = {
        "stop-asking": lambda self, now: [],
        "same-again": _same_again,
        "ready-again": _ready_again,
        "out-of-order": _out_of_order,
        "cancel": _cancel_told,
        "power-cut": _power_cut,
    }


def version_of(image: bytes) -> str | None:
    """The version that an image, BIN or HEX text, says it has; None when it says none."""
    if image[:1] == b":":
        try:
            image = parse_intel_hex(image)
        except HexFileError:
            return None
    match = _VERSION.search(image[:_VERSION_WITHIN])
    return match[1].decode() if match else None


def _counted_up(version: str) -> str:
    digits = re.search(r"\d+$", version)
    if digits is None:
        return (version + "1")[-8:]
    return version[: digits.start()] + str(int(digits[0]) + 1).rjust(len(digits[0]), "0")[-len(digits[0]) :]
