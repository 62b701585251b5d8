"""A new version of the module's own software, put beside what runs. `board/loader.py` starts it on trial.

What the image is tells where it goes: an archive of `make firmware` becomes a folder, an image of read-only flash is
staged for the loader to write, a firmware of an ESP32 goes to the partition that does not run. Nothing of what runs is
touched, and the trial is named last: a power cut before leaves everything as it was.
"""

import os
from hashlib import sha256

import loader

from mcu_proto.const import const

_ARCHIVE = b"gagent files 1\n"
_ROMFS = b"\xd2\xcd\x31"
_ESP32 = b"\xe9"
# The file that tells where the agent runs from.
_PROGRAM = "gagent_chip.mpy"

_PIECE = const(256)
_BLOCK = const(4096)
# A version that did not come up is tried again when the chip has run for so long.
_AGAIN_AFTER = const(3600000)


def install(path, version, digest, now, watchdog):
    """The file `path` with this SHA-256 is what the next start tries; ValueError or OSError: it is not, and why."""
    state = loader.load()
    if state["failed"] == version and now < _AGAIN_AFTER:
        raise ValueError("version %s did not come up: tried again an hour after the start" % version)
    with open(path, "rb") as file:
        head = file.read(len(_ARCHIVE))
        file.seek(0)
        if head == _ARCHIVE:
            state["trial"] = _unpack(file, "b" if state["runs"] == "a" else "a", watchdog)
        elif head.startswith(_ROMFS):
            _stage(file, path, digest, state, watchdog)
        elif head.startswith(_ESP32):
            _to_partition(file, state, watchdog)
        else:
            raise ValueError("the image is no software of this module: expected one of `make firmware`")
    state["next"] = version
    state["tries"] = 0
    if state["trial"] == "rom":
        os.rename(path, loader.NEXT)
    loader.save(state)
    if state["trial"] == "ota":
        _next_partition().set_boot()


def _unpack(file, slot, watchdog) -> str:
    """The files of an archive as the folder of `slot`."""
    folder = "app_" + slot
    _remove(folder)
    os.mkdir(folder)
    file.read(len(_ARCHIVE))
    while True:
        words = file.readline().decode().split()
        if len(words) != 2 or not words[0].isdigit():
            raise ValueError("the image ends early: expected an archive of `make firmware`")
        name, left = words[1], int(words[0])
        if name == ".":
            return slot
        if name.startswith("/") or ".." in name:
            raise ValueError("the image has a file outside of its folder")
        path = folder
        for part in name.split("/")[:-1]:
            path += "/" + part
            try:
                os.mkdir(path)
            except OSError:
                pass  # it is there
        path = folder + "/" + name
        hashed = sha256()
        with open(path, "wb") as out:
            while left:
                piece = file.read(min(left, _PIECE))
                if not piece:
                    raise ValueError("the image ends early: expected an archive of `make firmware`")
                left -= len(piece)
                out.write(piece)
                hashed.update(piece)
                _feed(watchdog)
        with open(path, "rb") as written:
            if _digest_of(written, watchdog) != hashed.digest():
                raise ValueError("the flash does not keep what is written to it")


def _stage(file, path, digest, state, watchdog):
    """Keep the image that is in read-only flash; the loader writes the other."""
    device, room = loader.rom()
    # Files beside it, and what is in the firmware, would be found first.
    if device is None or _PROGRAM in os.listdir() or _PROGRAM not in os.listdir("/rom"):
        raise ValueError("the image is one of read-only flash, and this module does not run from there")
    size = file.seek(0, 2)
    if size > room:
        raise ValueError("the image has %d bytes, read-only flash %d" % (size, room))
    buf = memoryview(bytearray(_PIECE))
    loader.read_rom(device, 0, buf)
    left = _romfs_size(buf)
    at = 0
    hashed = sha256()
    with open(loader.BEFORE, "wb") as out:
        while at < left:
            piece = buf[: min(_PIECE, left - at)]
            loader.read_rom(device, at, piece)
            out.write(piece)
            hashed.update(piece)
            at += len(piece)
            _feed(watchdog)
    state[loader.BEFORE] = hashed.digest().hex()
    state[loader.NEXT] = digest
    state["write"] = loader.NEXT
    state["trial"] = "rom"


def _romfs_size(head) -> int:
    """Bytes of the image that begins like this: its length follows its mark, seven bits a byte."""
    size = 0
    at = len(_ROMFS)
    while True:
        size = size << 7 | head[at] & 0x7F
        at += 1
        if not head[at - 1] & 0x80:
            return at + size


def _to_partition(file, state, watchdog):
    """To where an ESP32 looks for its other firmware."""
    try:
        partition = _next_partition()
    except (ImportError, OSError):
        raise ValueError("the image is a firmware of an ESP32, and this chip has no second place for one")  # noqa: B904
    info = partition.info()
    size = file.seek(0, 2)
    file.seek(0)
    if size > info[3]:
        raise ValueError("the image has %d bytes, the partition %d" % (size, info[3]))
    buf = bytearray(_BLOCK)
    back = bytearray(_BLOCK)
    for number in range((size + _BLOCK - 1) // _BLOCK):
        file.readinto(buf)
        # Without an offset the block is erased first.
        partition.writeblocks(number, buf)
        partition.readblocks(number, back)
        if back != buf:
            raise ValueError("the flash does not keep what is written to it")
        _feed(watchdog)
    state["trial"] = "ota"
    state["label"] = info[4]


def _next_partition():
    from esp32 import Partition

    return Partition(Partition.RUNNING).get_next_update()


def _remove(path):
    """A folder with all that is in it, if it is there."""
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        name = path + "/" + name
        if os.stat(name)[0] & 0x4000:
            _remove(name)
        else:
            os.remove(name)
    os.rmdir(path)


def _digest_of(file, watchdog) -> bytes:
    hashed = sha256()
    while True:
        piece = file.read(_PIECE)
        if not piece:
            return hashed.digest()
        hashed.update(piece)
        _feed(watchdog)


def _feed(watchdog):
    if watchdog is not None:
        watchdog.feed()
