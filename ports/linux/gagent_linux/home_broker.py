"""The way to the home broker: one session at a time, opened again for ever. Survives a broker that comes and goes.

Waits between tries are those of the cloud's side: exponential with full jitter, 2 s to 2 min.
"""

import asyncio
import os
import ssl
from collections.abc import Callable

from gagent import effects as e
from gagent.backoff import Backoff

from .bridge_session import BridgeSession
from .log import PortLog
from .settings import BridgeSettings
from .tls import make_context

# A will is told 45 s after the machine died; a ping every 30 s costs nothing at home.
_KEEPALIVE_S = 30


class HomeBroker:
    """`on_ready()` and `on_lost()`, `on_message(topic, payload)`, `on_idle()` when all that was published has left."""

    def __init__(
        self,
        settings: BridgeSettings,
        on_ready: Callable[[], None],
        on_lost: Callable[[], None],
        on_message: Callable[[str, bytes], None],
        on_idle: Callable[[], None],
        log: PortLog,
    ) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._on_message = on_message
        self._on_idle = on_idle
        self._log = log
        self._backoff = Backoff(os.urandom)
        self._session: BridgeSession | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._trouble = ""
        self.is_ready = False

    def start(self, client_id: str, topics: tuple[str, ...], will_topic: str, will: bytes) -> None:
        """Go there as `client_id`, hear `topics`, leave `will` behind when the session breaks."""
        s = self._settings
        self._tls = make_context(s.tls) if s.tls is not None else None
        # An empty user name is not the same as none.
        username, password = (s.username, s.password) if s.username else (None, None)
        self._login = e.MqttConnect(s.host, s.port, client_id, username, password, _KEEPALIVE_S, topics)
        self._will = (will_topic, will)
        self._connect()

    def stop(self) -> None:
        """Say goodbye: the will is not told."""
        if self._retry is not None:
            self._retry.cancel()
        session, self._session = self._session, None
        self.is_ready = False
        if session is not None:
            session.close()

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> None:
        """Publish; dropped when there is no session."""
        if self.is_ready and self._session is not None:
            self._session.publish(topic, payload, qos, retain)

    def unsent(self) -> int:
        """Messages that wait for a slow broker."""
        return self._session.unsent() if self._session is not None else 0

    def _connect(self) -> None:
        self._session = BridgeSession(
            self._login, *self._will, self._ready, self._lost, self._on_message, self._on_idle, self._log, self._tls
        )
        self._session.start()

    def _ready(self) -> None:
        self.is_ready = True
        self._trouble = ""
        self._backoff.connected(_now())
        self._log.info("home broker %s:%d: connected", self._settings.host, self._settings.port)
        self._on_ready()

    def _lost(self, code: int) -> None:
        self._session = None
        self.is_ready = False
        wait = self._backoff.delay(_now())
        self._retry = asyncio.get_running_loop().call_later(wait / 1000, self._connect)
        if self._log.reason != self._trouble:  # said once, not with every try
            self._trouble = self._log.reason
            self._log.warning("home broker: %s; trying again until it works", self._trouble)
        self._on_lost()


def _now() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
