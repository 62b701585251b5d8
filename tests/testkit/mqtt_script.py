"""MQTT packets by hand, for a broker that misbehaves exactly as a test wants. Used with `raw_server`."""

import asyncio

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90, 0xE0


async def read_packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """(first byte, rest after the length) of one packet."""
    kind = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return kind, await reader.readexactly(length)


def packet(kind: int, body: bytes = b"") -> bytes:
    """One packet."""
    length = b""
    n = len(body)
    while n > 127:
        length += bytes((n & 127 | 128,))
        n >>= 7
    return bytes((kind,)) + length + bytes((n,)) + body


def connack(code: int = 0) -> bytes:
    return packet(CONNACK, bytes((0, code)))


def suback(subscribe: bytes, granted: int = 0) -> bytes:
    """The answer to the SUBSCRIBE whose body is `subscribe`."""
    return packet(SUBACK, subscribe[:2] + bytes((granted,)))


def publish(topic: str, payload: bytes) -> bytes:
    name = topic.encode()
    return packet(PUBLISH, len(name).to_bytes(2, "big") + name + payload)


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, topics: int = 3) -> list[bytes]:
    """Let a client log in and subscribe `topics` times; the topics it asked for."""
    kind, _ = await read_packet(reader)
    assert kind == CONNECT
    writer.write(connack())
    asked = []
    for _ in range(topics):
        kind, body = await read_packet(reader)
        assert kind == SUBSCRIBE
        asked.append(body[4:-1])
        writer.write(suback(body))
    return asked
