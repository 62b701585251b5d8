"""`machine` of the unix profile: a UART over a pseudo-terminal, pins, a watchdog that never bites. For tests only.

Settings come from the environment: GAGENT_UART is the path of the terminal, GAGENT_PIN_<n> the level of an input pin.
"""

import io
import os
import select
import sys
import termios

# Seen by what started this process: start it again.
RESET_EXIT = 75

PWRON_RESET = 0
HARD_RESET = 6
WDT_RESET = 1
SOFT_RESET = 4
DEEPSLEEP_RESET = 5

_RX_BYTES = 256
# Of a terminal's attributes: where its control characters are, and of those the least to wait for and how long.
_CC = 6
_VTIME = 5
_VMIN = 6
_ASK_FD = 10


class UART(io.IOBase):
    """The module's end of the line; speed and pins are taken and ignored, as a pseudo-terminal does."""

    def __init__(self, number, baudrate=9600, *arguments, **options):
        path = os.getenv("GAGENT_UART")
        if not path:
            raise ValueError("GAGENT_UART names no terminal")
        self._file = open(path, "r+b", 0)
        descriptor = self._file.fileno()
        termios.setraw(descriptor)
        attributes = termios.tcgetattr(descriptor)
        # Otherwise a read waits for a byte for ever.
        attributes[_CC][_VMIN] = 0
        attributes[_CC][_VTIME] = 0
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
        self._poll = select.terminal_poll(self._file)
        self._waiting = b""

    def init(self, baudrate=9600, *arguments, **options):
        pass

    def deinit(self):
        self._file.close()

    def any(self):
        """Bytes that wait to be read."""
        if not self._waiting and self._poll.poll(0):
            self._waiting = self._file.read(_RX_BYTES) or b""
        return len(self._waiting)

    def read(self, size=-1):
        if not self.any():
            return None
        data = self._waiting if size < 0 else self._waiting[:size]
        self._waiting = self._waiting[len(data) :]
        return data

    def readinto(self, buffer, size=-1):
        data = self.read(len(buffer) if size < 0 else size)
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def write(self, data):
        return self._file.write(data)

    def flush(self):
        pass

    def txdone(self):
        return True

    def ioctl(self, request, argument):
        return self._file.fileno() if request == _ASK_FD else -1

    def holds_bytes(self):
        """True while bytes were taken from the terminal that nobody has read: the terminal no longer tells of them."""
        return bool(self._waiting)


class Pin:
    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1
    PULL_DOWN = 2

    def __init__(self, number, mode=-1, pull=-1, value=None, **options):
        self._level = int(os.getenv("GAGENT_PIN_%s" % number) or "1") if value is None else value

    def init(self, *arguments, **options):
        pass

    def value(self, level=None):
        if level is None:
            return self._level
        self._level = level
        return None

    __call__ = value

    def on(self):
        self._level = 1

    def off(self):
        self._level = 0


class WDT:
    def __init__(self, id=0, timeout=5000):
        pass

    def feed(self):
        pass


class RTC:
    def datetime(self, when=None):
        return when or (2026, 1, 1, 4, 0, 0, 0, 0)


def reset():
    sys.exit(RESET_EXIT)


soft_reset = reset


def reset_cause():
    return PWRON_RESET


def unique_id():
    return b"\xaa\x55\x00\x01"


def freq(hertz=None):
    return 80000000


def idle():
    pass
