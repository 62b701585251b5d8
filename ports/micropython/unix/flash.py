"""Flash of the unix profile: an image in this process's memory, outside MicroPython's heap. For tests only."""

import os

import uctypes
import vfs

_BLOCK = 4096
_BLOCKS = 4
_BLOCK_SIZE = 5


def mount_romfs(address, size):
    """The image at `address` as /rom, as a firmware with ROMFS does before `boot.py`."""
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), "/rom")


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
        at = number * _BLOCK + offset
        memoryview(self._memory)[at : at + len(buffer)] = buffer

    def ioctl(self, request, argument):
        if request == _BLOCKS:
            return len(self._memory) // _BLOCK
        return _BLOCK if request == _BLOCK_SIZE else 0
