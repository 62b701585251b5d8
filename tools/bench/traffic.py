"""Reports and controls that are not waited for one by one: what has come, at both ends, of many lines."""

import select
import time
from collections.abc import Callable, Sequence

from client import Client
from mcu import Mcu

from mcu_proto.const import CMD_P0_DOWN, CMD_P0_UP, ack_of

# Nothing at all for so long: what has not come by then does not come.
_QUIET_S = 30


class Traffic:
    """`arrived`: payloads at the app; `taken`: those of controls at the MCUs; `acked_at`: when each ack came (s)."""

    def __init__(self, mcus: Sequence[Mcu], app: Client) -> None:
        self.arrived: set[bytes] = set()
        self.taken: set[bytes] = set()
        self.acked_at: list[float] = []
        self._mcus = mcus
        self._app = app

    def forget(self) -> None:
        """Begin anew."""
        self.arrived.clear()
        self.taken.clear()
        self.acked_at.clear()

    def turn(self, wait_s: float) -> bool:
        """Carry what is ready, waiting at most that long for it; whether anything was."""
        held = [mcu for mcu in self._mcus if mcu.is_held()]
        ends: list[Mcu | Client] = [*self._mcus, self._app]
        readable, writable, _ = select.select(ends, held, (), max(0.0, wait_s))
        for mcu in writable:
            mcu.flush()
        for end in readable:
            if isinstance(end, Client):
                self.arrived.update(end.take())
            else:
                self._hear(end)
        return bool(readable or writable)

    def carry_until(self, is_done: Callable[[], bool]) -> None:
        """Carry until `is_done()`, or until nothing comes any more."""
        while not is_done() and self.turn(_QUIET_S):
            pass

    def _hear(self, mcu: Mcu) -> None:
        frames = mcu.take()
        now = time.monotonic()
        for frame in frames:
            if frame.cmd == ack_of(CMD_P0_UP):
                self.acked_at.append(now)
            elif frame.cmd == CMD_P0_DOWN:
                self.taken.add(frame.payload)
