"""A serial line without a line: two sans-I/O ends joined in process, on a clock that the test moves.

An end has receive(data, now), handle_timeout(now) -> list and next_timeout() -> int | None; what it returns may hold
`SendSerial`, which the modem carries to the other end, and anything else, which it keeps in `heard`. `carry` is what
the line does to the bytes of one write: it returns the reads that arrive (see the functions below).
"""

import heapq
from itertools import count

from mcu_proto.link import McuLink, SendSerial

# A line of a few centimetres and a driver: bytes arrive in the next millisecond.
LATENCY = 1


def unharmed(data, rng):
    return [data]


def byte_at_a_time(data, rng):
    return [data[i : i + 1] for i in range(len(data))]


def losing(data, rng):
    """Every fourth write is lost."""
    return [] if rng.random() < 0.25 else [data]


def corrupting(data, rng):
    """One bit of every fourth write is flipped."""
    if rng.random() < 0.25:
        at = rng.randrange(len(data))
        data = data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
    return [data]


def duplicating(data, rng):
    """Every fourth write arrives twice."""
    return [data, data] if rng.random() < 0.25 else [data]


def noisy(data, rng):
    """Noise before and after, stray ff included."""
    return [rng.randbytes(rng.randrange(4)), data, b"\xff" * rng.randrange(3)]


LINES = (unharmed, byte_at_a_time, losing, corrupting, duplicating, noisy)


class LinkEnd:
    """A bare `McuLink` as an end: requests of the peer that are held are answered by `answer(frame)`."""

    def __init__(self, link: McuLink, answer=None):
        self.link = link
        self._answer = answer

    def receive(self, data, now):
        out = []
        for item in self.link.receive_bytes(data, now):
            out.append(item)
            if self._answer is not None and hasattr(item, "frame") and not hasattr(item, "token"):
                payload = self._answer(item.frame)
                if payload is not None:
                    out.extend(self.link.reply(item.frame, payload))
        return out

    def handle_timeout(self, now):
        return self.link.handle_timeout(now)

    def next_timeout(self):
        return self.link.next_timeout()


class NullModem:
    """`heard` maps each end to what it reported, in order."""

    def __init__(self, left, right, rng=None, carry=unharmed):
        self.now = 0
        self.heard = {left: [], right: []}
        self._other = {left: right, right: left}
        self._rng = rng
        self._carry = carry
        self._on_the_way = []
        self._order = count()

    def perform(self, end, outputs):
        """Take what `end` returned."""
        for output in outputs:
            if not isinstance(output, SendSerial):
                self.heard[end].append(output)
                continue
            for read in self._carry(output.data, self._rng):
                if read:
                    heapq.heappush(
                        self._on_the_way, (self.now + LATENCY, next(self._order), self._other[end], bytes(read))
                    )

    def run(self, until):
        """Move the clock to `until`, delivering and timing out on the way."""
        while True:
            timeouts = [(at, end) for end in self._other if (at := end.next_timeout()) is not None]
            moments = [at for at, _ in timeouts] + [item[0] for item in self._on_the_way[:1]]
            if not moments or min(moments) > until:
                self.now = until
                return
            self.now = max(self.now, min(moments))
            if self._on_the_way and self._on_the_way[0][0] <= self.now:
                _, _, end, read = heapq.heappop(self._on_the_way)
                self.perform(end, end.receive(read, self.now))
                continue
            for at, end in timeouts:
                if at <= self.now:
                    self.perform(end, end.handle_timeout(self.now))
