"""The firmware conversation of the module: a file goes to the MCU. Serial manual, chapter 7.

The conversation itself is `TransferSender`; here is the file, its progress and what a person may do meanwhile. It
survives whatever `TransferSender` survives; every transfer ends in one `TransferEnded`.
"""

import hashlib
from collections import namedtuple

from mcu_proto.frame import Frame
from mcu_proto.link import Acked, Failed, McuLink
from mcu_proto.transfer import ENDED_DONE, ENDED_UNCONFIRMED, Ended, NeedData
from mcu_proto.transfer_sender import TransferSender

from .module_events import TransferBegun, TransferEnded, TransferProgress

# A firmware file: `data` its bytes, `md5` their 32 hex digits, `is_hex` when it is Intel HEX text.
Image = namedtuple("Image", ("data", "md5", "is_hex"))


def image_of(data: bytes) -> Image:
    """The file's bytes as an image; HEX text is known by its first colon."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest().encode()
    return Image(data, md5, data[:1] == b":")


class ModuleUpgrade:
    """One transfer after another; `is_sent` tells how the last one ended."""

    def __init__(self, link: McuLink) -> None:
        self.is_sent = False
        self._link = link
        self._sender: TransferSender | None = None
        self._image = image_of(b"")
        self._told = 0

    def start(self, image: Image, now: int) -> list:
        """Announce the file; what was on its way is stopped."""
        out = self.stop(now)
        self._image = image
        self._told = 0
        self.is_sent = False
        self._sender = TransferSender(self._link, len(image.data), image.md5, image.is_hex)
        return [*out, TransferBegun(len(image.data), image.md5.decode()), *self._digest(self._sender.start(now), now)]

    def stop(self, now: int) -> list:
        """Stop sending."""
        return [] if self._sender is None else self._digest(self._sender.cancel(now), now)

    def receive(self, frame: Frame, now: int) -> list:
        """CMD_READY (held) or CMD_STOP_RECEIVING of the MCU."""
        if self._sender is None:
            return self._link.reply(frame)
        return self._digest(self._sender.receive(frame, now), now)

    def owns(self, token: object) -> bool:
        """True when an Acked or Failed with this token is ours."""
        return self._sender is not None and self._sender.owns(token)

    def outcome(self, effect: "Acked | Failed", now: int) -> list:
        """An outcome that we own."""
        if self._sender is None:
            return []
        act = self._sender.acked if isinstance(effect, Acked) else self._sender.failed
        return self._digest(act(effect.token, now), now)

    def handle_timeout(self, now: int) -> list:
        return [] if self._sender is None else self._digest(self._sender.handle_timeout(now), now)

    def next_timeout(self) -> "int | None":
        return None if self._sender is None else self._sender.next_timeout()

    def _digest(self, effects: list, now: int) -> list:
        out: list = []
        for effect in effects:
            if isinstance(effect, NeedData) and self._sender is not None:
                out += self._progress(effect.offset)
                data = self._image.data[effect.offset : effect.offset + effect.size]
                out += self._digest(self._sender.give(data, now), now)
            elif isinstance(effect, Ended):
                self.is_sent = effect.reason in (ENDED_DONE, ENDED_UNCONFIRMED)
                out.append(TransferEnded(effect.reason))
            else:
                out.append(effect)
        return out

    def _progress(self, acked: int) -> list:
        tenths = acked * 10 // max(len(self._image.data), 1)
        if tenths == self._told:
            return []
        self._told = tenths
        return [TransferProgress(acked, len(self._image.data))]
