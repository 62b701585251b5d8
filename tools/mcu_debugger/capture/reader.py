"""A capture file read up to its damage and after it: every line that is good counts, everything else is told.

It reads what `writer` writes, compressed or not, whatever happened to it: a cut end, a bad sector, missing lines, a
part in between. Nothing is held in memory but one line.
"""

import zlib
from collections import namedtuple
from collections.abc import Iterator

from .record import Chunk, End, Head, Note, RecordError, decode_record
from .writer import CaptureError, parts_of

# Something is wrong with the file there; reading goes on when it can.
Damage = namedtuple("Damage", ("line", "why"))

_READ_SIZE = 1 << 20
_GZIP = b"\x1f\x8b"
# No record is longer: a chunk of 64 KB is 128 KB of hex.
_MAX_LINE = 1 << 20


def read_capture(path: str) -> Iterator[Head | Chunk | Note | Damage]:
    """The records of one file in their order, damage among them; CaptureError when it cannot be opened."""
    expected = None
    is_ended = False
    number = 0
    for number, line in enumerate(_lines(path), 1):
        if isinstance(line, Damage):
            yield Damage(number, line.why)
            continue
        if line.strip() == b"":
            continue
        try:
            n, record = decode_record(line)
        except RecordError as e:
            is_last = not line.endswith(b"\n")
            yield Damage(number, "the last line is cut" if is_last else str(e))
            # Its own number is not known.
            expected = None if expected is None else expected + 1
            continue
        if isinstance(record, Head) and n == 0:
            # Parts may be joined in one file.
            expected = n
        if expected is not None and n != expected:
            yield Damage(
                number, "%d lines are missing before it" % (n - expected) if n > expected else "it is out of order"
            )
        expected = n + 1
        is_ended = isinstance(record, End)
        if not isinstance(record, End):
            yield record
    if not is_ended:
        yield Damage(number + 1, "the file was not closed: its end is missing")


def read_parts(path: str) -> Iterator[Head | Chunk | Note | Damage]:
    """The older parts of a capture, oldest first, then itself."""
    for part in [*parts_of(path), path]:
        yield from read_capture(part)


def _lines(path: str) -> Iterator["bytes | Damage"]:
    rest = b""
    for data in _blocks(path):
        if isinstance(data, Damage):
            yield data
            continue
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(rest) > _MAX_LINE:
            yield Damage(0, "a line of over %d bytes: this is no capture" % _MAX_LINE)
            rest = b""
    if rest:
        yield rest


def _blocks(path: str) -> Iterator["bytes | Damage"]:
    """The file's bytes, decompressed as far as they can be."""
    try:
        with open(path, "rb") as file:
            data = file.read(_READ_SIZE)
            if not data.startswith(_GZIP):
                while data:
                    yield data
                    data = file.read(_READ_SIZE)
                return
            inflater = zlib.decompressobj(wbits=31)
            while data:
                try:
                    yield inflater.decompress(data)
                except zlib.error as e:
                    yield Damage(0, "the compressed data is damaged (%s), what follows cannot be read" % e)
                    return
                if inflater.eof:
                    # Another member may follow: parts that were joined.
                    data = inflater.unused_data or file.read(_READ_SIZE)
                    inflater = zlib.decompressobj(wbits=31)
                else:
                    data = file.read(_READ_SIZE)
    except OSError as e:
        raise CaptureError("capture %s cannot be read: %s" % (path, e.strerror)) from None
