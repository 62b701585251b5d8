"""Firmware images on disk, one of each kind: what a download has so far, and what is known of it.

    <state>/<name>.firmware/mcu.json    version, url, size and heads of the image; written before its first byte
    <state>/<name>.firmware/mcu.image   its bytes, appended as they come

An image is whole when it has the size that was announced. Whether it is right is for its md5 and signature to say, each
time anew: a power cut in the middle of a write leaves a file that is shorter, or wrong, and either is found out.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from gagent.firmware import KIND_MCU, KIND_MODULE
from gagent.ota import Image

from .storage import replace_file

_NAMES = {KIND_MODULE: "module", KIND_MCU: "mcu"}
_READ = 1 << 16


@dataclass(frozen=True)
class Origin:
    """Where an image comes from, and what its server says of it."""

    version: str
    url: str
    size: int
    heads: dict[str, str] = field(default_factory=dict)


class FirmwareStore:
    """The images of the port `name` under the directory `state`. Every method may raise OSError."""

    def __init__(self, state: str, name: str) -> None:
        self.folder = os.path.join(state, name + ".firmware")

    def image_path(self, kind: int) -> str:
        return os.path.join(self.folder, _NAMES[kind] + ".image")

    def origin(self, kind: int) -> Origin | None:
        """Of the image that is there, or begun; None when there is none that can be gone on with."""
        try:
            with open(self._origin_path(kind), "rb") as file:
                return Origin(**json.loads(file.read()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return None  # cut short by a full disk: the download begins anew

    def size(self, kind: int) -> int:
        """Bytes that are there."""
        try:
            return os.path.getsize(self.image_path(kind))
        except FileNotFoundError:
            return 0

    def begin(self, kind: int, origin: Origin) -> None:
        """Forget what was there: an image of this origin comes."""
        self.drop(kind)
        replace_file(self._origin_path(kind), json.dumps(asdict(origin)).encode())

    def appending(self, kind: int) -> BinaryIO:
        """The image, to write on at its end; unbuffered, readable by this user only."""
        descriptor = os.open(self.image_path(kind), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "wb", buffering=0)

    def digests(self, kind: int) -> tuple[Any, Any]:
        """(md5, sha256) of what is there, to go on with."""
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        try:
            with open(self.image_path(kind), "rb") as file:
                while piece := file.read(_READ):
                    md5.update(piece)
                    sha256.update(piece)
        except FileNotFoundError:
            pass
        return md5, sha256

    def read(self, kind: int, offset: int, size: int) -> bytes:
        """`size` bytes of the image, fewer at its end."""
        with open(self.image_path(kind), "rb") as file:
            return os.pread(file.fileno(), size, offset)

    def drop(self, kind: int) -> None:
        """Forget the image."""
        for path in (self._origin_path(kind), self.image_path(kind)):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass

    def room(self) -> int:
        """Bytes that the disk has left."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        return shutil.disk_usage(self.folder).free

    def _origin_path(self, kind: int) -> str:
        return os.path.join(self.folder, _NAMES[kind] + ".json")


def image_of(origin: Origin, md5: Any, sha256: Any) -> Image:
    """What the agent is told of an image that is whole."""
    return Image(origin.size, md5.hexdigest(), sha256.hexdigest(), origin.heads)
