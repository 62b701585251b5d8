"""Flash of the unix profile: an image in this process's memory, outside MicroPython's heap. For tests only.

Loaded by tests that write to it. GAGENT_CUT is how many bytes can be written until the power goes, in the middle of
what is written then.
"""

import os
import sys

import uctypes
import vfs

_BLOCK = 4096
_BLOCKS = 4
_BLOCK_SIZE = 5
_ERASED = 0xFF
CUT_EXIT = 76
_left = [int(os.getenv("GAGENT_CUT") or "-1")]


def mount_romfs(address, size):
    """The image at `address` as /rom, as a firmware with ROMFS does before `boot.py`."""
    memory = uctypes.bytearray_at(address, size)
    sys.modules["vfs"] = _Vfs(memory)
    try:
        vfs.mount(vfs.VfsRom(memory), "/rom")
    except OSError:
        pass  # no image; a chip starts all the same


def mount_littlefs(address, size):
    """The image at `address` as the file system that the program lives in."""
    vfs.mount(vfs.VfsLfs2(_Flash(uctypes.bytearray_at(address, size))), "/flash")
    os.chdir("/flash")


class _Flash:
    """A block device, as a board's flash is one."""

    def __init__(self, memory):
        self._memory = memory

    def readblocks(self, number, buffer, offset=0):
        at = number * _BLOCK + offset
        buffer[:] = memoryview(self._memory)[at : at + len(buffer)]

    def writeblocks(self, number, buffer, offset=0):
        _write(self._memory, number * _BLOCK + offset, buffer)

    def ioctl(self, request, argument):
        if request == _BLOCKS:
            return len(self._memory) // _BLOCK
        return _BLOCK if request == _BLOCK_SIZE else 0


class _Vfs:
    """The machine's `vfs` with read-only flash that can be written, as that of an ESP8266."""

    def __init__(self, memory):
        self._memory = memory

    def __getattr__(self, name):
        return getattr(vfs, name)

    def rom_ioctl(self, request, number, at=0, data=b""):
        if request == 2:
            return self._memory
        if request == 3:
            for offset in range(0, at, 16):
                _write(self._memory, offset, bytes([_ERASED]) * 16)
        elif request == 4:
            for i in range(len(data)):
                if self._memory[at + i] != _ERASED:
                    raise OSError(5)  # not erased
            _write(self._memory, at, data)
        return 4


def _write(memory, at, data):
    """Into flash, as long as there is power."""
    size = len(data)
    if 0 <= _left[0] < size:
        memoryview(memory)[at : at + _left[0]] = bytes(data[: _left[0]])
        # Nothing more, whatever the program does on its way out.
        _left[0] = 0
        sys.exit(CUT_EXIT)
    memoryview(memory)[at : at + size] = data
    if _left[0] > 0:
        _left[0] -= size
