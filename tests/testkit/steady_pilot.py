"""A pilot of a textual app that goes on when the app has nothing more to do, however long that takes.

textual's own waits a fiftieth of a second of the clock: on a busy machine that is over before the app had its turns.
Here turns are counted: everything in the app happens in the loop of the test.
"""

import asyncio
from collections.abc import Callable

from textual.pilot import Pilot

from .patience import PATIENCE_S

# More than a key takes until its window is there, and in all longer than a drawing waits.
_TURNS, _TURN_S = 25, 0.001


class SteadyPilot:
    """`press` and `pause` as the pilot's, and `until`."""

    def __init__(self, pilot: Pilot) -> None:
        self.app = pilot.app
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        """One after the other, each when the one before has done what it does."""
        for key in keys:
            await self._pilot.press(key)
            await self.pause()

    async def pause(self) -> None:
        """Until what was begun is done."""
        for _ in range(_TURNS):
            await asyncio.sleep(_TURN_S)
        await self._pilot.pause()

    async def until(self, holds: Callable[[], object]) -> None:
        """Until what somebody else does, in a thread or a worker, has come about."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await self._pilot.pause(0.05)
