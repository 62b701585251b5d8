"""Somebody at the home broker: hears every topic, remembers what is newest on each, says things."""

import asyncio
import json
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from .heard import until
from .mosquitto_running import Mosquitto
from .patience import PATIENCE_S


class HomeApp:
    """`messages` has (topic, payload) in order; paho's thread hands them to the test's loop."""

    def __init__(self, broker: Mosquitto, user: tuple[str, str] | None = None) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        if user:
            self._client.username_pw_set(*user)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._hand_over
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    async def listens(self) -> None:
        """Wait until the broker knows what we want to hear."""
        await asyncio.wait_for(self._ready.wait(), PATIENCE_S)

    def say(self, topic: str, content: object, retain: bool = False) -> None:
        """Publish bytes as they are, everything else as JSON."""
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        self._client.publish(topic, payload, 1, retain)

    def all(self, topic: str) -> list[bytes]:
        """Every message on `topic`, in order."""
        return [payload for name, payload in self.messages if name == topic]

    def newest(self, topic: str) -> Any:
        """The newest message on `topic` as JSON or text; None when there is none."""
        payloads = self.all(topic)
        if not payloads:
            return None
        try:
            return json.loads(payloads[-1])
        except ValueError:
            return payloads[-1].decode()

    async def hears(self, topic: str, content: object = ..., **fields: object) -> Any:
        """The newest message on `topic` once it is `content`, or an object with these `fields`."""

        def is_there() -> bool:
            newest = self.newest(topic)
            if content is not ...:
                return bool(newest == content)
            return isinstance(newest, dict) and all(newest.get(key) == value for key, value in fields.items())

        what = content if content is not ... else fields
        await until(is_there, "%s is %s" % (topic, what), lambda: "it is %s" % self.newest(topic))
        return self.newest(topic)

    def forget(self) -> None:
        """Only what comes from here on."""
        self.messages.clear()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    # In paho's thread.

    def _subscribed(self, *_: Any) -> None:
        self._loop.call_soon_threadsafe(self._ready.set)

    def _hand_over(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.messages.append, (message.topic, bytes(message.payload)))
