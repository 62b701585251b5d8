"""`time` of the unix profile: the machine's own, and what a test has added to it (`select` is told how much)."""

import utime
from utime import *

_added = [0]


def add(ms):
    """Time goes on by so much at once."""
    _added[0] += ms


def ticks_ms():
    return utime.ticks_add(utime.ticks_ms(), _added[0])


def time():
    return utime.time() + _added[0] // 1000
