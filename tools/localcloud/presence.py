"""Who is online, since when, and whether it listens yet. Cloud manual, device side, 4.2 and 4.8.

    connected ──► online ──subscribed──► listening ──► disconnected
        ▲            └── the same did again: dev_re_online, the older session ends without a word ──┘

The broker calls the `device_…` methods in the event loop. Nothing is online when the cloud starts; sessions that a
crash cut off are closed in the records then.
"""

import asyncio
import logging
import time

from sqlalchemy.exc import SQLAlchemyError

from .accounts import Accounts
from .errors import DEVICE_OFFLINE, REQUEST_THROTTLED, ApiError
from .store.history import OFFLINE, ONLINE, RE_ONLINE, History, Presence

# Seconds. A device that has logged in and not subscribed by then will not hear a command either.
SUBSCRIBE_TIMEOUT = 5.0
# Reference modules parse one packet per read: what comes right behind another one is lost.
SETTLE_TIME = 0.2
PACKET_GAP = 0.05
# A command that would wait longer than this is refused: whoever sends so many has a loop somewhere.
MAX_WAIT = 5.0

log = logging.getLogger("localcloud")


class Session:
    """One login. `listening` is set when the device has subscribed to its commands, and when the session ends."""

    def __init__(self, ip: str) -> None:
        self.ip = ip
        self.since = time.monotonic()
        self.listening = asyncio.Event()
        self.free_at = 0.0


class Sessions:
    """The broker's listener: keeps the sessions, writes the records, spaces out what is sent to a device."""

    def __init__(
        self,
        history: History,
        accounts: Accounts,
        subscribe_timeout: float = SUBSCRIBE_TIMEOUT,
        max_wait: float = MAX_WAIT,
    ) -> None:
        self._history = history
        self._accounts = accounts
        self._subscribe_timeout = subscribe_timeout
        self._max_wait = max_wait
        self._sessions: dict[str, Session] = {}

    def start(self) -> None:
        """Everything is offline: closes what the records still show as online."""
        for last in self._history.left_online():
            self._record(Presence(last.did, time.time(), OFFLINE, last.ip, reason="offline_exception"))

    def is_online(self, did: str) -> bool:
        return did in self._sessions

    def ip(self, did: str) -> str:
        """Where the device is connected from, "" when it is not."""
        session = self._sessions.get(did)
        return session.ip if session else ""

    async def wait_turn(self, did: str) -> None:
        """Returns when the next packet to the device may go out; ApiError when it is offline or overrun."""
        session = self._sessions.get(did)
        if session is None:
            raise ApiError(DEVICE_OFFLINE)
        try:
            await asyncio.wait_for(session.listening.wait(), self._subscribe_timeout)
        except TimeoutError:
            raise ApiError(DEVICE_OFFLINE, "it is connected but does not listen for commands") from None
        now = time.monotonic()
        turn = max(now, session.free_at)
        if turn - now > self._max_wait:
            raise ApiError(REQUEST_THROTTLED, "too many commands are waiting for this device")
        session.free_at = turn + PACKET_GAP
        await asyncio.sleep(turn - now)
        if self._sessions.get(did) is not session:
            raise ApiError(DEVICE_OFFLINE, "it went offline before the command was sent")

    def device_connected(self, did: str, *, keepalive_s: int, ip: str, again: bool) -> None:
        older = self._sessions.get(did)
        self._sessions[did] = Session(ip)
        if older is not None:
            older.listening.set()
        kind = RE_ONLINE if again else ONLINE
        log.info("device %s is online%s, from %s", did, " again" if again else "", ip)
        self._record(Presence(did, time.time(), kind, ip, keep_alive=keepalive_s))

    def device_subscribed(self, did: str, topic_filter: str) -> None:
        session = self._sessions.get(did)
        kind, _, rest = topic_filter.partition("/")
        if kind == "app2dev" and session is not None:
            session.free_at = max(session.free_at, time.monotonic() + SETTLE_TIME)
            session.listening.set()
        elif kind == "ser2cli_noti":
            try:
                self._accounts.learn_product_key(did, rest)
            except SQLAlchemyError as error:
                log.error("product of device %s not stored: %s", did, error)

    def device_disconnected(self, did: str, reason: str) -> None:
        session = self._sessions.pop(did, None)
        if session is None:
            return
        session.listening.set()
        duration = round(time.monotonic() - session.since, 3)
        log.info("device %s is offline after %d s: %s", did, duration, reason)
        self._record(Presence(did, time.time(), OFFLINE, session.ip, duration=duration, reason=reason))

    def _record(self, change: Presence) -> None:
        # The broker's loop must survive a full disk; the session itself is kept in memory.
        try:
            self._history.add_presence(change)
        except SQLAlchemyError as error:
            log.error("%s of device %s not stored: %s", change.type, change.did, error)
