"""What a fleet does when its broker goes away: the agents' own cloud sessions on a clock that is moved, no sockets.

    python tests/soak/fleet.py                      10,000 agents; a second or two for each row
    python tests/soak/fleet.py --agents 100000 --seed 7

All agents are told of the loss in the same millisecond, a connection that cannot be made fails at once, and the HTTP
API answers throughout: the worst case for a broker that comes back. Exit code 1 when an aim is missed.
"""

import argparse
import heapq
import random
import statistics
import sys
from collections import namedtuple
from collections.abc import Callable

from gagent.cloud import CloudSession
from gagent.config import AgentConfig
from gagent.effects import NOTICE_RETRY, HttpRequest, MqttConnect, Notice

MINUTE = 60_000

# When all lose the broker; before that each had a session for one to ten minutes.
_LOST = 20 * MINUTE
# The network's share of each step.
_REFUSED_AFTER = 20
_LOGGED_IN_AFTER = 150
_KICKED_AFTER = 20
_ANSWERED_AFTER = 60

_PROVISIONED = b"host=m2m.example&port=1883&server_ts=1795289071&"

# `wait`: drawn after a failure or loss at `at`; `settled`: how long the session before it was up, None without one.
Wait = namedtuple("Wait", "at wait up")


class Broker:
    """Away for `away` from the loss on; then it accepts `logins_per_s` and kicks the rest right after their login."""

    def __init__(self, away: int, logins_per_s: "int | None" = None) -> None:
        self.back_at = _LOST + away
        self._logins_per_s = logins_per_s
        self._second = -1
        self._logins = 0

    def is_away(self, now: int) -> bool:
        return _LOST <= now < self.back_at

    def keeps(self, now: int) -> bool:
        """A login at `now` stays."""
        if self._logins_per_s is None or now < self.back_at:
            return True
        if now // 1000 != self._second:
            self._second, self._logins = now // 1000, 0
        self._logins += 1
        return self._logins <= self._logins_per_s


class Module:
    """One agent's cloud session. `tries` and `waits` tell when it knocked and how long it was to wait."""

    def __init__(self, number: int, urandom: Callable[[int], bytes]) -> None:
        record = {"mac": "%012x" % number, "product_key": "0" * 32, "did": "%022d" % number, "passcode": "ABCDEFGHIJ"}
        self.session = CloudSession(AgentConfig(record, "http://api.example"), urandom)
        self.tries: list[int] = []
        self.waits: list[Wait] = []
        self.up_since: int | None = None
        self.armed_for: int | None = None


class Fleet:
    """`size` modules that lose `broker` together; `run` plays until everyone is back or `limit` has passed."""

    def __init__(self, size: int, broker: Broker, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._broker = broker
        self._events: list[tuple[int, int, Callable[..., None], tuple]] = []
        self._count = 0
        self._back = 0
        self.modules = [Module(n, self._random.randbytes) for n in range(size)]

    def run(self, limit: int = 60 * MINUTE) -> "Fleet":
        for module in self.modules:
            self._at(_LOST - self._random.randint(MINUTE, 10 * MINUTE), self._start, module)
            self._at(_LOST, self._lose, module)
        # To the end of what is under way: a session that was kicked counts as lost.
        while self._events and self._events[0][0] < self._broker.back_at + limit:
            now, _, happen, arguments = heapq.heappop(self._events)
            if now > self._broker.back_at and self._back == len(self.modules):
                break
            happen(now, *arguments)
        return self

    def back_after(self) -> list[int]:
        """For each module that is back: how long after the broker's return, in order."""
        back_at = self._broker.back_at
        return sorted(m.up_since - back_at for m in self.modules if m.up_since is not None)

    def peak(self) -> int:
        """The most tries within one second after the broker's return."""
        tries = sorted(at for m in self.modules for at in m.tries if at >= self._broker.back_at)
        first = most = 0
        for last, at in enumerate(tries):
            while at - tries[first] >= 1000:
                first += 1
            most = max(most, last - first + 1)
        return most

    # What happens.

    def _start(self, now: int, module: Module) -> None:
        self._perform(now, module, module.session.start(("", ""), now))

    def _lose(self, now: int, module: Module) -> None:
        self._end(now, module)

    def _time_is_up(self, now: int, module: Module) -> None:
        if module.armed_for == now:
            module.armed_for = None
            self._perform(now, module, module.session.handle_timeout(now))

    def _answer(self, now: int, module: Module, request: HttpRequest) -> None:
        status, body = (200, _PROVISIONED) if request.method == "GET" else (404, b"")
        self._perform(now, module, module.session.http_response(request.ref, status, body, now))

    def _knock(self, now: int, module: Module) -> None:
        if self._broker.is_away(now):
            self._end(now, module)
            return
        module.up_since = now
        self._perform(now, module, module.session.mqtt_connected(now))
        if self._broker.keeps(now):
            self._back += now >= self._broker.back_at
        else:
            self._at(now + _KICKED_AFTER, self._end, module)

    def _end(self, now: int, module: Module) -> None:
        up = None if module.up_since is None else now - module.up_since
        module.up_since = None
        effects = module.session.mqtt_lost(0, now)
        for effect in effects:
            if isinstance(effect, Notice) and effect.code == NOTICE_RETRY:
                module.waits.append(Wait(now, effect.detail, up))
        self._perform(now, module, effects)

    # How it comes to happen.

    def _perform(self, now: int, module: Module, effects: list) -> None:
        for effect in effects:
            if isinstance(effect, HttpRequest):
                self._at(now + _ANSWERED_AFTER, self._answer, module, effect)
            elif isinstance(effect, MqttConnect):
                module.tries.append(now)
                after = _REFUSED_AFTER if self._broker.is_away(now) else _LOGGED_IN_AFTER
                self._at(now + after, self._knock, module)
        due = module.session.next_timeout()
        if due is not None and due != module.armed_for:
            module.armed_for = due
            self._at(due, self._time_is_up, module)

    def _at(self, at: int, happen: Callable[..., None], *arguments: object) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, happen, arguments))


# name, away, logins a second, aims: peak in percent of the fleet a second, 99 % back within so many seconds, median.
_SCENES = (
    ("away 5 min", 5 * MINUTE, None, (2.0, 120.0, None)),
    ("away 3 s", 3000, None, (None, None, 2.0)),
    ("away 5 min, 200 logins/s", 5 * MINUTE, 200, (None, None, None)),
    ("away 3 s, 200 logins/s", 3000, 200, (None, None, None)),
)


def main() -> int:
    """Play every scene; 1 when an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=10_000, metavar="N", help="size of the fleet (default 10000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the random numbers (default 1)")
    arguments = parser.parse_args()
    print("%d agents lose their broker in the same moment; after its return:" % arguments.agents)
    print("%-26s %14s %12s %12s %12s" % ("", "peak tries/s", "half back", "99 % back", "all back"))
    missed = 0
    for name, away, logins_per_s, aims in _SCENES:
        fleet = Fleet(arguments.agents, Broker(away, logins_per_s), arguments.seed).run()
        back = [ms / 1000 for ms in fleet.back_after()]
        peak = 100 * fleet.peak() / arguments.agents
        half, most = statistics.median(back), back[len(back) * 99 // 100]
        print("%-26s %8.2f %% %10.1f s %10.1f s %10.1f s" % (name, peak, half, most, back[-1]))
        for value, aim in zip((peak, most, half), aims, strict=True):
            missed += aim is not None and value > aim
    print("aims: away 5 min: peak at most 2 %/s, 99 % back within 120 s; away 3 s: half back within 2 s")
    print("missed: %d" % missed, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
