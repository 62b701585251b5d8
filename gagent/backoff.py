"""When to try again: exponential with full jitter, for the HTTP and the MQTT side alike.

Every wait is drawn from 0 to a ceiling that doubles from FIRST to CAP, the first one too: thousands of devices that
lose their broker in the same second must not come back in the same second. The ceiling falls back only after a session
that stayed up: a broker that accepts and kicks at once is treated as one that refuses.
"""

from mcu_proto.const import const

FIRST = const(2000)
CAP = const(120000)
# A session that lasted this long was a real one.
SETTLED = const(60000)


class Backoff:
    def __init__(self, urandom):
        self._urandom = urandom
        self._ceiling = FIRST
        self._up_since = None

    def connected(self, now):
        """A session begins."""
        self._up_since = now

    def delay(self, now) -> int:
        """Milliseconds to wait after a failure or the end of a session."""
        if self._up_since is not None and now - self._up_since >= SETTLED:
            self._ceiling = FIRST
        self._up_since = None
        wait = int.from_bytes(self._urandom(3), "big") % (self._ceiling + 1)
        self._ceiling = min(self._ceiling * 2, CAP)
        return wait
