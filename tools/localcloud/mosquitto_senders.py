"""Who sent a message to a topic that does not name the sender: `cli2ser_req`. Cloud manual, device side, 4.3.

mosquitto tells the receiver nothing about the sender, but writes a line to its log for every PUBLISH, before it hands
the message on. It works in one thread, so the n-th line belongs to the n-th message; the two come here on two ways.
A line and a message that do not fit (another topic or size), or of which one does not come, are dropped: the commands
of this topic are sent again or do no harm when they are lost, and a reset must never hit another device.
"""

import asyncio
import time
from collections import deque
from typing import NamedTuple

# Between line and message there are milliseconds.
PATIENCE_S = 5.0
MAX_WAITING = 1000


class _Line(NamedTuple):
    client: str
    topic: str
    size: int
    at: float


class Senders:
    def __init__(self) -> None:
        self._lines: deque[_Line] = deque(maxlen=MAX_WAITING)
        self._waiting: deque[tuple[str, int, asyncio.Future[str]]] = deque(maxlen=MAX_WAITING)

    def saw(self, client: str, topic: str, size: int) -> None:
        """A line of the log."""
        self._lines.append(_Line(client, topic, size, time.monotonic()))
        self._match()

    async def sender(self, topic: str, size: int) -> str:
        """Who sent the next message; "" when that is not known."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((topic, size, future))
        self._match()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await future
        except TimeoutError:
            return ""

    def _match(self) -> None:
        while self._lines and time.monotonic() - self._lines[0].at > PATIENCE_S:
            self._lines.popleft()
        while self._waiting and self._waiting[0][2].done():
            self._waiting.popleft()
        while self._lines and self._waiting:
            line, (topic, size, future) = self._lines.popleft(), self._waiting.popleft()
            if (line.topic, line.size) != (topic, size):
                # One of the two is missing: everything that waits may be off by one.
                future.set_result("")
                self._forget()
            elif not future.done():
                future.set_result(line.client)

    def _forget(self) -> None:
        self._lines.clear()
        for _, _, future in self._waiting:
            if not future.done():
                future.set_result("")
        self._waiting.clear()
