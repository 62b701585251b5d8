"""A pseudo-terminal behind a stable path: the far end of a serial line that can be pulled out and plugged in again."""

import asyncio
import os
import pathlib
import tty
from collections.abc import Callable

from .patience import PATIENCE_S


class PtyPair:
    """`path` is what a program opens as its serial port; the test holds the master end."""

    def __init__(self, folder: pathlib.Path, name: str = "port") -> None:
        self.path = str(folder / name)
        self._master = -1

    def plug_in(self) -> None:
        """Make the port appear."""
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.symlink(os.ttyname(slave), self.path + ".new")
        os.replace(self.path + ".new", self.path)
        # Nobody but the program holds the slave: closing the master is then seen as an unplugged adapter.
        os.close(slave)
        os.set_blocking(self._master, False)

    def pull_out(self) -> None:
        """Make it disappear, as an adapter that is unplugged."""
        os.unlink(self.path)
        os.close(self._master)
        self._master = -1

    def write(self, data: bytes) -> None:
        """Bytes to the program."""
        os.write(self._master, data)

    async def read(self, size: int) -> bytes:
        """`size` bytes from the program."""
        data = b""
        while len(data) < size:
            data += await self._readable()
        return data

    def watch(self, on_data: Callable[[bytes], None]) -> None:
        """Call `on_data` for whatever the program sends, until `pull_out`."""
        asyncio.get_running_loop().add_reader(self._master, lambda: on_data(self._take()))

    def unwatch(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)

    async def _readable(self) -> bytes:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._master, ready.set)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await ready.wait()
        finally:
            loop.remove_reader(self._master)
        return self._take()

    def _take(self) -> bytes:
        try:
            return os.read(self._master, 4096)
        except OSError:  # nobody has the other end open
            return b""
