"""The way to the cloud's broker: at most one MQTT session at a time. Cloud manual, device side, chapter 4.1.

Each `connect` has exactly one answer, `on_connected` or `on_lost`; after `on_connected` comes exactly one `on_lost`,
unless `disconnect` was called. A session that was replaced or closed is never heard of again.
"""

from collections.abc import Callable

from gagent import effects as e

from .log import PortLog
from .mqtt_session import TIMEOUT_S, MqttSession
from .tls import PLAIN, Route


class Uplink:
    """`on_connected()`, `on_lost(CONNACK code or 0)`, `on_message(topic, payload)`; `log` gets the story."""

    def __init__(
        self,
        on_connected: Callable[[], None],
        on_lost: Callable[[int], None],
        on_message: Callable[[str, bytes], None],
        log: PortLog,
        timeout_s: float = TIMEOUT_S,
        route: Route = PLAIN,
    ) -> None:
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._on_message = on_message
        self._log = log
        self._timeout_s = timeout_s
        self._route = route
        self._session: MqttSession | None = None

    def connect(self, effect: e.MqttConnect) -> None:
        """Start the session of an `MqttConnect`; one that is open is closed first."""
        self.disconnect()
        effect = effect._replace(port=self._route.port(effect.port))
        tls = self._route.tls if self._route.mqtt_tls else None
        self._session = MqttSession(
            effect, self._on_connected, self._lost, self._on_message, self._log, self._timeout_s, tls
        )
        self._session.start()

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        """Publish; dropped when there is no session."""
        if self._session is not None:
            self._session.publish(topic, payload, qos)

    def deliver(self, topic: str, payload: bytes, on_acked: Callable[[], None]) -> None:
        """Publish with QoS 1; `on_acked()` unless the session ends before. ValueError: it can never be published."""
        if self._session is not None:
            self._session.deliver(topic, payload, on_acked)

    def disconnect(self) -> None:
        """Close the session with a DISCONNECT, or give up connecting; nothing is answered."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def is_sending(self) -> bool:
        """Whether something that was published is still on its way."""
        return self._session is not None and self._session.is_sending()

    def _lost(self, code: int) -> None:
        self._session = None
        self._on_lost(code)
