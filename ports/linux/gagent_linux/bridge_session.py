"""One session with a home broker: MQTT 3.1.1, a last will, retained messages. Everything else is `MqttSession`.

A message that the broker had retained is not heard: what came while nobody listened would be done again after every
reconnect. The same message sent while the session is up is heard, retained or not.
"""

import ssl
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt

from gagent import effects as e

from .log import PortLog
from .mqtt_session import TIMEOUT_S, MqttSession


class BridgeSession(MqttSession):
    """`will` is published, retained, on `will_topic` when the session breaks; `on_idle` says that nothing waits for the
    broker any more: all is written, and what was published with QoS 1 is acked.
    """

    protocol = mqtt.MQTTv311

    def __init__(
        self,
        effect: e.MqttConnect,
        will_topic: str,
        will: bytes,
        on_connected: Callable[[], None],
        on_lost: Callable[[int], None],
        on_message: Callable[[str, bytes], None],
        on_idle: Callable[[], None],
        log: PortLog,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._will = (will_topic, will)
        self._on_idle = on_idle
        super().__init__(effect, on_connected, on_lost, on_message, log, TIMEOUT_S, tls)

    def unsent(self) -> int:
        """Messages that wait for the broker."""
        return self._unsent

    def _make_client(self) -> mqtt.Client:
        client = super()._make_client()
        client.will_set(*self._will, qos=1, retain=True)
        return client

    def _note_publish(self, client: mqtt.Client, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        super()._note_publish(client, userdata, mid, reason, properties)
        if self._unsent == 0:
            self._events.append((self._on_idle, ()))

    def _received(self, message: mqtt.MQTTMessage) -> None:
        if not message.retain:
            super()._received(message)
