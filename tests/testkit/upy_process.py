"""The MicroPython port as one process: what a board's hardware does around the interpreter. Run by path, not imported.

    python upy_process.py --firmware build/firmware/unix --form romfs --heap 64K --state DIR NAME=VALUE ...

It puts the images where flash would be, outside the heap, runs `boot.py` and `main.py` in the directory DIR, runs them
again when the program asks for a reset, and turns SIGTERM into what Ctrl-C at a board's console is. What the program
prints comes out on stderr.
"""

import argparse
import ctypes
import mmap
import os
import signal
import sys
from pathlib import Path

# What `machine.reset()` exits with there.
_RESET_EXIT = 75
_PR_SET_PDEATHSIG = 1

# What runs in MicroPython: a board's mounts, what its firmware has built in, then the program. All of this is in the
# heap that a chip has for the program, so there is little of it.
_START = """import vfs, uctypes
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(%d, %d)), "/unix")
%s
import machine, network, select, time
%s"""
_MOUNT = 'vfs.mount(vfs.VfsRom(uctypes.bytearray_at(%d, %d)), "/rom")'
# Flash that the program may write to.
_MOUNT_WRITABLE = "import flash\nflash.mount_%s(%d, %d)"
_PROGRAM = "import boot\nimport main"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--firmware", type=Path, required=True, help="what `make firmware` made for the unix profile")
    parser.add_argument("--form", choices=("mpy", "romfs", "littlefs"), required=True)
    parser.add_argument("--heap", required=True, help="of MicroPython: 40K")
    parser.add_argument("--state", type=Path, required=True, help="the directory that stands for the file system")
    parser.add_argument("--keep", action="store_true", help="what is written to an image stays in its file")
    parser.add_argument("--run", default=_PROGRAM, help="MicroPython code instead of boot.py and main.py")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="environment of the shims")
    arguments = parser.parse_args()
    os.umask(0o077)
    arguments.state.mkdir(exist_ok=True)
    os.environ.update(setting.split("=", 1) for setting in arguments.settings)
    while True:
        code = _wait(_start(arguments))
        if code != _RESET_EXIT:
            return code


def _start(arguments: argparse.Namespace) -> int:
    child = os.fork()
    if child == 0:
        # It ends with this process, however that ends.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(2, 1)
        os.chdir(arguments.state)
        _become_micropython(arguments)
    return child


def _become_micropython(arguments: argparse.Namespace) -> None:
    import micropython_unix

    # CPython's own would swallow what MicroPython waits for, and those of the parent are its own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    firmware = arguments.firmware.resolve()
    access = mmap.MAP_SHARED if arguments.keep else mmap.MAP_PRIVATE
    shims = _Flash(firmware / "shims.romfs", access)
    mount, paths = "", [firmware / "mpy"]
    if arguments.form != "mpy":
        flash = _Flash(firmware / ("app.romfs" if arguments.form == "romfs" else "littlefs.img"), access)
        mount = _MOUNT % (flash.address, flash.size)
        if arguments.form == "littlefs" or arguments.keep:
            mount = _MOUNT_WRITABLE % (arguments.form, flash.address, flash.size)
        # Where a firmware looks: the file system, which is "" and always first, and read-only flash behind it.
        paths = [] if arguments.form == "littlefs" else [firmware / "board", "/rom"]
    shims_paths = ["/unix/controlled", "/unix"] if "GAGENT_CONTROL" in os.environ else ["/unix"]
    os.environ["MICROPYPATH"] = ":".join(map(str, [*shims_paths, *paths, ".frozen"]))
    code = _START % (shims.address, shims.size, mount, arguments.run)
    sys.argv = ["micropython", "-X", "heapsize=" + arguments.heap, "-c", code]
    os._exit(micropython_unix.main() or 0)


class _Flash:
    """An image in memory that the process may write to; `access` says whether the file changes with it."""

    def __init__(self, image: Path, access: int) -> None:
        with image.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0, flags=access)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self.size = len(self._memory)


def _wait(child: int) -> int:
    def end(number: int, frame: object) -> None:
        os.kill(child, signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
