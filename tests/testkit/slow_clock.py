"""`mcu-debugger` by a clock that runs slow: where a machine stands still for a second or two, no ack comes too late."""

import sys
import time

# So many seconds are one of ours. A request is given up after five seconds then; an MCU restarts in as many.
SLOWER = 8

_RUN = (
    """
import functools
import sys
import time


def slow(read):
    now = read()
    return type(now)(now / %d)


# The one by which the command has its deadlines.
name = "monotonic" if sys.argv[1] == "check" else "monotonic_ns"
# No function: pyserial has it as a class's attribute, which would become a method.
setattr(time, name, functools.partial(slow, getattr(time, name)))
from mcu_debugger.__main__ import main

sys.exit(main(sys.argv[1:]))
"""
    % SLOWER
)


def slow_command(*args: object) -> list[str]:
    """As `python -m mcu_debugger args`."""
    return [sys.executable, "-c", _RUN, *map(str, args)]


def slow_ms() -> int:
    """Milliseconds of such a clock, for who is at the other end of the line."""
    return int(time.monotonic() * 1000 / SLOWER)
