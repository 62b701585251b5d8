"""What devices ask the service itself over MQTT. Cloud manual, device side, 4.6.

    cli2ser_req  00 00 00 03 | cmd (2) | body        ser2cli_res/<did>  the same, the other way

    020F  how many apps look at me?                ─► 0210 count
    021C  I run these versions                     ─► 021D the same: there is nothing newer
    021E  I was reset                              as DELETE /dev/devices
    022C  progress of an upgrade                   kept (see `ota_service`)
    0205  is there firmware? (oldest generation)   ─► 0206 and eight zeros: none

021C, 021D and 022C share a head: flags (2), length (2), and for each flag a text of two bytes length; the first three
flags are sub-device, module version and MCU version, a version is "<hardware>,<software>". The topic names no device:
the broker has to say who published. A command that is not in the list is logged; nothing is answered to garbage.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator

from gagent import wire
from mcu_proto.errors import RemoteError

from .store.devices import VERSIONS

VERSION_REPORT = 0x021C
VERSION_ANSWER = 0x021D
RESET = 0x021E
PROGRESS = 0x022C
OLD_OTA_CHECK = 0x0205
OLD_OTA_ANSWER = 0x0206

# flag -> which of the device's versions its text is; "" is the sub-device's id
_TEXTS = {0x0001: "", 0x0002: "1", 0x0004: "2"}

log = logging.getLogger("localcloud")


class Service:
    """`count(did)` pushes the app count, `learn(did, columns)` keeps versions, `reset(did)` takes a device back,
    `progress(did, body)` hears how far an upgrade is."""

    def __init__(
        self,
        send: Callable[[str, bytes], None],
        count: Callable[[str], None],
        learn: Callable[[str, dict[str, str]], None],
        reset: Callable[[str], Awaitable[None]],
        progress: Callable[[str, bytes], None],
    ) -> None:
        self._send = send
        self._count = count
        self._learn = learn
        self._reset = reset
        self._progress = progress

    async def receive(self, did: str, payload: bytes) -> None:
        """One message of a device to the service."""
        try:
            cmd, body = wire.decode_service(payload)
            if cmd == wire.SERVICE_ASK_APP_COUNT:
                self._count(did)
            elif cmd == VERSION_REPORT:
                self._learn(did, parse_versions(body))
                self._send(did, wire.encode_service(VERSION_ANSWER, body))
            elif cmd == RESET:
                await self._reset(did)
            elif cmd == OLD_OTA_CHECK:
                self._send(did, wire.encode_service(OLD_OTA_ANSWER, bytes(8)))
            elif cmd == PROGRESS:
                self._progress(did, body)
            else:
                log.info("device %s sent service command %04x, which is not served", did, cmd)
        except RemoteError as error:
            log.warning("device %s asked the service what cannot be read: %s", did, error)


def parse_versions(body: bytes) -> dict[str, str]:
    """The columns of a version report; RemoteError when it is cut."""
    if len(body) < 4 or int.from_bytes(body[2:4], "big") != len(body) - 4:
        raise RemoteError("version report of %d bytes" % len(body))
    flags, texts = int.from_bytes(body[:2], "big"), _texts(body[4:])
    columns: dict[str, str] = {}
    for flag, kind in _TEXTS.items():
        if not flags & flag:
            continue
        hard, _, soft = next(texts, "").partition(",")
        if kind and not (hard and soft and len(hard) <= 32 and len(soft) <= 32):
            raise RemoteError('version report without "<hardware>,<software>"')
        if kind:
            columns.update(zip(VERSIONS[kind], (hard, soft), strict=True))
    return columns


def _texts(data: bytes) -> Iterator[str]:
    while data:
        end = 2 + int.from_bytes(data[:2], "big")
        if end > len(data) or not data[2:end].isascii():
            raise RemoteError("version report with a text that is cut or no ASCII")
        yield data[2:end].decode("ascii")
        data = data[end:]
