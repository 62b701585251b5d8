"""`select` of a chip that a test controls: the machine's own, with the test listening in.

GAGENT_CONTROL is a TCP port on this machine. Over it the test says, a line each, and is answered by a line each:

    clock MS    time goes on by so much at once; answered when the program has done what was due and polls again
    heap        bytes in use after a collection, and bytes free
"""

import gc
import os
import socket
import sys
import time

import uselect
from uselect import POLLIN, POLLOUT  # noqa: F401

# How long the program must have had nothing to do before time is said to have passed.
_QUIET_MS = const(2)  # noqa: F821  the compiler's word


class poll:
    """As the machine's, but that an event may be the test's word, which is taken here."""

    def __init__(self):
        made = uselect.poll()
        self.register = made.register
        self.unregister = made.unregister
        self.modify = made.modify
        self._poll = made.poll
        self._is_owed = False
        control = self._control = socket.socket()
        control.connect(socket.getaddrinfo("127.0.0.1", int(os.getenv("GAGENT_CONTROL")))[0][-1])
        control.setblocking(False)
        made.register(control, POLLIN)

    def poll(self, timeout):
        if self._is_owed and not self._poll(_QUIET_MS):
            self._is_owed = False
            self._control.write(b"ok\n")
        events = self._poll(timeout)
        # Mostly nothing was said, which is None; b"": the test is over.
        line = self._control.readline()
        if line == b"":
            sys.exit(0)
        if line == b"heap\n":
            gc.collect()
            self._control.write(b"%d %d\n" % (gc.mem_alloc(), gc.mem_free()))
        elif line:
            time.add(int(line.split()[1]))
            self._is_owed = True
        return events


if not os.getenv("GAGENT_CONTROL"):
    poll = uselect.poll
