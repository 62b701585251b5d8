"""Checksums: the protocol's byte sum, its relatives, any CRC; and which of them a frame ends with.

The CRCs and their parameters are crcmod's. Pure.
"""

from collections import namedtuple
from collections.abc import Callable, Iterator
from functools import reduce

import crcmod
import crcmod.predefined

from mcu_proto.frame import checksum

# `size` in bytes; `compute(data)` gives a number.
Algorithm = namedtuple("Algorithm", ("name", "size", "compute", "about"))
# The bytes from `start` to the last `size` ones have this checksum there, in this byte order.
Match = namedtuple("Match", ("algorithm", "start", "order"))

# A frame has a header of a few bytes at most that its checksum leaves out.
_MAX_START = 8


class ChecksumError(Exception):
    """A checksum that cannot be; the text says what was expected."""


def algorithms() -> list[Algorithm]:
    """Every one that is known by name: sums first, then crcmod's."""
    return [*_SUMS, *(_predefined(name) for name in _CRCS)]


def algorithm(name: str) -> Algorithm:
    """By its name; ChecksumError lists those that are alike."""
    wanted = name.lower()
    for each in algorithms():
        if each.name == wanted:
            return each
    alike = [each.name for each in algorithms() if wanted[:4] in each.name]
    raise ChecksumError(
        "unknown checksum %s, expected one of %s" % (name[:40], ", ".join(alike or ["sum8", "crc-16 ..."]))
    )


def of_polynomial(poly: int, init: int, is_reflected: bool, xor: int) -> Algorithm:
    """A CRC by its parameters as crcmod takes them: 0x11021 has 16 bits, the leading 1 counts."""
    bits = poly.bit_length() - 1
    if bits not in (8, 16, 24, 32, 64):
        raise ChecksumError(
            "polynomial %#x has %d bits, expected 8, 16, 24, 32 or 64 and a leading 1, like 0x11021" % (poly, bits)
        )
    mask = (1 << bits) - 1
    compute = crcmod.mkCrcFun(poly, initCrc=init & mask, rev=is_reflected, xorOut=xor & mask)
    return Algorithm("crc of %#x" % poly, bits // 8, compute, "init %#x, xor %#x" % (init, xor))


def which(data: bytes) -> Iterator[Match]:
    """Every known checksum that `data` ends with, whatever header it leaves out, most likely first."""
    for each in sorted(algorithms(), key=lambda each: -each.size):
        if len(data) <= each.size:
            continue
        tail = data[-each.size :]
        for start in range(min(_MAX_START, len(data) - each.size) + 1):
            body = data[start : -each.size]
            if not body:
                continue
            value = each.compute(body)
            for order in ("big", "little") if each.size > 1 else ("big",):
                if value.to_bytes(each.size, order) == tail:
                    yield Match(each, start, order)


def unstuffed(data: bytes) -> bytes:
    """A frame of the protocol without its stuffing; anything else as it is."""
    return data[:2] + data[2:].replace(b"\xff\x55", b"\xff") if data[:2] == b"\xff\xff" else data


def _xor(data: bytes) -> int:
    return reduce(lambda a, b: a ^ b, data, 0)


def _fletcher16(data: bytes) -> int:
    low = high = 0
    for b in data:
        low = (low + b) % 255
        high = (high + low) % 255
    return high << 8 | low


_SUMS = (
    Algorithm("sum8", 1, checksum, "byte sum modulo 256: this protocol's, from len on"),
    Algorithm("sum8-twos", 1, lambda data: -sum(data) & 0xFF, "two's complement of the byte sum: Intel HEX"),
    Algorithm("sum8-ones", 1, lambda data: ~sum(data) & 0xFF, "one's complement of the byte sum"),
    Algorithm("xor8", 1, _xor, "all bytes xored: NMEA, many others"),
    Algorithm("sum16", 2, lambda data: sum(data) & 0xFFFF, "byte sum modulo 65536"),
    Algorithm("fletcher-16", 2, _fletcher16, "two sums modulo 255"),
)


def _predefined(name: str) -> Algorithm:
    crc = crcmod.predefined.PredefinedCrc(name)
    compute: Callable[[bytes], int] = crcmod.predefined.mkCrcFun(name)
    return Algorithm(name, crc.digest_size, compute, "polynomial %#x" % crc.poly)


# What crcmod has by name.
_CRCS = (
    "crc-16",
    "crc-16-buypass",
    "crc-16-dds-110",
    "crc-16-dect",
    "crc-16-dnp",
    "crc-16-en-13757",
    "crc-16-genibus",
    "crc-16-maxim",
    "crc-16-mcrf4xx",
    "crc-16-riello",
    "crc-16-t10-dif",
    "crc-16-teledisk",
    "crc-16-usb",
    "crc-24",
    "crc-24-flexray-a",
    "crc-24-flexray-b",
    "crc-32",
    "crc-32-bzip2",
    "crc-32-mpeg",
    "crc-32c",
    "crc-32d",
    "crc-32q",
    "crc-64",
    "crc-64-jones",
    "crc-64-we",
    "crc-8",
    "crc-8-darc",
    "crc-8-i-code",
    "crc-8-itu",
    "crc-8-maxim",
    "crc-8-rohc",
    "crc-8-wcdma",
    "crc-aug-ccitt",
    "crc-ccitt-false",
    "jamcrc",
    "kermit",
    "modbus",
    "posix",
    "x-25",
    "xfer",
    "xmodem",
)
