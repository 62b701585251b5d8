"""An app on the broker, as the public clients do it: MQTT 3.1, `2$<app id>$<uid>` and the user's token."""

import contextlib
import queue
import secrets
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from .cloud_running import APP_ID, RunningCloud
from .patience import PATIENCE_S


class MqttApp:
    """`code` is the CONNACK's, `heard` gets (topic, payload); `is_gone` is set when the broker ends the session."""

    def __init__(self, uid: str, token: str, client_id: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.client_id = client_id or "usr%020d" % secrets.randbelow(10**20)
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.is_gone = threading.Event()
        self.code = -1
        self._answered = threading.Event()
        self._subscribed = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=self.client_id, protocol=paho.MQTTv31, reconnect_on_failure=False
        )
        self._client.username_pw_set("2$%s$%s" % (APP_ID, uid), token)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *args: self._subscribed.set()
        self._client.on_message = lambda client, userdata, message: self.heard.put(
            (message.topic, bytes(message.payload))
        )
        self._client.on_disconnect = lambda *args: self.is_gone.set()

    def connect(self, port: int) -> int:
        """The code of the CONNACK: 0 is in."""
        self._client.connect("127.0.0.1", port, keepalive=15)
        self._client.loop_start()
        assert self._answered.wait(PATIENCE_S)
        return self.code

    def subscribe(self, *filters: str) -> None:
        """Returns when the broker has answered; it answers the same to what it does not serve."""
        self._subscribed.clear()
        self._client.subscribe([(wanted, 0) for wanted in filters])
        assert self._subscribed.wait(PATIENCE_S)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload)

    def disconnect(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        # paho tells 3.1 codes in words of MQTT 5: a refusal is a refusal, whatever its number.
        self.code = 1 if reason.is_failure else 0
        self._answered.set()


@contextlib.contextmanager
def app_on_mqtt(cloud: RunningCloud, uid: str, token: str, *filters: str, **options: Any) -> Iterator[MqttApp]:
    """An app that is logged in and has subscribed."""
    app = MqttApp(uid, token, **options)
    assert app.connect(cloud.cloud.mqtt_port) == 0
    try:
        if filters:
            app.subscribe(*filters)
        yield app
    finally:
        app.disconnect()
