"""The flash of the simulated MCU: in memory, or files of a folder that survive a power cut at any byte.

    DIR/incoming    the image that arrives, worth nothing until it is committed
    DIR/running     the image that boots: a line of JSON (soft_ver, md5, size), then its bytes; replaced as a whole

The process may be killed at any moment: `running` is the old image or the new one.
"""

import hashlib
import json
import os


class FlashError(Exception):
    """Flash that cannot be used; the text says why."""


class MemoryFlash:
    """Forgotten when the program ends."""

    def __init__(self) -> None:
        self._incoming = bytearray()
        self.running = b""

    def soft_ver(self) -> str | None:
        return None

    def erase(self, size: int) -> None:
        self._incoming = bytearray()

    def write(self, offset: int, data: bytes) -> None:
        self._incoming[offset : offset + len(data)] = data

    def image(self) -> bytes:
        return bytes(self._incoming)

    def commit(self, soft_ver: str, md5: str) -> None:
        self.running = bytes(self._incoming)


class FlashFolder:
    """FlashError from any method when the folder cannot be used."""

    def __init__(self, path: str) -> None:
        self._path = path

    def soft_ver(self) -> str | None:
        """The version of the committed image, None when there is none or it is damaged."""
        try:
            with open(self._file("running"), "rb") as file:
                head = json.loads(file.readline())
                image = file.read()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as e:
            raise FlashError("flash %s: running cannot be read: %s" % (self._path, e)) from None
        if _digest(image) != head.get("md5"):
            raise FlashError(
                "flash %s: running is damaged, its md5 is %s: remove it for the first version"
                % (self._path, _digest(image))
            )
        return str(head["soft_ver"])

    def erase(self, size: int) -> None:
        try:
            os.makedirs(self._path, mode=0o700, exist_ok=True)
            with open(self._file("incoming"), "wb"):
                pass
        except OSError as e:
            raise FlashError("flash %s cannot be erased: %s" % (self._path, e.strerror)) from None

    def write(self, offset: int, data: bytes) -> None:
        try:
            with open(self._file("incoming"), "r+b") as file:
                file.seek(offset)
                file.write(data)
        except OSError as e:
            raise FlashError("flash %s cannot be written: %s" % (self._path, e.strerror)) from None

    def image(self) -> bytes:
        try:
            with open(self._file("incoming"), "rb") as file:
                return file.read()
        except OSError as e:
            raise FlashError("flash %s cannot be read: %s" % (self._path, e.strerror)) from None

    def commit(self, soft_ver: str, md5: str) -> None:
        image = self.image()
        head = {"soft_ver": soft_ver, "md5": _digest(image), "size": len(image)}
        try:
            with open(self._file("running.new"), "wb") as file:
                file.write(json.dumps(head).encode() + b"\n" + image)
                file.flush()
                os.fsync(file.fileno())
            # Here the new version begins, at once and whole.
            os.replace(self._file("running.new"), self._file("running"))
            os.unlink(self._file("incoming"))
        except OSError as e:
            raise FlashError("flash %s cannot be committed: %s" % (self._path, e.strerror)) from None

    def _file(self, name: str) -> str:
        return os.path.join(self._path, name)


def _digest(image: bytes) -> str:
    return hashlib.md5(image, usedforsecurity=False).hexdigest()
