"""Who is online, since when, and whether it listens yet. Cloud manual, device side, 4.2 and 4.8.

    connected ──► online ──subscribed──► listening ──► disconnected
        ▲            └── the same did again: dev_re_online, the older session ends without a word ──┘

The broker calls the `device_…` methods in the event loop. The sessions are in the database: with several workers each
of them may be the one that is told. A broker of our own starts with nobody online; sessions that a crash cut off are
closed in the records then.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from . import events
from .accounts import Accounts
from .errors import DEVICE_OFFLINE, REQUEST_THROTTLED, ApiError
from .events import Bus, Event
from .store.deliveries import Delivery
from .store.sessions import DeviceSession, DeviceSessions

# Seconds. A device that has logged in and not subscribed by then will not hear a command either.
SUBSCRIBE_TIMEOUT = 5.0
# Reference modules parse one packet per read: what comes right behind another one is lost.
SETTLE_TIME = 0.2
PACKET_GAP = 0.05
# A command that would wait longer than this is refused: whoever sends so many has a loop somewhere.
MAX_WAIT = 5.0

log = logging.getLogger("localcloud")


class Sessions:
    """The broker's listener: keeps the sessions, writes the records, spaces out what is sent to a device.

    `on_listening` is told of a device that takes messages from now on.
    """

    def __init__(
        self,
        sessions: DeviceSessions,
        accounts: Accounts,
        bus: Bus,
        on_listening: Callable[[str], None] = lambda did: None,
        subscribe_timeout: float = SUBSCRIBE_TIMEOUT,
        max_wait: float = MAX_WAIT,
    ) -> None:
        self._sessions = sessions
        self._accounts = accounts
        self._bus = bus
        self._on_listening = on_listening
        self._subscribe_timeout = subscribe_timeout
        self._max_wait = max_wait
        # did -> when this worker last sent it something
        self._sent_at: dict[str, float] = {}

    def all_gone(self, reason: str) -> None:
        """Everything is offline: closes what the records still show as online."""
        for did in self._sessions.all():
            self.device_disconnected(did, reason)

    def begun_before(self, at: float, reason: str) -> None:
        """The broker began at that time: sessions that are older are over."""
        for did in self._sessions.begun_before(at):
            self.device_disconnected(did, reason)

    def is_online(self, did: str) -> bool:
        return self._sessions.get(did) is not None

    def online(self, dids: list[str]) -> set[str]:
        """Which of many devices are online."""
        return self._sessions.online(dids)

    async def wait_turn(self, did: str) -> None:
        """Returns when the next packet to the device may go out; ApiError when it is offline or overrun."""
        session = await self._listening(did)
        now = time.time()
        turn = self._sessions.take_turn(session, now, PACKET_GAP, self._max_wait)
        if turn is None:
            raise ApiError(REQUEST_THROTTLED, "too many commands are waiting for this device")
        if turn <= now and self._gap_left(did) <= 0:
            return
        await asyncio.sleep(turn - now)
        # The packet before may have woken late, or waited for the database: then it went out after its turn.
        while (left := self._gap_left(did)) > 0:  # noqa: ASYNC110  others send too while it waits
            await asyncio.sleep(left)
        if not self._lasts(session):
            raise ApiError(DEVICE_OFFLINE, "it went offline before the command was sent")

    def sent(self, did: str) -> None:
        """A packet whose turn it was goes out at this moment."""
        self._sent_at[did] = time.monotonic()

    def device_connected(self, did: str, *, keepalive_s: int, ip: str, again: bool) -> None:
        try:
            self.begin(did, keepalive_s, ip, again)
        except SQLAlchemyError as error:
            # The broker's loop must survive a full disk.
            log.error("login of device %s not stored: %s", did, error)

    def begin(self, did: str, keepalive_s: int, ip: str, again: bool, delivery: Delivery | None = None) -> None:
        """The same; what cannot be stored raises, and what another delivery of the message did is not done again."""
        session = self._sessions.begin(did, time.time(), ip, keepalive_s, delivery)
        if session is None:
            return
        log.info("device %s is online%s, from %s", did, " again" if again else "", ip)
        self._bus.publish(Event(events.SESSION, did, {}))
        if not again:
            self._bus.publish(Event(events.PRESENCE, did, {"online": True}))

    def device_subscribed(self, did: str, topic_filter: str) -> None:
        kind, _, rest = topic_filter.partition("/")
        try:
            if kind == "app2dev":
                now = time.time()
                self._sessions.listen(did, now, now + SETTLE_TIME)
                self._bus.publish(Event(events.SESSION, did, {}))
                self._on_listening(did)
            elif kind == "ser2cli_noti":
                self._accounts.learn_product_key(did, rest)
        except SQLAlchemyError as error:
            log.error("subscription of device %s not stored: %s", did, error)

    def device_disconnected(self, did: str, reason: str) -> None:
        try:
            self.end(did, reason)
        except SQLAlchemyError as error:
            log.error("end of the session of device %s not stored: %s", did, error)

    def end(self, did: str, reason: str, delivery: Delivery | None = None) -> None:
        """As `begin`."""
        now = time.time()
        session = self._sessions.end(did, now, reason, delivery)
        self._sent_at.pop(did, None)
        if session is None:
            return
        log.info("device %s is offline after %d s: %s", did, now - session.since, reason)
        self._bus.publish(Event(events.SESSION, did, {}))
        self._bus.publish(Event(events.PRESENCE, did, {"online": False}))

    async def _listening(self, did: str) -> DeviceSession:
        """The session of a device that hears commands; waits for one that has just logged in."""
        session = self._sessions.get(did)
        if session is None:
            raise ApiError(DEVICE_OFFLINE)
        if session.listening_at is not None:
            return session
        changed = asyncio.Event()
        forget = self._bus.subscribe(lambda event: changed.set() if event[:2] == (events.SESSION, did) else None)
        try:
            async with asyncio.timeout(self._subscribe_timeout):
                while True:
                    found = self._sessions.get(did)
                    if found is None or found.since != session.since:
                        raise ApiError(DEVICE_OFFLINE, "it went offline before the command was sent")
                    if found.listening_at is not None:
                        return found
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            raise ApiError(DEVICE_OFFLINE, "it is connected but does not listen for commands") from None
        finally:
            forget()

    def _gap_left(self, did: str) -> float:
        """Seconds until a packet to the device would not come right behind another one of this worker."""
        return self._sent_at.get(did, -math.inf) + PACKET_GAP - time.monotonic()

    def _lasts(self, session: DeviceSession) -> bool:
        found = self._sessions.get(session.did)
        return found is not None and found.since == session.since
