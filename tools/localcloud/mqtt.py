"""The cloud's own MQTT session. Cloud manual, device side, chapter 4.

paho-mqtt without its thread: its socket is one more descriptor of the asyncio loop. It survives a broker that goes
away: it connects and subscribes again until it is stopped.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from localcloud.broker import BrokerError

_LOG = logging.getLogger("localcloud.mqtt")

_KEEPALIVE_S = 30
_START_TIMEOUT_S = 10
# paho looks after its keep-alive when it is asked to; a dead connection is noticed then too.
_TICK_S = 1.0
# A broker that restarts is back within a second; one that stays away is asked twice a second, on this machine.
_RETRY_S = 0.5
_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


class CloudMqtt:
    """`on_message(topic, payload)` is called in the event loop for every message that is subscribed to."""

    def __init__(
        self, on_message: Callable[[str, bytes], None], subscriptions: tuple[str, ...] = ("dev2app/#",)
    ) -> None:
        self._on_message = on_message
        self._subscriptions = subscriptions
        self._client: paho.Client | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._first: asyncio.Future[None] | None = None  # how the first login ends
        self._up = False

    async def start(self, host: str, port: int, username: str, password: str) -> None:
        """Connect and subscribe; BrokerError when the broker does not let us within ten seconds."""
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=username, reconnect_on_failure=False)
        client.username_pw_set(username, password)
        client.connect_timeout = 2.0
        client.on_connect = self._connected
        client.on_subscribe = self._all_subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closed
        client.on_socket_register_write = self._write_wanted
        client.on_socket_unregister_write = self._write_done
        self._client = client
        self._first = asyncio.get_running_loop().create_future()
        self._upkeep = asyncio.create_task(
            self._keep_up(client, _ANY_ADDRESS.get(host, host), port), name="mqtt-" + username
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await self._first
        except (TimeoutError, BrokerError) as e:
            await self.stop()
            problem = str(e) or "it does not answer"
            raise BrokerError("no session on the MQTT broker at %s port %d: %s" % (host, port, problem)) from None

    async def stop(self) -> None:
        """Disconnect; nothing is received any more."""
        self._up = False
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.gather(self._upkeep, return_exceptions=True)
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_write()
            self._client.loop_misc()
        self._client = self._upkeep = None

    def publish(self, topic: str, payload: bytes) -> None:
        """Send with QoS 0; lost, and said so, while the broker is away."""
        client = self._client
        if client is None or client.publish(topic, payload).rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            _LOG.warning("not sent to %s: the MQTT broker is away", topic)

    async def _keep_up(self, client: paho.Client, host: str, port: int) -> None:
        while True:
            self._lost.clear()
            try:
                # Blocks for a round trip to a broker on this machine; it refuses at once when it is away.
                client.connect(host, port, _KEEPALIVE_S)
            except OSError as e:
                _LOG.debug("no MQTT broker at %s port %d: %s", host, port, e)
                self._lost.set()
            while not self._lost.is_set():
                client.loop_misc()
                await _wait(self._lost, _TICK_S)
            await asyncio.sleep(_RETRY_S)

    def _connected(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            _LOG.warning("the MQTT broker refuses the cloud's own session: %s", reason)
            if self._first is not None and not self._first.done():
                self._first.set_exception(BrokerError(str(reason)))
            return
        client.subscribe([(topic_filter, 0) for topic_filter in self._subscriptions])

    def _all_subscribed(self, client: paho.Client, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
        _LOG.debug("the MQTT session of %s is up", self._subscriptions)
        self._up = True
        if self._first is not None and not self._first.done():
            self._first.set_result(None)

    def _disconnected(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if self._up:
            _LOG.warning("lost the MQTT broker (%s): connecting again", reason)
        self._up = False
        self._lost.set()

    def _received(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        if message.retain:
            return  # nothing here is meant to be kept; an old report would be taken for a new one
        try:
            self._on_message(message.topic, bytes(message.payload))
        except Exception:
            # This is the pump: an error that reached paho would leave it in the middle of its packet.
            _LOG.exception("a message on %.80r was not handled", message.topic)

    def _socket_opened(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asyncio.get_running_loop().add_reader(sock, client.loop_read)

    def _socket_closed(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        asyncio.get_running_loop().remove_reader(sock)
        asyncio.get_running_loop().remove_writer(sock)

    def _write_wanted(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        asyncio.get_running_loop().add_writer(sock, client.loop_write)

    def _write_done(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        asyncio.get_running_loop().remove_writer(sock)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
