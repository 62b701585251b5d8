"""Any file that holds what crossed a line, as records: the kind is seen from its beginning.

Captures of ours (with their older parts), hex dumps, CSV of logic analysers, and recordings with `t_ms`, `link`, `dir`
and `hex` a line.
"""

import json
from collections.abc import Iterator

from mcu_proto.const import MCU, MODULE

from .csv_import import import_csv
from .hex_import import import_hex
from .reader import Damage, read_parts
from .record import Chunk, Head, Note
from .writer import CaptureError

_SNIFF = 4096


def load_capture(
    path: str, writer: int = MODULE, channels: dict[str, int] | None = None
) -> Iterator[Head | Chunk | Note | Damage]:
    """Its records in order: Head, Chunk, Note, Damage. `writer` and `channels` are for hex dumps and CSV."""
    try:
        with open(path, "rb") as file:
            start = file.read(_SNIFF)
    except OSError as e:
        raise CaptureError("capture %s cannot be read: %s" % (path, e.strerror)) from None
    if start.startswith((b"\x1f\x8b", b'{"n":')):
        return read_parts(path)
    if start.startswith(b"{") and b'"t_ms"' in start.splitlines()[0]:
        return _recording(path)
    first = start.splitlines()[0].lower() if start else b""
    if b"," in first and (b"time" in first or b"start" in first):
        return import_csv(_text_lines(path), channels or {})
    if not start:
        raise CaptureError("capture %s is empty" % path)
    return import_hex(_text_lines(path), writer)


def _recording(path: str) -> Iterator[Chunk | Damage]:
    for number, line in enumerate(_text_lines(path), 1):
        try:
            row = json.loads(line)
            if row["link"] == "serial" and "hex" in row:
                sender = MODULE if row["dir"] == "agent>mcu" else MCU
                yield Chunk(round(row["t_ms"] * 1000), sender, bytes.fromhex(row["hex"]))
        except (ValueError, KeyError, TypeError):
            yield Damage(number, "it is no line of a recording")


def _text_lines(path: str) -> Iterator[str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        yield from file
