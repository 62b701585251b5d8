"""`select` of the unix profile: the machine's own, with a test listening in. For tests only.

GAGENT_CONTROL is a TCP port on this machine. Over it a test says, a line each, and is answered by a line each:

    clock MS    time goes on by so much at once; answered when the program has done what was due and polls again
    heap        bytes in use after a collection, and bytes free
"""

import gc
import os
import socket
import sys
import time

import uselect
from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT  # noqa: F401

# How long the program must have had nothing to do before time is said to have passed.
_QUIET_MS = 2


class poll:
    """As the machine's: what is given back are (object, event) pairs."""

    def __init__(self):
        self._poll = uselect.poll()
        self._terminals = []
        self._control = _control()
        self._owed = False
        if self._control is not None:
            self._poll.register(self._control, POLLIN)

    def register(self, item, events=POLLIN | POLLOUT):
        self._poll.register(item, events)
        if hasattr(item, "holds_bytes") and item not in self._terminals:
            self._terminals.append(item)

    def unregister(self, item):
        self._poll.unregister(item)
        if item in self._terminals:
            self._terminals.remove(item)

    def modify(self, item, events):
        self._poll.modify(item, events)

    def poll(self, timeout=-1):
        for item in self._terminals:
            if item.holds_bytes():
                return [(item, POLLIN)]
        if self._owed:
            events = self._poll.poll(_QUIET_MS)
            if any(item is not self._control for item, event in events):
                return self._heeded(events)
            self._owed = False
            self._control.write(b"ok\n")
        return self._heeded(self._poll.poll(timeout))

    ipoll = poll

    def _heeded(self, events):
        """Without what the test said, which is done."""
        found = []
        for item, event in events:
            if item is self._control:
                self._obey()
            else:
                found.append((item, event))
        return found

    def _obey(self):
        line = self._control.readline()
        if not line:
            sys.exit(0)  # the test is over
        words = line.split()
        if words[0] == b"clock":
            time.add(int(words[1]))
            self._owed = True
        elif words[0] == b"heap":
            gc.collect()
            self._control.write(b"%d %d\n" % (gc.mem_alloc(), gc.mem_free()))


def terminal_poll(file):
    """The machine's own, for one file."""
    found = uselect.poll()
    found.register(file, POLLIN)
    return found


def _control():
    port = os.getenv("GAGENT_CONTROL")
    if not port:
        return None
    control = socket.socket()
    control.connect(socket.getaddrinfo("127.0.0.1", int(port))[0][-1])
    return control
