"""The cloud's envelope around P0, and the service messages. Cloud manual, device side, chapters 4.4 to 4.6.

Relay, on app2dev and dev2app (and on the LAN):

    00 00 00 03 | L (1 to 4) | flag 00 | cmd (2) | [sn (4)] | P0

L counts the bytes after itself, seven bits a byte, low group first. Only 0x0093 and 0x0094 carry the sn.
Service, on ser2cli_res and cli2ser_req: `00 00 00 03 | cmd (2) | body`, no length and no flag.
"""

from collections import namedtuple

from mcu_proto.const import const
from mcu_proto.errors import RemoteError

CLOUD_COMMAND = const(0x0090)  # app to device, no ack wanted
CLOUD_REPORT = const(0x0091)  # device to apps, also the answer to 0x0090
CLOUD_CONTROL = const(0x0093)  # app to device, ack wanted
CLOUD_CONTROL_ACK = const(0x0094)
SERVICE_ASK_APP_COUNT = const(0x020F)
SERVICE_APP_COUNT = const(0x0210)
SERVICE_OTA = const(0x0211)
SERVICE_OTA_PROGRESS = const(0x022C)

PREFIX = b"\x00\x00\x00\x03"
# An envelope longer than this cannot be told from garbage: devices announce files of at most 65 kB in it.
MAX_LENGTH = const(0x1FFFF)

Envelope = namedtuple("Envelope", ("cmd", "sn", "p0"))


def encode(cmd, p0, sn=0) -> bytes:
    """The envelope of `p0`; `sn` goes in only with 0x0093 and 0x0094."""
    body = bytes((0, cmd >> 8, cmd & 0xFF))
    if cmd == CLOUD_CONTROL or cmd == CLOUD_CONTROL_ACK:
        body += sn.to_bytes(4, "big")
    return PREFIX + encode_length(len(body) + len(p0)) + body + p0


def decode(data) -> Envelope:
    """The one envelope in `data`; RemoteError when it is cut, too long, or flagged."""
    length, start = decode_length(data)
    if length != len(data) - start or length < 3:
        raise RemoteError("envelope says %d bytes, %d are there" % (length, len(data) - start))
    if data[start]:
        raise RemoteError("envelope with flag %02x" % data[start])
    cmd = data[start + 1] << 8 | data[start + 2]
    p0 = start + 3
    sn = 0
    if cmd == CLOUD_CONTROL or cmd == CLOUD_CONTROL_ACK:
        if length < 7:
            raise RemoteError("envelope %04x without its sn" % cmd)
        sn = int.from_bytes(data[p0 : p0 + 4], "big")
        p0 += 4
    return Envelope(cmd, sn, bytes(data[p0:]))


def encode_length(n) -> bytes:
    """`n` in the variable-length form of MQTT."""
    out = b""
    while n > 127:
        out += bytes((n & 127 | 128,))
        n >>= 7
    return out + bytes((n,))


def decode_length(data) -> tuple:
    """(length, offset of the byte after it) of an envelope; RemoteError when the prefix or the length is bad."""
    if bytes(data[:4]) != PREFIX:
        raise RemoteError("envelope begins with %s" % bytes(data[:4]).hex())
    n = 0
    for i in range(4, min(len(data), 8)):
        n |= (data[i] & 127) << 7 * (i - 4)
        if data[i] < 128:
            if n > MAX_LENGTH:
                break
            return n, i + 1
    raise RemoteError("envelope length is cut or too large")


def encode_service(cmd, body=b"") -> bytes:
    """A service message."""
    return PREFIX + bytes((cmd >> 8, cmd & 0xFF)) + body


def decode_service(data) -> tuple:
    """(cmd, body) of a service message; RemoteError when it is cut."""
    if bytes(data[:4]) != PREFIX or len(data) < 6:
        raise RemoteError("service message of %d bytes" % len(data))
    return data[4] << 8 | data[5], bytes(data[6:])
