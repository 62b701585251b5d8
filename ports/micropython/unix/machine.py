"""`machine` of the unix profile: a UART over a pseudo-terminal, pins, a reset. For tests only.

What a board's firmware has built in costs its heap nothing; here it does, so there is no more of it than the port asks
for, and what it seldom asks for is in `peripherals`. Settings come from the environment: GAGENT_UART is the path of the
terminal, GAGENT_PIN_<n> the level of a pin.
"""

import io
import os
import sys
import termios

# Of a terminal's attributes: where its control characters are, and of those the least to wait for and how long.
_CC = const(6)  # noqa: F821  the compiler's word
_VTIME = const(5)  # noqa: F821
_VMIN = const(6)  # noqa: F821


class UART(io.IOBase):
    """The module's end of the line; speed and pins are taken and ignored, as a pseudo-terminal does."""

    def __init__(self, *arguments, rxbuf=256, **options):
        file = self._file = open(os.getenv("GAGENT_UART"), "r+b", 0)
        termios.setraw(file.fileno())
        attributes = termios.tcgetattr(file.fileno())
        # Otherwise a read waits for a byte for ever.
        attributes[_CC][_VMIN] = attributes[_CC][_VTIME] = 0
        termios.tcsetattr(file.fileno(), termios.TCSANOW, attributes)
        self.write = file.write
        # In the heap of a chip too.
        self._buffer = memoryview(bytearray(rxbuf))
        self._waiting = 0

    def any(self):
        """Bytes that wait to be read. A poll tells no more of these: who asked takes them all."""
        self._waiting = self._waiting or self._file.readinto(self._buffer, 256)
        return self._waiting

    def readinto(self, buffer, size):
        buffer[:size] = self._buffer[:size]
        self._waiting = 0
        return size

    def ioctl(self, request, argument):
        """All that a poll asks for: the descriptor."""
        return self._file.fileno()


class Pin:
    IN = OUT = PULL_UP = 1

    def __init__(self, number, *mode):
        self._number = number

    def value(self, level=None):
        return int(os.getenv("GAGENT_PIN_%s" % self._number) or "1")


def reset():
    # Seen by what started this process: start it again.
    sys.exit(75)


def __getattr__(name):
    import peripherals

    return getattr(peripherals, name)
