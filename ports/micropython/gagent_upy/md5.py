"""MD5 as a stream, RFC 1321: stock ESP8266 firmware has none. What the platform has is used where it has it.

About 1.6 KB a second on an ESP8266: who hashes a whole file feeds the watchdog in between.
"""

import hashlib
from struct import pack, unpack_from

# floor(2**32 * abs(sin(i + 1))), 64 words; computed, because a chip's floats are too short for it.
_SINES = bytes.fromhex(
    "78a46ad756b7c7e8db702024eecebdc1af0f7cf52ac68747134630a8019546fdd8988069aff7448bb15bffffbed75c89"
    "2211906b937198fd8e4379a62108b44962251ef640b340c0515a5e26aac7b6e95d102fd65314440281e6a1d8c8fbd3e7"
    "e6cde121d60737c3870dd5f4ed145a4505e9e3a9f8a3effcd9026f678a4c2a8d4239faff81f6718722619d6d0c38e5fd"
    "44eabea4a9cfde4b604bbbf670bcbfbec67e9b28fa27a1ea8530efd4051d880439d0d4d9e599dbe6f87ca21f6556acc4"
    "442229f497ff2a43a72394ab39a093fcc3595b6592cc0c8f7df4efffd15d84854f7ea86fe0e62cfe144301a3a111084e"
    "827e53f735f23abdbbd2d72a91d386eb"
)
_SHIFTS = b"\x07\x0c\x11\x16\x05\x09\x0e\x14\x04\x0b\x10\x17\x06\x0a\x0f\x15"
_START = b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10"


def md5():
    """A hash with `update(data)` and `digest()`."""
    found = getattr(hashlib, "md5", None)
    return found() if found else Md5()


class Md5:
    """The same without the platform's help."""

    def __init__(self):
        self._state = unpack_from("<4I", _START)
        self._rest = b""
        self._size = 0

    def update(self, data):
        """More bytes."""
        self._size += len(data)
        if self._rest:
            data = self._rest + bytes(data)
        end = len(data) - len(data) % 64
        for at in range(0, end, 64):
            self._block(data, at)
        self._rest = bytes(data[end:])

    def digest(self) -> bytes:
        """The 16 bytes; the last call."""
        size = self._size
        self.update(b"\x80" + bytes((55 - size) % 64) + pack("<Q", size * 8))
        return pack("<4I", *self._state)

    def _block(self, data, at):
        words = unpack_from("<16I", data, at)
        a, b, c, d = self._state
        for i in range(64):
            kind = i >> 4
            if kind == 0:
                f = d ^ (b & (c ^ d))
                g = i
            elif kind == 1:
                f = c ^ (d & (b ^ c))
                g = 5 * i + 1
            elif kind == 2:
                f = b ^ c ^ d
                g = 3 * i + 5
            else:
                f = c ^ (b | ~d & 0xFFFFFFFF)
                g = 7 * i
            f = (f + a + unpack_from("<I", _SINES, i * 4)[0] + words[g & 15]) & 0xFFFFFFFF
            shift = _SHIFTS[kind << 2 | i & 3]
            a, d, c = d, c, b
            b = (b + (f << shift | f >> (32 - shift))) & 0xFFFFFFFF
        before = self._state
        self._state = tuple([(x + y) & 0xFFFFFFFF for x, y in zip(before, (a, b, c, d))])
