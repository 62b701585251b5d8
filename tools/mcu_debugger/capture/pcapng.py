"""A capture as pcapng, for Wireshark with `mcu_serial.lua`: one packet a frame, or a stretch of noise.

Blocks: section header, one interface of link type USER0 (147), an enhanced packet each. A packet is one byte that says
who spoke (0 module, 1 MCU, 2 not known), then the wire bytes, stuffing included. Its flags say inbound for what the MCU
sent; its comment what is wrong with it, or the note before it. Layout: draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Callable, Iterable, Iterator

from mcu_proto.const import MCU, MODULE
from mcu_proto.frame import BadFrame
from mcu_proto.names import BAD_NAMES

from ..observer import Observed, Unanswered
from ..redaction import redacted
from .record import Note

LINKTYPE_USER0 = 147

_SECTION = 0x0A0D0D0A
_INTERFACE = 1
_PACKET = 6
_MAGIC = 0x1A2B3C4D
_OPT_COMMENT = 1
_OPT_IF_NAME = 2
_OPT_FLAGS = 2
_INBOUND = 1
_OUTBOUND = 2
_WHO = {MODULE: 0, MCU: 1, None: 2}


def pcapng_blocks(items: Iterable[Observed | Note], began_us: "Callable[[], int]") -> Iterator[bytes]:
    """The file's bytes for Observed items and Notes; `began_us()`: when the capture began, µs since 1970.

    A function, because the capture says it in its first record.
    """
    yield _block(_SECTION, struct.pack("<IHHq", _MAGIC, 1, 0, -1))
    # No limit of length; the name is what Wireshark shows.
    yield _block(_INTERFACE, struct.pack("<HHI", LINKTYPE_USER0, 0, 0) + _options([(_OPT_IF_NAME, b"serial line")]))
    comments: list[str] = []
    for item in items:
        if isinstance(item, Note):
            comments.append(item.text)
            continue
        if isinstance(item.item, Unanswered):
            comments.append("no ack of packet %d, command %02x" % (item.item.number, item.item.cmd))
            continue
        if isinstance(item.item, BadFrame):
            comments.append(BAD_NAMES.get(item.item.reason, "bad frame"))
        yield _packet(item, began_us(), comments)
        comments = []


def _packet(observed: Observed, began_us: int, comments: list[str]) -> bytes:
    data = bytes((_WHO[observed.sender],)) + redacted(observed.item, observed.wire)
    at = began_us + observed.time_us
    head = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(data), len(data))
    options = [(_OPT_COMMENT, text.encode()) for text in comments]
    if observed.sender is not None:
        options.append((_OPT_FLAGS, struct.pack("<I", _INBOUND if observed.sender == MCU else _OUTBOUND)))
    return _block(_PACKET, head + _padded(data) + _options(options))


def _options(options: list[tuple[int, bytes]]) -> bytes:
    if not options:
        return b""
    out = b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options)
    return out + bytes(4)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size
