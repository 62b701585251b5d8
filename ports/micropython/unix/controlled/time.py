"""`time` of a chip that a test controls: the machine's own, and what the test has added to it (by way of `select`)."""

import utime

_added = [0]


def add(ms):
    """Time goes on by so much at once."""
    _added[0] += ms


def ticks_ms():
    return utime.ticks_add(utime.ticks_ms(), _added[0])


def time():
    return utime.time() + _added[0] // 1000


def __getattr__(name):
    return getattr(utime, name)
