"""MQTT control packets, as far as the broker's door must understand them. MQTT 3.1 and 3.1.1, chapters 2 and 3.

    head (type << 4 | flags) | L (1 to 4, seven bits a byte, low group first) | body of L bytes

Texts are two bytes of length and UTF-8. 3.1 differs from 3.1.1 in the name and level that CONNECT begins with
("MQIsdp" 3, "MQTT" 4) and in nothing else that matters here. Anything cut, padded or too long raises RemoteError.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from mcu_proto.errors import RemoteError

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14

LEVEL_3_1 = 3
LEVEL_3_1_1 = 4
_NAMES = {LEVEL_3_1: "MQIsdp", LEVEL_3_1_1: "MQTT"}


class Connect(NamedTuple):
    level: int  # 0 when it is neither 3.1 nor 3.1.1
    keepalive_s: int
    client_id: str
    username: str | None
    password: bytes | None


class Publish(NamedTuple):
    topic: str
    payload: bytes
    qos: int
    dup: bool
    packet_id: int  # 0 when QoS is 0


async def read_packet(
    reader: asyncio.StreamReader, max_body: int, *, idle_s: float | None, gap_s: float | None
) -> tuple[int, bytes]:
    """(head, body) of the next packet; TimeoutError when none begins for `idle_s`, or one stops for `gap_s` midway."""
    async with asyncio.timeout(idle_s):
        head = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        async with asyncio.timeout(gap_s):
            digit = (await reader.readexactly(1))[0]
        length |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            break
        if shift > 21:
            raise RemoteError("MQTT packet %02x with a length of more than 4 bytes" % head)
    if length > max_body:
        raise RemoteError("MQTT packet %02x of %d bytes, at most %d are taken" % (head, length, max_body))
    body = bytearray()
    while len(body) < length:
        async with asyncio.timeout(gap_s):
            piece = await reader.read(length - len(body))
        if not piece:
            raise asyncio.IncompleteReadError(bytes(body), length)
        body += piece
    return head, bytes(body)


def build_packet(head: int, body: bytes = b"") -> bytes:
    """A whole packet."""
    out = bytearray((head,))
    length = len(body)
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    out.append(length)
    return bytes(out + body)


def parse_connect(body: bytes) -> Connect:
    """A CONNECT; the will is skipped, a level this broker does not speak leaves the rest empty."""
    fields = _Fields(body)
    name, level = fields.text(), fields.number(1)
    if _NAMES.get(level) != name:
        return Connect(0, 0, "", None, None)
    flags, keepalive_s = fields.number(1), fields.number(2)
    client_id = fields.text()
    if flags & 0x04:
        fields.data()
        fields.data()
    username = fields.text() if flags & 0x80 else None
    password = fields.data() if flags & 0x40 else None
    return Connect(level, keepalive_s, client_id, username, password)


def build_connect(client_id: str) -> bytes:
    """A 3.1.1 CONNECT with a clean session, no will, no keep-alive and no login."""
    return build_packet(CONNECT << 4, _text("MQTT") + bytes((LEVEL_3_1_1, 0x02, 0, 0)) + _text(client_id))


def build_connack(code: int) -> bytes:
    """The answer to a CONNECT: 0 accepted, else why not."""
    return bytes((CONNACK << 4, 2, 0, code))


def parse_publish(head: int, body: bytes) -> Publish:
    """A PUBLISH; what its retain flag says is not kept."""
    qos = head >> 1 & 3
    if qos == 3:
        raise RemoteError("PUBLISH with QoS 3")
    fields = _Fields(body)
    topic = fields.text()
    packet_id = fields.number(2) if qos else 0
    return Publish(topic, fields.rest(), qos, bool(head & 8), packet_id)


def build_publish(topic: str, payload: bytes) -> bytes:
    """A PUBLISH with QoS 0."""
    return build_packet(PUBLISH << 4, _text(topic) + payload)


def build_ack(kind: int, packet_id: int) -> bytes:
    """PUBACK, PUBREC or PUBCOMP."""
    return build_packet(kind << 4, packet_id.to_bytes(2, "big"))


def parse_packet_id(body: bytes) -> int:
    """The packet id an ack or a subscription begins with."""
    return _Fields(body).number(2)


def parse_subscribe(body: bytes) -> tuple[int, list[str]]:
    """(packet id, filters); the QoS asked for is not kept."""
    fields = _Fields(body)
    packet_id = fields.number(2)
    filters = []
    while fields.left():
        filters.append(fields.text())
        fields.number(1)
    return packet_id, _some(filters)


def build_subscribe(packet_id: int, filters: list[str]) -> bytes:
    """A SUBSCRIBE that asks for QoS 0."""
    topics = b"".join(_text(topic_filter) + b"\x00" for topic_filter in filters)
    return build_packet(SUBSCRIBE << 4 | 2, packet_id.to_bytes(2, "big") + topics)


def parse_unsubscribe(body: bytes) -> tuple[int, list[str]]:
    """(packet id, filters)."""
    fields = _Fields(body)
    packet_id = fields.number(2)
    filters = []
    while fields.left():
        filters.append(fields.text())
    return packet_id, _some(filters)


def build_unsubscribe(packet_id: int, filters: list[str]) -> bytes:
    """An UNSUBSCRIBE."""
    return build_packet(UNSUBSCRIBE << 4 | 2, packet_id.to_bytes(2, "big") + b"".join(map(_text, filters)))


class _Fields:
    """The fields of a body, one after the other."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def left(self) -> int:
        return len(self._body) - self._at

    def take(self, n: int) -> bytes:
        if n > self.left():
            raise RemoteError("MQTT packet ends %d bytes early" % (n - self.left()))
        self._at += n
        return self._body[self._at - n : self._at]

    def rest(self) -> bytes:
        return self.take(self.left())

    def number(self, n: int) -> int:
        return int.from_bytes(self.take(n), "big")

    def data(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        try:
            text = self.data().decode()
        except UnicodeDecodeError as e:
            raise RemoteError("MQTT text that is not UTF-8: %s" % e.object[:32].hex()) from None
        if "\x00" in text:
            raise RemoteError("MQTT text with a NUL in it")
        return text


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _some(filters: list[str]) -> list[str]:
    if not filters or not all(filters):
        raise RemoteError("MQTT subscription without a filter")
    return filters
