"""How far delivery has come: a file of 12 bytes beside the outbox, `seq | CRC-32 of seq`, big-endian.

Writing it is handed to the system and not waited for: that costs microseconds and no wear, and outlives the process.
"""

import os
import struct

import crcmod.predefined

from .log import PortLog
from .outbox_file import OutboxError

_crc = crcmod.predefined.mkCrcFun("crc-32")
_SEQ = struct.Struct(">Q")
_CRC = struct.Struct(">I")
_SIZE = _SEQ.size + _CRC.size
# What SQLite can count, with room for those that follow.
_MAX_SEQ = 1 << 62


class OutboxMark:
    """The file at `path`; `log` is told when it cannot be written, once."""

    def __init__(self, path: str, log: PortLog) -> None:
        self.path = path
        self._log = log
        self._is_told = False
        self._descriptor: int | None = None

    def load(self) -> int:
        """The seq that delivery came to, 0 for none; OutboxError when the file is damaged, which sets it aside."""
        try:
            with open(self.path, "rb") as file:
                data = file.read(_SIZE + 1)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise OutboxError("%s cannot be read: %s" % (self.path, error.strerror)) from error
        if not data:  # a power cut leaves a new file so
            return 0
        seq = _SEQ.unpack(data[: _SEQ.size])[0] if len(data) == _SIZE else _MAX_SEQ
        if seq < _MAX_SEQ and data[_SEQ.size :] == _CRC.pack(_crc(data[: _SEQ.size])):
            return seq
        aside = self.path + ".damaged"
        try:
            os.replace(self.path, aside)
        except OSError as error:
            aside = "nothing: %s" % error.strerror
        raise OutboxError("%s is damaged: set aside as %s; what is stored is sent again" % (self.path, aside))

    def save(self, seq: int) -> None:
        """Everything up to `seq` is delivered: known even if the process is killed now."""
        data = _SEQ.pack(seq)
        try:
            if self._descriptor is None:
                os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._descriptor, data + _CRC.pack(_crc(data)), 0)
            self._is_told = False
        except OSError as error:
            self.close()
            if not self._is_told:
                reason = "what was delivered may be sent again after a crash"
                self._log.error("%s cannot be written: %s; %s", self.path, error.strerror, reason)
            self._is_told = True

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
