"""The UART of the MCU: 8N1, with a receive buffer that outlasts the longest step of the loop.

On an ESP8266 it is UART0, which the REPL holds: it is taken away from there. With tx = 15 and rx = 13 the chip's other
pair of pins is used, where the boot messages do not go.
"""

import os
import select
import time

from machine import UART, Pin

from mcu_proto.const import const

# A byte wakes us a millisecond after the one before it; this long is waited for its followers, which costs an MCU
# nothing and saves nine wakings of ten.
_GATHER = const(10)


class SerialPort:
    """`feed(agent.receive_serial, memoryview)` gets what comes; it is not to be kept. Bytes wake: nothing is due."""

    def __init__(self, poll, settings, buf):
        s = settings
        self._buf = buf
        if s.uart == 0 and hasattr(os, "dupterm"):
            os.dupterm(None, 1)
        pins = {"tx": Pin(s.tx), "rx": Pin(s.rx)} if s.tx >= 0 and s.rx >= 0 else {}
        self._uart = UART(s.uart, s.baud, rxbuf=s.rxbuf, timeout=0, **pins)
        self.write = self._uart.write
        poll.register(self._uart, select.POLLIN)

    def join(self, feed, agent):
        """Who gets what comes: not known yet when the buffers want their place."""
        self._feed = feed
        self._agent = agent

    def turn(self, now):
        """Hand over what came."""
        if not self._uart.any():
            return
        time.sleep_ms(_GATHER)
        n = self._uart.readinto(self._buf, min(self._uart.any(), len(self._buf)))
        if n:
            self._feed(self._agent.receive_serial, self._buf[:n])
