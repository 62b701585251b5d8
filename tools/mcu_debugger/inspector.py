"""The frame inspector: every byte of one frame with its name and meaning. Serial manual, chapters 1 to 9. Pure.

`inspect` takes the bytes as they were on the wire, so that a stuffed `55` is seen where it stands; offsets are those of
the frame without stuffing, as the manual counts. It survives whatever is handed to it: noise before the header, a frame
that is cut, a length that lies, a payload that means nothing. Secrets are named and not shown.
"""

from collections import namedtuple

from mcu_proto.const import HEADER, LEN_OVERHEAD, MAX_FRAME
from mcu_proto.datapoint import Schema
from mcu_proto.frame import Frame, checksum
from mcu_proto.names import CMD_NAMES

from .byte_cursor import ByteCursor, Cut
from .inspector_payloads import PAYLOADS
from .slicer import FrameSlicer

# `offset` is None for a row about a part of the row above: a bit, an attribute in a bit block. `data` is what was on
# the wire, None for such a part, empty for a secret. `depth` is how far to indent.
Row = namedtuple("Row", ("offset", "data", "name", "meaning", "depth"))

# What a secret looks like in the column of bytes.
MASK = "··"


def inspect(wire: bytes, schema: Schema | None = None) -> list[Row]:
    """The rows of one frame; attributes by name when `schema` is given."""
    start = wire.find(HEADER)
    if start < 0:
        return [Row(0, wire, "noise", "no frame: one begins with ff ff", 0)] if wire else []
    rows = [Row(0, wire[:start], "noise", "before the header", 0)] if start else []
    rows.append(Row(0, HEADER, "header", "a frame begins; never stuffed", 0))
    cursor = ByteCursor(_unstuffed(wire[start + 2 :]), 2)
    try:
        _body(cursor, schema)
    except Cut as cut:
        cursor.note("missing", "%d more bytes expected here" % cut.missing)
    if cursor.left():
        cursor.take(cursor.left(), "surplus", "after the end of the frame")
    return rows + [Row(*item) for item in cursor.rows]


def inspect_frame(frame: Frame, schema: Schema | None = None) -> list[Row]:
    """The same of a decoded frame: its wire bytes are made anew, with stuffing."""
    return inspect(wire_of(frame), schema)


def wire_of(frame: Frame) -> bytes:
    """What the frame looks like on the wire, whatever its length."""
    n = len(frame.payload) + LEN_OVERHEAD
    body = bytes((n >> 8 & 0xFF, n & 0xFF, frame.cmd, frame.sn, frame.flags >> 8, frame.flags & 0xFF)) + frame.payload
    body += bytes((checksum(body),))
    return HEADER + body.replace(b"\xff", b"\xff\x55")


def inspect_lines(data: bytes, schema: Schema | None = None) -> list[str]:
    """Plain text about every frame and all else in a stream, an empty line between them."""
    slicer = FrameSlicer()
    out: list[str] = []
    for wire, _ in slicer.feed(data) + slicer.flush():
        out += [""] * bool(out) + row_lines(inspect(wire, schema))
    return out


def row_hex(row: Row) -> str:
    """The column of bytes."""
    if row.data is None:
        return ""
    return MASK if row.data == b"" else row.data.hex(" ")


def row_lines(rows: list[Row]) -> list[str]:
    """The rows as plain text: offset, bytes (16 a line), name, meaning."""
    out = []
    width = max((len(row.name) + 2 * row.depth for row in rows), default=0)
    for row in rows:
        offset = "" if row.offset is None else "%4d" % row.offset
        chunks = _chunks(row_hex(row))
        name = "  " * row.depth + row.name
        out.append(("%-4s  %-47s  %-*s  %s" % (offset, chunks[0], width, name, row.meaning)).rstrip())
        out += ["      " + chunk for chunk in chunks[1:]]
    return out


def _chunks(text: str) -> list[str]:
    return [text[i : i + 48].strip() for i in range(0, len(text), 48)] or [""]


def _unstuffed(data: bytes) -> list[bytes]:
    """One item per byte of the frame: the byte, with the 55 that was stuffed behind it."""
    out = []
    i = 0
    while i < len(data):
        size = 2 if data[i] == 0xFF and data[i + 1 : i + 2] == b"\x55" else 1
        out.append(data[i : i + size])
        i += size
    return out


def _body(cursor: ByteCursor, schema: Schema | None) -> None:
    size = cursor.number(2, "length", _length_text)
    covered = sum(size.to_bytes(2, "big"))
    payload_size = max(size - LEN_OVERHEAD, 0)
    cmd = cursor.number(1, "cmd", lambda n: CMD_NAMES.get(n, "unknown command"))
    sn = cursor.number(1, "sn", lambda n: "%d, the ack has the same" % n if cmd & 1 else "%d, that of the request" % n)
    flags = cursor.number(2, "flags", lambda n: _flags_text(cmd, n))
    covered += cmd + sn + sum(flags.to_bytes(2, "big"))
    covered += _payload(cursor, cmd, flags, payload_size, schema)
    expected = covered & 0xFF
    cursor.number(1, "checksum", lambda n: _checksum_text(n, expected))


def _payload(cursor: ByteCursor, cmd: int, flags: int, size: int, schema: Schema | None) -> int:
    """Tell the payload; the sum of its bytes."""
    present = min(size, max(cursor.left(), 0))
    inner = cursor.part(present)
    total = sum(inner.peek())
    describe = PAYLOADS.get(cmd)
    if describe is not None and present:
        try:
            describe(inner, flags, schema)
        except Cut as cut:
            inner.note("cut", "%d more bytes expected in the payload" % cut.missing)
    if inner.left():
        inner.take(inner.left(), "surplus" if describe else "payload", "not described by the manual")
    cursor.join(inner)
    if present < size:
        raise Cut(size - present + 1)
    return total


def _length_text(size: int) -> str:
    if size < LEN_OVERHEAD:
        return "%d: impossible, the least is %d" % (size, LEN_OVERHEAD)
    if size > MAX_FRAME:
        return "%d: impossible, at most %d" % (size, MAX_FRAME)
    return "%d bytes from cmd to checksum, payload of %d" % (size, size - LEN_OVERHEAD)


def _checksum_text(got: int, expected: int) -> str:
    return "right" if got == expected else "WRONG: %02x expected" % expected


# (cmd, bit of the low byte): what it says. 03 and 05 share their bit, so do 1b and 1d.
_FLAG_NAMES = {
    (0x03, 1): "a did stands before the action",
    (0x05, 1): "a did stands before the action",
    (0x1B, 1): "lines of HEX text wanted",
    (0x1D, 1): "a line of HEX text",
    (0x1D, 2): "the last line",
}


def _flags_text(cmd: int, flags: int) -> str:
    if not flags:
        return "none"
    known = [bit for (of, bit) in _FLAG_NAMES if of == cmd and flags & bit]
    words = [_FLAG_NAMES[cmd, bit] for bit in known]
    rest = flags & ~sum(known)
    return ", ".join(words + (["%04x unknown" % rest] if rest else []))
