"""Before the agent: which version of the module's software starts, and back to the one before when a new one fails.

    boot.json   what runs, what is on trial, what is to be written to read-only flash; replaced as a whole
    app_a, app_b   versions as folders of files; what was installed by a person lies beside them and is never touched
    rom.next, rom.before   images of read-only flash (ROMFS), which holds one only: the new one, and the one before

    what runs ── install ──▶ on trial ── confirmed: the cloud was reached ──▶ what runs
        ▲                       │ three starts without
        └───────────────────────┘

A power cut at any byte: what is to be written is written again from the file system at the next start, until it reads
back as it should. This file stays as it is: an upgrade does not replace it.
"""

import json
import os
import sys
from hashlib import sha256

FILE = "boot.json"
NEXT = "rom.next"
BEFORE = "rom.before"

_TRIES = 3
_BLOCK = 4096
# Read-only flash is written in pieces of this: a multiple of what any chip wants.
_PIECE = 256
# Of vfs.rom_ioctl: the flash itself, erase, write, end.
_GET, _ERASE, _WRITE, _END = 2, 3, 4, 5


def load() -> dict:
    """What is known; as if there had never been an upgrade where nothing is, or nothing that can be read."""
    state = {"runs": "", "version": "", "trial": "", "next": "", "tries": 0, "failed": ""}
    for key in ("write", NEXT, BEFORE, "label"):
        state[key] = ""
    try:
        with open(FILE) as file:
            found = json.load(file)
        for key in found:
            state[key] = found[key]
    except (OSError, ValueError, TypeError):
        pass
    return state


def save(state):
    """Known from here on; a power cut leaves this or what was before."""
    with open("boot.new", "w") as file:
        json.dump(state, file)
        file.flush()
    os.rename("boot.new", FILE)


def boot() -> bool:
    """Make ready what is to start; True: the chip is to be reset first."""
    if FILE not in os.listdir():
        return False
    state = load()
    if not state["write"] and state["trial"]:
        if state["tries"] >= _TRIES or (state["trial"] == "ota" and _label() != state["label"]):
            if _take_back(state):
                return True
        else:
            state["tries"] += 1
            save(state)
    if state["write"]:
        _write(state)
        return True
    slot = state["trial"] or state["runs"]
    if slot in ("a", "b"):
        sys.path.insert(0, "app_" + slot)
    return False


def rom():
    """Read-only flash as (device, its bytes); a device of None: this chip has none."""
    import vfs

    try:
        device = vfs.rom_ioctl(_GET, 0)
    except (AttributeError, OSError):
        return None, 0
    if isinstance(device, int):
        return None, 0
    if hasattr(device, "ioctl"):
        return device, device.ioctl(4, 0) * device.ioctl(5, 0)
    return device, len(device)


def read_rom(device, at, buf):
    """Fill `buf`, at most a piece of a block, with what is at `at`."""
    if hasattr(device, "ioctl"):
        device.readblocks(at // _BLOCK, buf, at % _BLOCK)
    else:
        buf[:] = memoryview(device)[at : at + len(buf)]


def _take_back(state) -> bool:
    """The version on trial did not come up; True: the chip is to be reset."""
    kind = state["trial"]
    print("software %s did not come up: back to the one before" % state["next"])
    is_other = kind == "ota" and _label() == state["label"]
    if is_other:
        from esp32 import Partition

        Partition(Partition.RUNNING).get_next_update().set_boot()
    state["failed"] = state["next"]
    state["trial"] = ""
    if kind == "rom" and state[BEFORE]:
        state["write"] = BEFORE
    save(state)
    return is_other


def _write(state):
    """What is to be in read-only flash, or the one before when that cannot be."""
    for name in (state["write"], BEFORE):
        for _ in range(_TRIES):
            if _is_written(name, state[name]):
                if name == BEFORE and state["write"] == NEXT:
                    state["failed"] = state["next"]
                    state["trial"] = ""
                state["write"] = ""
                save(state)
                return
    # Nothing that is known can be written: whatever is there, it must do.
    state["write"] = state["trial"] = ""
    save(state)


def _is_written(name, digest) -> bool:
    """Whether the file, if it is the one of `digest`, is in read-only flash now."""
    try:
        with open(name, "rb") as file:
            if not digest or _digest(file.readinto) != digest:
                return False
            device, _ = rom()
            size = file.seek(0, 2)
            file.seek(0)
            _copy(file, device, size)
    except OSError:
        return False
    at = [0]

    def readinto(buf):
        n = min(len(buf), size - at[0])
        read_rom(device, at[0], buf[:n])
        at[0] += n
        return n

    return _digest(readinto) == digest


def _copy(file, device, size):
    import vfs

    if hasattr(device, "ioctl"):
        buf = bytearray(_BLOCK)
        for number in range((size + _BLOCK - 1) // _BLOCK):
            file.readinto(buf)
            # Without an offset the block is erased first.
            device.writeblocks(number, buf)
        return
    buf = bytearray(_PIECE)
    whole = (size + _PIECE - 1) // _PIECE * _PIECE
    vfs.rom_ioctl(_ERASE, 0, whole)
    for at in range(0, whole, _PIECE):
        file.readinto(buf)
        vfs.rom_ioctl(_WRITE, 0, at, buf)
    vfs.rom_ioctl(_END, 0)


def _digest(readinto) -> str:
    """SHA-256 of all that `readinto` gives, as hex digits."""
    buf = memoryview(bytearray(_PIECE))
    hashed = sha256()
    while True:
        n = readinto(buf)
        if not n:
            return hashed.digest().hex()
        hashed.update(buf[:n])


def _label() -> str:
    """Of the partition that runs."""
    from esp32 import Partition

    return Partition(Partition.RUNNING).info()[4]
