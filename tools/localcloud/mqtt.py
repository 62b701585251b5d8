"""The cloud's own MQTT session. Cloud manual, device side, chapter 4.

paho-mqtt without its thread: its socket is one more descriptor of the asyncio loop. It survives a broker that goes
away: it connects and subscribes again until it is stopped.

Two kinds. With QoS 0 the broker keeps nothing between two connections. With QoS 1 it keeps the session and every
message until `ack`, and sends again what was not acked when the connection ended.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

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
# Others on the loop wait meanwhile.
_PACKETS_A_TURN = 100
_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


class Received(NamedTuple):
    """A message; `packet_id` is 0 when it came with QoS 0, `again` when the broker sent it before."""

    topic: str
    payload: bytes
    packet_id: int = 0
    again: bool = False


class CloudMqtt:
    """`on_message` is called in the event loop for every message that is subscribed to, `on_new` for a new session.

    It connects only while `may_connect` says so; `unwanted` are filters of a kept session that end.
    """

    def __init__(
        self,
        on_message: Callable[[Received], None],
        subscriptions: tuple[str, ...],
        qos: int = 0,
        on_new: Callable[[], None] = lambda: None,
        may_connect: Callable[[], bool] = lambda: True,
        unwanted: tuple[str, ...] = (),
    ) -> None:
        self._on_message = on_message
        self._subscriptions = subscriptions
        self._qos = qos
        self._on_new = on_new
        self._may_connect = may_connect
        self._unwanted = unwanted
        self._client: paho.Client | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._first: asyncio.Future[None] | None = None  # how the first login ends
        self._up = False
        self._count = 0

    async def start(
        self,
        host: str,
        port: int,
        username: str,
        password: str,
        client_id: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Connect and subscribe; BrokerError when the broker does not let us within ten seconds."""
        client_id = client_id or username
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=self._qos == 0,
            manual_ack=self._qos > 0,
            reconnect_on_failure=False,
        )
        client.username_pw_set(username, password)
        if tls is not None:
            client.tls_set_context(tls)
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
            self._keep_up(client, _ANY_ADDRESS.get(host, host), port), name="mqtt-" + client_id
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

    def publish(self, topic: str, payload: bytes, qos: int = 0) -> None:
        """Send, with QoS 0 unless told otherwise; lost, and said so, while the broker is away."""
        client = self._client
        if client is None or client.publish(topic, payload, qos).rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            _LOG.warning("not sent to %s: the MQTT broker is away", topic)

    def ack(self, packet_id: int) -> None:
        """The message is worked off: the broker may forget it."""
        if self._client is not None:
            self._client.ack(packet_id, self._qos)

    async def _keep_up(self, client: paho.Client, host: str, port: int) -> None:
        while True:
            self._lost.clear()
            if not self._may_connect():
                await asyncio.sleep(_RETRY_S)
                continue
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
        if not flags.session_present:
            self._on_new()
        if self._unwanted:
            client.unsubscribe(list(self._unwanted))
        if self._subscriptions:
            client.subscribe([(topic_filter, self._qos) for topic_filter in self._subscriptions])
        else:
            self._ready()

    def _all_subscribed(self, client: paho.Client, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
        self._ready()

    def _ready(self) -> None:
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
        self._count += 1
        if message.retain:
            return  # nothing here is meant to be kept; an old report would be taken for a new one
        try:
            packet_id = message.mid if message.qos else 0
            self._on_message(Received(message.topic, bytes(message.payload), packet_id, message.dup))
        except Exception:
            # This is the pump: an error that reached paho would leave it in the middle of its packet.
            _LOG.exception("a message on %.80r was not handled", message.topic)

    def _socket_opened(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asyncio.get_running_loop().add_reader(sock, self._read, client)

    def _read(self, client: paho.Client) -> None:
        """Takes what has come, so that it is worked off together: paho reads one packet at a time."""
        for _ in range(_PACKETS_A_TURN):
            before = self._count
            client.loop_read()
            if self._count == before:
                return

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
