"""The kinds of board that the port is built for: what each one has, what it does without, and how it gets there."""

from typing import NamedTuple

# How the code reaches a chip: a tree of .mpy for `mip`, an image of read-only flash that code runs from, an image of
# the file system, sources to freeze into a firmware of one's own.
MPY, ROMFS, LITTLEFS, FREEZE = FORMS = ("mpy", "romfs", "littlefs", "freeze")

# No chip imports these, though something names them: P0 crosses a module undecoded, and files of an MCU do not fit.
ON_NO_CHIP = (
    "gagent.upload",
    "mcu_proto.datapoint",
    "mcu_proto.definition",
    "mcu_proto.mcu_message",
    "mcu_proto.names",
    "mcu_proto.transfer_receiver",
)
# Rows of devices behind an MCU: for gateways.
_GATEWAY = ("gagent.subdevices", "mcu_proto.subdevice")
# Certificates and signatures checked.
_TLS = ("gagent_upy.tls", "gagent_upy.ed25519")

_BLOCK = 4096


class Profile(NamedTuple):
    """`without` lists modules left out; `room` is the .mpy bytes kept free for the LAN protocol; `shims` the
    folder whose modules stand for what the firmware of a board has built in.
    """

    boards: str
    forms: tuple[str, ...]
    without: tuple[str, ...] = ()
    romfs_bytes: int = 0
    littlefs_bytes: int = 0
    room: int = 0
    shims: str = ""

    @property
    def littlefs_blocks(self) -> int:
        return self.littlefs_bytes // _BLOCK


_LAN_ROOM = 1536

PROFILES = {
    "esp8266": Profile(
        "ESP8266 with 2 MB of flash or more and the firmware variant FLASH_2M_ROMFS: ESP-12, NodeMCU, D1 mini",
        (ROMFS, FREEZE),
        without=_TLS,
        romfs_bytes=320 * 1024,
        room=_LAN_ROOM,
    ),
    "esp8266-small": Profile(
        "ESP8266 with 1 MB of flash, or with a firmware without ROMFS: ESP-01S; relays and nothing else",
        (MPY, LITTLEFS, FREEZE),
        without=_TLS + _GATEWAY,
        littlefs_bytes=392 * 1024,
    ),
    "esp32": Profile(
        "ESP32 and its kin with 4 MB of flash",
        (MPY, ROMFS, LITTLEFS, FREEZE),
        romfs_bytes=128 * 1024,
        littlefs_bytes=2048 * 1024,
        room=_LAN_ROOM,
    ),
    "rp2": Profile(
        "Raspberry Pi Pico W",
        (MPY, LITTLEFS, FREEZE),
        littlefs_bytes=848 * 1024,
        room=_LAN_ROOM,
    ),
    "unix": Profile(
        "MicroPython's unix build: for the tests", (MPY, ROMFS, LITTLEFS), littlefs_bytes=392 * 1024, shims="unix"
    ),
}
