"""One MQTT session, from opening its connection to its end. Cloud manual, device side, chapter 4.1.

paho-mqtt speaks the protocol: version 3.1, clean session. Only resolving the name and opening the connection, with the
handshake of TLS, happen in a thread; from then on the event loop owns the client, so there is no lock. paho's callbacks
only note what happened; it is told when paho has returned. Messages may come in any size, cut or joined in any way;
garbage ends the session.
"""

import asyncio
import collections
import socket
import ssl
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gagent import effects as e

from . import worker
from .log import PortLog
from .tls import TlsError

# To open the connection, and again to log in and subscribe: mobile lines need 5 s at times.
TIMEOUT_S = 10
# QoS 0 messages that may wait for a slow connection; at the end of it reports are stale, and the next one says it all.
MAX_UNSENT = 1000
# A broker that answers pings and acknowledges no report for so many times the timeout is broken: another session is its
# chance, and ours.
_ACK_TIMEOUTS = 3
# paho looks at its timers this often, or eight times in the keepalive time if that is shorter.
_MISC_S = 5

# paho reports a refusal in the words of MQTT 5: back to the code that was in the CONNACK.
CONNACK_CODES = {132: 1, 133: 2, 136: 3, 134: 4, 135: 5}
# A dead peer on an idle line is found in 75 s; the pings of MQTT alone need 240.
_KEEPALIVE_OPTIONS = ((socket.TCP_KEEPIDLE, 45), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


class MqttSession:
    """Ends in exactly one `on_lost(CONNACK code or 0)`, after `on_connected` or instead of it, unless it is closed.

    `tls` secures the connection; None: it is plain.
    """

    # The vendor's broker refuses 3.1.1, and every other one takes 3.1 as well.
    protocol = mqtt.MQTTv31

    def __init__(
        self,
        effect: e.MqttConnect,
        on_connected: Callable[[], None],
        on_lost: Callable[[int], None],
        on_message: Callable[[str, bytes], None],
        log: PortLog,
        timeout_s: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._effect = effect
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._on_message = on_message
        self._log = log
        self._timeout_s = timeout_s
        self._tls = tls
        self._trouble = ""
        self._where = "%s:%d" % (effect.host, effect.port)
        self._topics: list[str] = list(effect.topics)
        self._events: collections.deque[tuple[Callable, tuple]] = collections.deque()
        self._loop = asyncio.get_running_loop()
        self._socket: Any = None
        self._task: asyncio.Task | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._unsent = 0
        self._acks: dict[int, Callable[[], None]] = {}
        self._ack_due = 0.0
        self._wants_write = False
        self._watches_write = False
        self._ready = False
        self._over = False
        self._client = self._make_client()

    def start(self) -> None:
        self._task = self._loop.create_task(self._open())

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool = False) -> None:
        if not self._ready or self._over:
            return
        if self._unsent >= MAX_UNSENT:
            self._log.debug("broker %s takes no more: a message was dropped", self._where)
            return
        try:
            self._hand_over(topic, payload, qos, retain)
        except ValueError as error:  # a topic made from a peer's client id may hold anything
            self._log.warning("message not published: %s", error)

    def deliver(self, topic: str, payload: bytes, on_acked: Callable[[], None]) -> None:
        """Publish with QoS 1, however much waits; ValueError when it can never be published.

        `on_acked()` when the broker has it, and never once the session is over.
        """
        if self._ready and not self._over:
            mid = self._hand_over(topic, payload, 1, False)
            self._acks[mid] = on_acked
            self._ack_due = self._loop.time() + _ACK_TIMEOUTS * self._timeout_s

    def close(self) -> None:
        """Say goodbye if there is somebody to say it to."""
        if self._over:
            return
        self._over = True
        if self._socket is not None:
            self._client.disconnect()
            self._client.loop_write()
        self._release()

    def is_sending(self) -> bool:
        return self._ready and not self._over and self._unsent > 0

    def _hand_over(self, topic: str, payload: bytes, qos: int, retain: bool) -> int:
        self._unsent += 1
        try:
            mid = self._client.publish(topic, payload, qos, retain).mid
        except ValueError:
            self._unsent -= 1
            raise
        self._perform(self._client.loop_write)
        return mid

    # Opening.

    def _make_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._effect.client_id,
            clean_session=True,
            protocol=self.protocol,
            reconnect_on_failure=False,
        )
        client.username_pw_set(self._effect.username, self._effect.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.connect_timeout = self._timeout_s
        client.on_connect = self._note_connect
        client.on_subscribe = self._note_subscribe
        client.on_message = self._note_message
        client.on_publish = self._note_publish
        client.on_disconnect = self._note_disconnect
        client.on_socket_close = self._unwatch
        client.on_socket_register_write = self._note_unsent
        client.on_socket_unregister_write = self._note_sent
        return client

    async def _open(self) -> None:
        effect = self._effect
        try:
            async with asyncio.timeout(self._timeout_s):
                await worker.run(
                    self._client.connect, effect.host, effect.port, effect.keepalive_s, discard=self._discard
                )
        except TimeoutError:
            what = "connection" if self._tls is None else "TLS connection"
            self._end(0, "no %s to broker %s within %d s" % (what, self._where, self._timeout_s))
        except TlsError as error:
            self._end(0, "TLS with broker %s: %s" % (self._where, error))
        except socket.gaierror as error:
            self._end(0, "the name of broker %s does not resolve (%s)" % (self._where, error.strerror))
        except (OSError, ValueError) as error:
            self._end(0, "no connection to broker %s: %s" % (self._where, getattr(error, "strerror", "") or error))
        else:
            self._take_over()

    def _discard(self, _: object) -> None:
        # The CONNECT is still in paho's queue, so a session that came too late cannot disturb the one after it.
        _close(self._client.socket())

    def _take_over(self) -> None:
        """The connection is open and the CONNECT waits in paho's queue: from here on the loop drives the client."""
        self._socket = self._client.socket()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE_OPTIONS:
            self._socket.setsockopt(socket.IPPROTO_TCP, option, value)
        self._loop.add_reader(self._socket, self._read)
        self._arm("login", self._timeout_s, self._login_late)
        self._look_at_timers()
        self._perform(self._client.loop_write)

    # Driving paho. What its callbacks noted is told when paho has returned: it holds locks while it calls back.

    def _perform(self, call: Callable) -> None:
        if self._over:
            return
        call()
        self._watch_write()
        while self._events and not self._over:
            method, arguments = self._events.popleft()
            method(*arguments)

    def _read(self) -> None:
        self._perform(self._client.loop_read)
        # paho takes one packet at a time, and what TLS has decrypted already wakes nobody.
        while self._tls is not None and self._socket is not None and self._socket.pending():
            self._perform(self._client.loop_read)

    def _watch_write(self) -> None:
        # paho wants to write before every message and no more after it, and nearly every message leaves at once. The
        # loop hears only of what is left: adding and removing a writer would be a fifth of the work of a report.
        if self._socket is None or self._wants_write == self._watches_write:
            return
        self._watches_write = self._wants_write
        if self._watches_write:
            self._loop.add_writer(self._socket, self._perform, self._client.loop_write)
        else:
            self._loop.remove_writer(self._socket)

    def _look_at_timers(self) -> None:
        self._arm("misc", min(_MISC_S, max(1, self._effect.keepalive_s / 8)), self._look_at_timers)
        if self._acks and self._loop.time() > self._ack_due:
            self._end(0, "broker %s does not acknowledge what it was sent" % self._where)
        self._perform(self._client.loop_misc)

    def _login_late(self) -> None:
        self._end(0, "broker %s did not answer the login within %d s" % (self._where, self._timeout_s))

    # paho's callbacks.

    def _note_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._events.append((self._connected, (reason,)))

    def _note_subscribe(self, client: mqtt.Client, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
        self._events.append((self._subscribed, (reasons,)))

    def _note_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        self._events.append((self._received, (message,)))

    def _note_publish(self, client: mqtt.Client, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        self._unsent -= 1
        on_acked = self._acks.pop(mid, None)
        if on_acked is not None:
            self._events.append((on_acked, ()))

    def _note_disconnect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._events.append((self._closed, ()))

    def _unwatch(self, client: mqtt.Client, userdata: Any, sock: Any) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._trouble = getattr(self._socket, "trouble", "")
            self._socket = None

    def _note_unsent(self, client: mqtt.Client, userdata: Any, sock: Any) -> None:
        self._wants_write = True

    def _note_sent(self, client: mqtt.Client, userdata: Any, sock: Any) -> None:
        self._wants_write = False

    # What they noted.

    def _connected(self, reason: Any) -> None:
        if reason.is_failure:
            code = CONNACK_CODES.get(reason.value, 0)
            self._end(code, "broker %s refused the login: %s" % (self._where, str(reason).lower()))
            return
        self._subscribe_next()

    def _subscribed(self, reasons: Any) -> None:
        if self._ready:
            return
        if reasons and reasons[0].is_failure:
            # On line all the same: reports still cross, and only the refused topic is silent.
            self._log.warning("broker %s refused the subscription to %s", self._where, self._topics[0])
        self._topics.pop(0)
        self._subscribe_next()

    def _subscribe_next(self) -> None:
        while self._topics:
            try:
                self._client.subscribe(self._topics[0], 0)
            except ValueError:  # made from a product key that the MCU sent: it may hold anything
                self._log.warning("no subscription to %s: that is not a topic", self._topics.pop(0))
                continue
            self._perform(self._client.loop_write)
            return
        self._ready = True
        self._timers.pop("login").cancel()
        self._on_connected()

    def _received(self, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._log.warning("message ignored: its topic is not text")
            return
        self._on_message(topic, bytes(message.payload))

    # The end.

    def _closed(self) -> None:
        if self._trouble:
            self._end(0, "TLS with broker %s: %s" % (self._where, self._trouble))
        else:
            self._end(0, "broker %s closed the connection" % self._where)

    def _end(self, code: int, reason: str) -> None:
        if self._over:
            return
        self._over = True
        self._release()
        self._log.because(reason)
        self._on_lost(code)

    def _release(self) -> None:
        if self._task is not None:
            self._task.cancel()
        for timer in self._timers.values():
            timer.cancel()
        if self._socket is not None:
            sock = self._socket
            self._unwatch(self._client, None, sock)
            sock.close()

    def _arm(self, name: str, seconds: float, method: Callable[[], None]) -> None:
        self._timers[name] = self._loop.call_later(seconds, method)


def _close(sock: Any) -> None:
    if sock is not None:
        sock.close()
