"""An MCU on a pty that numbers its reports and goes on when one was acked: what it saw acked must arrive.

It behaves as the vendor's generated code does: one report at a time, sent again with the same sn after 200 ms, three
times, then given up. The line stays open when the program at its other end dies.
"""

import contextlib
import os
import select
import threading
import time
import tty
from pathlib import Path

from mcu_proto.const import CMD_GET_INFO, CMD_P0_UP, MCU, ack_of
from mcu_proto.frame import FrameDecoder, encode_frame
from mcu_proto.link import Acked, McuLink, Received, SendSerial
from mcu_proto.mcu_message import build_device_info
from mcu_proto.message import DeviceInfo

PRODUCT_KEY = "6f9c2d5b8e1a4073b7d4e6a1c05f3982"
_INFO = DeviceInfo("00000004", "00000002", "01000001", "01000001", PRODUCT_KEY, 0, 2, None, None)
_ACTION_REPORT = b"\x04"
# As many bytes as the state of a common appliance has.
_PADDING = bytes(20)


class NumberingMcu:
    """`path` is its serial port; `acked` has the number of every report that was acked, `sent` is that of the newest.

    `acks` counts those of a `burst`. It begins to report when `go` is called and ends with `stop`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.acked: list[int] = []
        self.sent = 0
        self.acks = 0
        self._folder = folder
        self._is_reporting = False
        self._is_over = False
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = folder / name
        self.path.symlink_to(os.ttyname(self._slave))
        self._link = McuLink(MCU, hold=(CMD_GET_INFO,), baud=115200)
        self._decoder = FrameDecoder()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def go(self) -> None:
        """Report, one after the other."""
        self._is_reporting = True

    def pause(self) -> None:
        """Begin no new report."""
        self._is_reporting = False

    def burst(self, count: int) -> None:
        """Send `count` reports without waiting for an ack, as fast as the line takes them; blocks until it has."""
        frames = []
        for _ in range(count):
            self.sent += 1
            frames.append(encode_frame(CMD_P0_UP, self.sent & 0xFF, _p0(self.sent)))
        data = b"".join(frames)
        while data:
            select.select([], [self._master], [])
            data = data[os.write(self._master, data) :]

    def stop(self) -> None:
        self._is_over = True
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def is_quiet(self) -> bool:
        return self._link.is_idle()

    def _run(self) -> None:
        while not self._is_over:
            ready, _, _ = select.select([self._master], [], [], 0.005)
            if ready:
                with contextlib.suppress(OSError):
                    data = os.read(self._master, 4096)
                    if not self._is_reporting:
                        self.acks += sum(frame.cmd == ack_of(CMD_P0_UP) for frame in self._decoder.feed(data))
                    self._perform(self._link.receive_bytes(data, _now()))
            self._perform(self._link.handle_timeout(_now()))
            if self._is_reporting and self._link.is_idle():
                self.sent += 1
                self._perform(self._link.request(CMD_P0_UP, _p0(self.sent), _now(), self.sent))

    def _perform(self, items: list) -> None:
        for item in items:
            if isinstance(item, SendSerial):
                with contextlib.suppress(BlockingIOError):  # nobody reads: as on a line that leads nowhere
                    os.write(self._master, item.data)
            elif isinstance(item, Received) and item.frame.cmd == CMD_GET_INFO:
                self._perform(self._link.reply(item.frame, build_device_info(_INFO)))
            elif isinstance(item, Acked):
                self.acked.append(item.token)


def _p0(number: int) -> bytes:
    return _ACTION_REPORT + number.to_bytes(4, "big") + _PADDING


def number_of(payload: bytes | bytearray) -> int:
    """The number of the report in a message to the cloud."""
    return int.from_bytes(payload[-len(_PADDING) - 4 : -len(_PADDING)], "big")


def _now() -> int:
    return int(time.monotonic() * 1000)
