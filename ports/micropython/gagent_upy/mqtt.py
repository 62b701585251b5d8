"""MQTT packets: built as bytes, read from a stream. No sockets, no clock.

Version 3.1 (`MQIsdp`), clean session, as the cloud manual's device side, chapter 4.1, wants it: the vendor's broker
refuses 3.1.1, and every other one takes 3.1 as well. What is here is what a device needs: QoS 0 and 1.

The reader promises to survive: any split of the stream into reads, and packets that are too long, or for which there
is no room now (skipped whole). A packet that MQTT cannot have ends the session: `None` among the packets.
"""

from mcu_proto.const import const

CONNACK = const(2)
PUBLISH = const(3)
PUBACK = const(4)
SUBACK = const(9)

PING = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"

# Clean session, with user name and password; 3 is the level of MQTT 3.1.
_CONNECT = b"\x00\x06MQIsdp\x03\xc2"


def connect(client_id, username, password, keepalive_s) -> bytes:
    """CONNECT: log in with a clean session."""
    keepalive = keepalive_s.to_bytes(2, "big")
    return packet(0x10, _CONNECT, keepalive, _text(client_id), _text(username), _text(password))


def subscribe(mid, topic) -> bytes:
    """SUBSCRIBE to one topic with QoS 0."""
    return packet(0x82, mid.to_bytes(2, "big"), _text(topic), b"\x00")


def publish(topic, payload, mid=0, is_again=0) -> bytes:
    """PUBLISH: QoS 1 under `mid`, QoS 0 without; `is_again` 1 says that it was sent before."""
    if not mid:
        return packet(0x30, _text(topic), payload)
    return packet(0x32 | is_again << 3, _text(topic), mid.to_bytes(2, "big"), payload)


def parse_publish(flags, body) -> tuple:
    """(topic, mid or 0, payload) of a PUBLISH; ValueError when it is cut or its topic is no text."""
    end = 2 + (body[0] << 8 | body[1]) if len(body) > 1 else 0
    start = end + 2 if flags & 6 else end
    if not end or start > len(body):
        raise ValueError
    return str(body[2:end], "utf-8"), int.from_bytes(body[end:start], "big"), memoryview(body)[start:]


def packet(head, *parts) -> bytes:
    """A packet of the first byte `head` and a body of these parts, each copied once."""
    n = sum([len(part) for part in parts])
    out = bytes((head,))
    while n > 127:
        out += bytes((n & 127 | 128,))
        n >>= 7
    return b"".join((out, bytes((n,))) + parts)


def _text(text) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


class MqttReader:
    """A stream of bytes in, packets out; `size` is the longest packet body that is not skipped."""

    def __init__(self, size):
        self._size = size
        self.reset()

    def reset(self):
        """A new connection, or a new packet."""
        self._head = -1
        # Of the body, when its length is known; None: it is skipped.
        self._buf = None
        # Of the body: how long, -1 while not known, and how much of it came. Of its length: how much, in bits.
        self._length = -1
        self._have = 0
        self._shift = 0

    def feed(self, data) -> list:
        """The packets that `data` completes, each (type, flags, body); keeps nothing of `data`."""
        out: list = []
        i = 0
        end = len(data)
        while i < end:
            b = data[i]
            if self._head < 0:
                self._head = b
                i += 1
                continue
            if self._length < 0:
                if self._shift > 21 or self._head < 0x10:
                    out.append(None)
                    return out
                i += 1
                self._have |= (b & 127) << self._shift
                self._shift += 7
                if b > 127:
                    continue
                self._length = self._have
                self._have = 0
                if self._length <= self._size:
                    try:
                        self._buf = bytearray(self._length)
                    except MemoryError:
                        pass  # this one is lost, the session need not be
            buf = self._buf
            n = min(end - i, self._length - self._have)
            if buf is not None:
                buf[self._have : self._have + n] = data[i : i + n]
            self._have += n
            i += n
            if self._have == self._length:
                if buf is not None:
                    out.append((self._head >> 4, self._head & 15, buf))
                self.reset()
        return out
