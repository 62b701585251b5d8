"""One client's connection, between its socket and the router. Cloud manual, device side, chapters 4.1, 4.2 and 4.8.

To the router (amqtt) this is a reader and a writer. Reading, it takes whole packets from the socket, watches the
keep-alive and lets through what the gate lets through. Writing, it puts each packet into a segment of its own: the
original modules parse the first packet of a segment and lose the rest, so for them there is also a pause between two.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable

from amqtt.adapters import ReaderAdapter, WriterAdapter

from localcloud import broker
from localcloud import mqtt_packet as mqtt
from localcloud.mqtt_gate import PacketGate
from mcu_proto.errors import RemoteError

_LOG = logging.getLogger("localcloud.broker")

# The longest message: a file of 65 kB in one envelope, and the topic.
MAX_BODY = 0x20000
# A device may pause in the middle of a packet while its MCU hands over the next piece of a file.
_GAP_S = 60
# MQTT's own rule: one and a half times the keep-alive.
_GRACE = 1.5
# Packets that wait for their turn, and bytes that wait for a client that does not read. Beyond, messages are dropped.
_MAX_PACKETS = 256
_MAX_UNSENT = 0x80000
_TURNS_TO_BEGIN = 8


class ClientSession(ReaderAdapter, WriterAdapter):
    """`on_accepted` and `on_subscribed` are called as the router's CONNACK and SUBACK go out."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        gate: PacketGate,
        *,
        connect: mqtt.Connect,
        router_id: str,
        spacing_s: float,
        on_accepted: Callable[[], None],
        on_subscribed: Callable[[str], None],
    ) -> None:
        self.reason = ""
        self.displaced = False  # a newer session of the same client took over
        self.over = asyncio.Event()  # nothing more comes from the client
        self.finished = asyncio.Event()  # the router is done with it too
        self._reader = reader
        self._writer = writer
        self._gate = gate
        self._idle_s = connect.keepalive_s * _GRACE or None
        self._spacing_s = spacing_s
        self._on_accepted = on_accepted
        self._on_subscribed = on_subscribed
        # The router reads its own CONNECT first: 3.1.1, and without the login it need not know.
        self._packet = mqtt.build_connect(router_id)
        self._read = 0
        self._outbox: deque[bytes] = deque()
        self._next_send = 0.0
        self._send_timer: asyncio.TimerHandle | None = None
        self._dropped = False

    def end(self, reason: str) -> None:
        """Close the socket now; the first reason stays."""
        self.reason = self.reason or reason
        self.over.set()
        self._stop_sending()
        self._writer.transport.abort()

    async def read(self, n: int = -1) -> bytes:
        if n and self._read == len(self._packet):
            self._packet = await self._next_packet()
            self._read = 0
            if not self._packet:
                self.over.set()
                # amqtt misses an end that comes before its session has fully begun, a few turns after its first read.
                for _ in range(_TURNS_TO_BEGIN):
                    await asyncio.sleep(0)
        start = self._read
        self._read = len(self._packet) if n < 0 else min(start + n, len(self._packet))
        return self._packet[start : self._read]

    def feed_eof(self) -> None:
        self._reader.feed_eof()

    def write(self, data: bytes) -> None:
        kind = data[0] >> 4
        if self._is_full() and kind == mqtt.PUBLISH:
            if not self._dropped:
                _LOG.warning("%s does not take its messages fast enough: dropping them", self.get_peer_info())
            self._dropped = True
            return
        self._outbox.append(data)
        self._send()
        if kind == mqtt.CONNACK:
            self._on_accepted()
        if kind == mqtt.SUBACK:
            for topic_filter in self._gate.acknowledge(data):
                self._on_subscribed(topic_filter)

    async def drain(self) -> None:
        """Nothing: a client that does not read must not hold up the router."""

    def get_peer_info(self) -> tuple[str, int] | None:
        peer = self._writer.get_extra_info("peername")
        return (peer[0], peer[1]) if peer else None

    def get_ssl_info(self) -> ssl.SSLObject | None:
        return None

    async def close(self) -> None:
        self._stop_sending()
        self._writer.close()

    async def _next_packet(self) -> bytes:
        """The next packet for the router, or nothing when the connection is over and `reason` says why."""
        try:
            while True:
                head, body = await mqtt.read_packet(self._reader, MAX_BODY, idle_s=self._idle_s, gap_s=_GAP_S)
                if head >> 4 == mqtt.DISCONNECT:
                    self.reason = self.reason or broker.MQTT_DISCONNECT
                passage = self._gate.receive_packet(head, body)
                if passage.answer:
                    self.write(passage.answer)
                if passage.forward:
                    return passage.forward
        except TimeoutError:
            self.reason = self.reason or broker.NO_HEARTBEAT
        except (asyncio.IncompleteReadError, OSError):
            self.reason = self.reason or broker.TCP_CLOSED
        except RemoteError as e:
            self.reason = self.reason or broker.TCP_CLOSED
            _LOG.info("closing %s: %s", self.get_peer_info(), e)
        return b""

    def _is_full(self) -> bool:
        return len(self._outbox) >= _MAX_PACKETS or self._writer.transport.get_write_buffer_size() >= _MAX_UNSENT

    def _send(self) -> None:
        """Write what is due, and come back when the pause after it is over."""
        loop = asyncio.get_running_loop()
        while self._outbox and self._send_timer is None and not self._writer.is_closing():
            if loop.time() < self._next_send:
                self._send_timer = loop.call_at(self._next_send, self._resume)
                return
            self._writer.write(self._outbox.popleft())
            # Counted from after the write: whoever was held up before it must not send the next one right behind.
            self._next_send = loop.time() + self._spacing_s

    def _resume(self) -> None:
        self._send_timer = None
        self._send()

    def _stop_sending(self) -> None:
        self._outbox.clear()
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None
