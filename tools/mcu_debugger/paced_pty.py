"""A pseudo-terminal that takes its time: what crosses it arrives ten bit times a byte later, as on a wire.

A pseudo-terminal carries at once what a line of 9600 baud takes a second for. With this in between, timeouts and
transfers behave as on the bench, and something can be cut off in the middle.
"""

import contextlib
import os
import select
import socket
import threading
import time
from collections import deque

from .port import PtyPort

# Bytes arrive in slices of about this long, as from a USB adapter.
_SLICE_S = 0.001
_READ_SIZE = 4096


class PacedPty:
    """`pty` at `baud` bits a second in each direction, by a thread of its own; the same methods."""

    def __init__(self, pty: PtyPort, baud: int) -> None:
        self.name = pty.name
        self._pty = pty
        self._byte_s = 10 / baud
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._thread = threading.Thread(target=self._carry, name="paced line", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._near.fileno()

    def read(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return self._near.recv(_READ_SIZE)
        return b""

    def write(self, data: bytes) -> None:
        # Full means that somebody writes faster than the line for long: what finds no room is lost, as there.
        with contextlib.suppress(BlockingIOError):
            self._near.send(data)

    def reopen(self) -> None:
        """It is never lost."""

    def close(self) -> None:
        # The thread sees its end of the line, and is done with the other.
        self._near.close()
        self._thread.join()
        self._pty.close()

    def _carry(self) -> None:
        far, terminal = self._far.fileno(), self._pty.fileno()
        other = {far: terminal, terminal: far}
        # Of each direction: slices with the moment their last byte arrives, and the moment the wire is free.
        under_way: dict[int, deque[tuple[float, bytes]]] = {far: deque(), terminal: deque()}
        free_at = dict.fromkeys(other, 0.0)
        size = max(1, int(_SLICE_S / self._byte_s))
        while True:
            first = min((queue[0][0] for queue in under_way.values() if queue), default=None)
            wait = None if first is None else max(0.0, first - time.monotonic())
            ready, _, _ = select.select([far, terminal], [], [], wait)
            now = time.monotonic()
            for end in ready:
                data = os.read(end, _READ_SIZE)
                if not data:
                    self._far.close()
                    return
                for at in range(0, len(data), size):
                    piece = data[at : at + size]
                    free_at[end] = max(free_at[end], now) + len(piece) * self._byte_s
                    under_way[end].append((free_at[end], piece))
            for end, queue in under_way.items():
                while queue and queue[0][0] <= time.monotonic():
                    with contextlib.suppress(BlockingIOError):
                        os.write(other[end], queue.popleft()[1])
