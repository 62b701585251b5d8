"""An app's end of the broker: paho logs in, subscribes and publishes; messages are taken off the socket directly.

The clock is read when `recv` returns, as any subscriber would at the earliest; paho's own reading would add what is
not the agent's. QoS 0 needs no answer, so paho misses nothing.
"""

import socket
import time
from collections.abc import Callable
from types import TracebackType

import paho.mqtt.client as paho
from broker import Broker
from errors import BenchError
from paho.mqtt.enums import CallbackAPIVersion

_PATIENCE_S = 10
_READ_SIZE = 65536
_PUBLISH = 3


class Client:
    """Connected and subscribed to the filter `topics` inside `with`."""

    def __init__(self, broker: Broker, name: str, topics: str) -> None:
        self._broker = broker
        self._topics = topics
        self._subscribed = False
        self._partial = b""
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._client.username_pw_set(broker.username, broker.password)
        self._client.on_subscribe = self._note_subscribe

    def __enter__(self) -> "Client":
        # No pings: nobody drives the client between two publishes.
        self._client.connect(self._broker.host, self._broker.port, keepalive=0)
        self._loop_until(self._client.is_connected, "log in to")
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.subscribe(self._topics, 0)
        self._loop_until(lambda: self._subscribed, "subscribe at")
        self._sock.settimeout(_PATIENCE_S)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.disconnect()

    def publish(self, topic: str, payload: bytes) -> int:
        """Publish at once; the time just before, in ns."""
        began = time.perf_counter_ns()
        self._client.publish(topic, payload)
        return began

    def receive(self, ending: bytes) -> int:
        """Wait for a message that ends so; the time it was read, in ns."""
        data = b""
        while not data.endswith(ending):
            try:
                piece = self._sock.recv(_READ_SIZE)
            except TimeoutError:
                piece = b""
            if not piece:
                raise BenchError(
                    "a message did not come within %d s, expected at its end %s" % (_PATIENCE_S, ending.hex(" "))
                )
            data += piece
        return time.perf_counter_ns()

    def fileno(self) -> int:
        return self._sock.fileno()

    def take(self) -> list[bytes]:
        """The payloads of the messages completed by one read; blocks until there is something to read."""
        self._partial += self._sock.recv(_READ_SIZE) or self._give_up()
        payloads, used = _split(self._partial)
        self._partial = self._partial[used:]
        return payloads

    def _give_up(self) -> bytes:
        raise BenchError("broker %s closed the connection" % self._broker.name)

    @property
    def _sock(self) -> socket.socket:
        sock = self._client.socket()
        if not isinstance(sock, socket.socket):
            raise BenchError("broker %s closed the connection" % self._broker.name)
        return sock

    def _loop_until(self, is_done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not is_done():
            if time.monotonic() > deadline:
                raise BenchError("could not %s broker %s within %d s" % (what, self._broker.name, _PATIENCE_S))
            self._client.loop(0.1)

    def _note_subscribe(self, *_: object) -> None:
        self._subscribed = True


def _split(data: bytes) -> tuple[list[bytes], int]:
    """(the payloads of the whole messages of QoS 0 in `data`, how many bytes all whole packets take)."""
    payloads = []
    at = 0
    while True:
        begin, size = at + 1, 0
        for shift in range(0, 28, 7):  # the length: seven bits a byte, the lowest first
            if begin >= len(data):
                return payloads, at
            size |= (data[begin] & 0x7F) << shift
            begin += 1
            if not data[begin - 1] & 0x80:
                break
        if len(data) < begin + size:
            return payloads, at
        if data[at] >> 4 == _PUBLISH:
            topic = int.from_bytes(data[begin : begin + 2], "big")
            payloads.append(data[begin + 2 + topic : begin + size])
        at = begin + size
