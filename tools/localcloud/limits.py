"""How often: a bucket of tokens per key, so that a burst is let through and a flood is not. Answered with 9041.

The buckets are in memory and of this worker alone: with several workers the limits are as many times as high. Their
number is bounded; when there are too many, those that are full again go, then the oldest.
"""

import time

from .errors import REQUEST_THROTTLED, ApiError

MAX_KEYS = 10000
# Passwords and codes tried in vain, per account and address, and per address: a person mistypes some, a program all.
GUESSES = (10, 6)
GUESSES_OF_ADDRESS = (60, 30)
# SMS and mails to one phone or address, and on behalf of one caller: each costs money, or the patience of a stranger.
NOTICES = (3, 1)
NOTICES_OF_ADDRESS = (30, 10)


class Limit:
    """`burst` at once for each key, and `per_minute` from then on."""

    def __init__(self, burst: int, per_minute: float, max_keys: int = MAX_KEYS) -> None:
        self._burst = burst
        self._per_second = per_minute / 60
        self._max_keys = max_keys
        # key -> (what is left, at that time)
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now: float | None = None) -> bool:
        """Whether there was one left for that key; then there is one less."""
        now = time.monotonic() if now is None else now
        left = self._now_left(key, now)
        if left < 1:
            return False
        if key not in self._left and len(self._left) >= self._max_keys:
            self._make_room(now)
        self._left[key] = (left - 1, now)
        return True

    def give_back(self, key: str, now: float | None = None) -> None:
        """The last one taken does not count: the password was right."""
        now = time.monotonic() if now is None else now
        if key in self._left:
            self._left[key] = (min(self._burst, self._now_left(key, now) + 1), now)

    def _now_left(self, key: str, now: float) -> float:
        left, since = self._left.get(key, (float(self._burst), now))
        return min(self._burst, left + (now - since) * self._per_second)

    def _make_room(self, now: float) -> None:
        keep = {key: self._left[key] for key in self._left if self._now_left(key, now) < self._burst}
        # A tenth at a time, or a flood of new keys would come here for each of them.
        surplus = len(keep) - self._max_keys * 9 // 10
        self._left = dict(list(keep.items())[max(0, surplus) :])


class Limits:
    """All limits of a cloud; `requests_per_minute` of one address, 0 for no limit."""

    def __init__(self, requests_per_minute: int) -> None:
        self._requests = Limit(max(1, requests_per_minute // 4), requests_per_minute) if requests_per_minute else None
        self._guesses = Limit(*GUESSES)
        self._guesses_of_address = Limit(*GUESSES_OF_ADDRESS)
        self._notices = Limit(*NOTICES)
        self._notices_of_address = Limit(*NOTICES_OF_ADDRESS)

    def request(self, ip: str) -> None:
        """One more request from that address; ApiError when it is one too many."""
        if self._requests is not None and not self._requests.take(ip):
            raise ApiError(REQUEST_THROTTLED, "too many requests from this address: wait some seconds")

    def guess(self, subject: str, ip: str) -> None:
        """One more try at a password or code; ApiError when it is one too many."""
        if not self._guesses_of_address.take(ip) or not self._guesses.take("%s %s" % (ip, subject)):
            raise ApiError(REQUEST_THROTTLED, "too many wrong tries: wait a minute")

    def right(self, subject: str, ip: str) -> None:
        """That try was right and does not count."""
        self._guesses_of_address.give_back(ip)
        self._guesses.give_back("%s %s" % (ip, subject))

    def notice(self, address: str, ip: str) -> None:
        """One more SMS or mail; ApiError when it is one too many."""
        if not self._notices_of_address.take(ip) or not self._notices.take(address):
            raise ApiError(REQUEST_THROTTLED, "too many codes were asked for: wait a minute")
