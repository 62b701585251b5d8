"""A frame decoder as one writes it first: a byte, a branch, the next byte. Serial manual, chapter 1.

Only here to compare with: the ratio to it says what the decoder of the project is worth on any machine. It does the
same work on a clean stream (header, length, unstuffing, checksum) and none of the recovery from a bad one.
"""

from mcu_proto.const import HEADER
from mcu_proto.frame import Frame


class PlainDecoder:
    """A stream of good frames in, frames out."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._headers = 0
        self._stuffed = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by `data`."""
        out = []
        for byte in data:
            if self._stuffed:
                self._stuffed = False
                continue
            if self._headers < 2:
                self._headers = self._headers + 1 if byte == 0xFF else 0
                continue
            self._stuffed = byte == 0xFF
            self._body.append(byte)
            body = self._body
            if len(body) < 2 or len(body) < (body[0] << 8 | body[1]) + 2:
                continue
            if sum(body[:-1]) & 0xFF == body[-1]:
                out.append(Frame(body[2], body[3], body[4] << 8 | body[5], bytes(body[6:-1])))
            self._body = bytearray()
            self._headers = 0
        return out


def encode_plain(cmd: int, sn: int, payload: bytes) -> bytes:
    """The wire bytes of one frame."""
    length = len(payload) + 5
    total = 0
    out = bytearray(HEADER)
    for byte in (length >> 8, length & 0xFF, cmd, sn, 0, 0, *payload):
        total += byte
        out.append(byte)
        if byte == 0xFF:
            out.append(0x55)
    out.append(total & 0xFF)
    if total & 0xFF == 0xFF:
        out.append(0x55)
    return bytes(out)
