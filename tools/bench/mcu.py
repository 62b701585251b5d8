"""The MCU end of a serial line, as thin as it can be: a pseudo-terminal, frames, and the answers a module waits for.

The simulator of `mcu_debugger` would do; here every step between the wire and the clock counts, so frames are written
and read directly, and the time is taken before they are understood. Serial manual, chapters 1, 3 and 4.
"""

import os
import select
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from errors import BenchError

from mcu_proto.const import (
    CMD_GET_INFO,
    CMD_HEARTBEAT,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    STATUS_CLOUD,
)
from mcu_proto.frame import BadFrame, Frame, FrameDecoder, encode_frame
from mcu_proto.mcu_message import build_device_info, parse_module_status
from mcu_proto.message import DeviceInfo

# Whatever is measured here takes milliseconds; a start of eight ports on a busy small board takes seconds.
PATIENCE_S = 30
_READ_SIZE = 4096
_FOREVER_BINDABLE = 0


class Mcu:
    """`path` is its serial port, `heard_at` when it last read (ns), `online` what the module's status word says.

    `online_at`: when the word first said so after it said otherwise.
    """

    def __init__(self, product_key: str) -> None:
        info = DeviceInfo(
            "00000004", "00000004", "01000001", "01000001", product_key, _FOREVER_BINDABLE, None, None, None
        )
        self._answers = {
            CMD_GET_INFO: build_device_info(info),
            CMD_MODULE_STATUS: b"",
            CMD_HEARTBEAT: b"",
            CMD_P0_DOWN: b"",
        }
        self._decoder = FrameDecoder()
        self._master = self._slave = -1
        self._unsent = b""
        self.path = ""
        self.heard_at = 0
        self.first_heard_at = 0
        self.online = False
        self.online_at = 0

    def open(self) -> None:
        self._master, self._slave = os.openpty()
        # The slave stays open here too: the line does not vanish between two agents.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)

    def close(self) -> None:
        os.close(self._slave)
        os.close(self._master)

    def fileno(self) -> int:
        return self._master

    def report(self, p0: bytes, sn: int) -> int:
        """Write one report; the time just before, in ns."""
        data = encode_frame(CMD_P0_UP, sn, p0)
        began = time.perf_counter_ns()
        self._write(data)
        return began

    def report_all(self, p0s: Sequence[bytes], first_sn: int) -> None:
        """Write reports in one piece, without waiting for acks; what the line does not take waits for `flush`."""
        self._write(b"".join(encode_frame(CMD_P0_UP, first_sn + i & 0xFF, p0) for i, p0 in enumerate(p0s)))

    def is_held(self) -> bool:
        """Whether the line did not take all that was written: the agent holds it."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Write on, as far as the line takes it."""
        with suppress(BlockingIOError):
            self._unsent = self._unsent[os.write(self._master, self._unsent) :]

    def take(self) -> list[Frame]:
        """The frames of one read; blocks until there is something to read. Requests among them are answered."""
        data = os.read(self._master, _READ_SIZE)
        self.heard_at = time.perf_counter_ns()
        self.first_heard_at = self.first_heard_at or self.heard_at
        frames = self._decoder.feed(data)
        for frame in frames:
            if isinstance(frame, BadFrame):
                raise BenchError("the agent wrote a bad frame: %s" % data.hex(" "))
            if frame.cmd == CMD_MODULE_STATUS:
                self._note_status(frame.payload)
            if frame.cmd in self._answers:
                self._write(encode_frame(frame.cmd + 1, frame.sn, self._answers[frame.cmd]))
        return frames

    def wait_for(self, cmd: int, ending: bytes = b"") -> Frame:
        """The next frame of that command whose payload ends so; `heard_at` is the time of its last byte.

        Only the ending tells a control from the one before, sent again because this side stood still for a while.
        """
        while select.select([self._master], (), (), PATIENCE_S)[0]:
            for frame in self.take():
                if frame.cmd == cmd and frame.payload.endswith(ending):
                    return frame
        raise BenchError("the agent did not write a frame %02x within %d s" % (cmd, PATIENCE_S))

    def _note_status(self, payload: bytes) -> None:
        was_online, self.online = self.online, bool(parse_module_status(payload) & STATUS_CLOUD)
        if self.online and not was_online:
            self.online_at = self.heard_at

    def _write(self, data: bytes) -> None:
        # Never in the middle of another frame.
        self._unsent += data
        self.flush()


def serve(mcus: Sequence[Mcu], is_done: Callable[[], bool], patience_s: float) -> bool:
    """Read and answer for all of them until `is_done()`; False when it was not within that time."""
    deadline = time.monotonic() + patience_s
    while not is_done():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        for mcu in select.select(mcus, (), (), left)[0]:
            mcu.take()
    return True


@contextmanager
def mcus_on_ptys(product_key: str, count: int) -> Iterator[list[Mcu]]:
    """That many, powered on."""
    with ExitStack() as stack:
        mcus = [Mcu(product_key) for _ in range(count)]
        for mcu in mcus:
            mcu.open()
            stack.callback(mcu.close)
        yield mcus
