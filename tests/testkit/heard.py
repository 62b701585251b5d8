"""What a part of the Linux port told its owner: calls noted in order, waited for with a limit, never slept for."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from typing import Any

from gagent_linux.log import PortLog, Redactor, open_log

from .patience import PATIENCE_S


def in_loop(scene: Coroutine) -> Any:
    """Run a test's coroutine; a scene that hangs fails."""

    async def limited() -> Any:
        async with asyncio.timeout(PATIENCE_S * 2):
            return await scene

    return asyncio.run(limited())


class Heard:
    """`heard.note("name")` is a callback; `await heard.next()` gives (name, *arguments) of the next call."""

    def __init__(self) -> None:
        self._calls: asyncio.Queue[tuple] = asyncio.Queue()

    def note(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self._calls.put_nowait((name, *arguments))

    async def next(self) -> tuple:
        async with asyncio.timeout(PATIENCE_S):
            return await self._calls.get()

    def nothing_more(self) -> bool:
        return self._calls.empty()


class LogText(io.StringIO):
    """A log to read: `await log.says("words")` waits until a line has them."""

    def __init__(self, verbosity: int = 2) -> None:
        super().__init__()
        self.redactor = Redactor()
        self.logger = open_log(verbosity, self.redactor, self)
        self.port = PortLog(self.logger, "test")

    async def says(self, words: str, times: int = 1) -> None:
        await until(lambda: self.getvalue().count(words) >= times, "the log says %r" % words, self.getvalue)


async def until(condition: Callable[[], bool], what: str, context: Callable[[], str] = str) -> None:
    """Wait for something that nobody announces, looking often."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110  nobody sets an event for this
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError("waited %d s in vain until %s\n%s" % (PATIENCE_S, what, context())) from None
