"""A serial line that takes its time: two pseudo-terminals with what goes between them at the speed of a baud rate.

Ten bit times a byte, each direction by itself, as on a wire. What a pseudo-terminal carries at once takes a line of
9600 baud a second for 960 bytes; only so can something be cut off in the middle.
"""

import os
import select
import threading
import time
import tty
from collections import deque
from pathlib import Path

# Bytes reach the other end in slices of about this long, as from a USB adapter.
_SLICE_S = 0.001


class PacedLine:
    """`mcu` and `module` are the paths of its two ends; opened by whoever likes, and again after they were closed."""

    def __init__(self, folder: Path, baud: int) -> None:
        self._byte_s = 10 / baud
        self._masters: list[int] = []
        self._slaves: list[int] = []
        self.mcu, self.module = folder / "line-mcu", folder / "line-module"
        for path in (self.mcu, self.module):
            master, slave = os.openpty()
            tty.setraw(slave)
            self._masters.append(master)
            # Kept open: a terminal whose last user leaves says so with an error.
            self._slaves.append(slave)
            path.symlink_to(os.ttyname(slave))
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="line")
        self._thread.start()

    def close(self) -> None:
        os.write(self._stop_write, b"x")
        self._thread.join()
        for descriptor in (*self._masters, *self._slaves, self._stop_read, self._stop_write):
            os.close(descriptor)

    def _run(self) -> None:
        a, b = self._masters
        other = {a: b, b: a}
        # Of each direction: slices with the moment their last byte arrives, and the moment the wire is free.
        under_way: dict[int, deque[tuple[float, bytes]]] = {a: deque(), b: deque()}
        free_at = {a: 0.0, b: 0.0}
        size = max(1, int(_SLICE_S / self._byte_s))
        while True:
            first = min((queue[0][0] for queue in under_way.values() if queue), default=None)
            wait = None if first is None else max(0.0, first - time.monotonic())
            ready, _, _ = select.select([a, b, self._stop_read], [], [], wait)
            if self._stop_read in ready:
                return
            now = time.monotonic()
            for end in ready:
                data = os.read(end, 4096)
                for at in range(0, len(data), size):
                    piece = data[at : at + size]
                    free_at[end] = max(free_at[end], now) + len(piece) * self._byte_s
                    under_way[end].append((free_at[end], piece))
            for end, queue in under_way.items():
                while queue and queue[0][0] <= time.monotonic():
                    os.write(other[end], queue.popleft()[1])
