"""One thread that does the outbox's disk work, so that a slow disk keeps neither this port nor the others waiting.

Jobs are done one after the other, in order; each is answered in the event loop. The thread begins with the first job.
"""

import asyncio
import queue
import threading
from collections.abc import Callable

from .outbox_file import OutboxError

# The process must be gone five seconds after it was asked to stop.
_STOP_S = 3


class OutboxWriter:
    """`write(job, on_done)`: `on_done(None)` when `job()` is done, `on_done(error)` when it raised OutboxError."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable, Callable] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def write(self, job: Callable[[], None], on_done: Callable[[OutboxError | None], None]) -> None:
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)
            self._thread.start()
        self._jobs.put((job, on_done))

    def close(self) -> bool:
        """Do what was asked for and end; False when the disk took too long."""
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        self._jobs.put(None)
        thread.join(_STOP_S)
        return not thread.is_alive()

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, on_done = item
            error = None
            try:
                job()
            except OutboxError as raised:
                error = raised
            try:
                assert self._loop is not None
                self._loop.call_soon_threadsafe(on_done, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                pass
