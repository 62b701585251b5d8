"""One line of a capture file and back. Every line is a JSON object whose last member guards it by CRC-32:

    {"n":0,"capture":1,"title":"...","began":"2026-02-25T14:13:20Z","crc":"1a2b3c4d"}    what it is, first in every file
    {"n":1,"t":12345,"from":"mcu","hex":"ffff00050801...","crc":"..."}                  a chunk; t in µs since `began`
    {"n":2,"t":20000,"note":"the pump was switched on by hand","crc":"..."}
    {"n":3,"t":99999,"end":true,"crc":"..."}                                            closed, not cut

`n` counts up by one, so that a line that is missing is missed. The CRC is of the line up to the comma before "crc".
"""

import json
from collections import namedtuple

import crcmod.predefined

from mcu_proto.const import MCU, MODULE

FORMAT = 1

Head = namedtuple("Head", ("title", "began"))
Chunk = namedtuple("Chunk", ("time_us", "sender", "data"))
Note = namedtuple("Note", ("time_us", "text"))
End = namedtuple("End", ("time_us",))

_crc = crcmod.predefined.mkCrcFun("crc-32")
_SENDERS = {MODULE: "module", MCU: "mcu", None: "line"}
_FROM = {name: sender for sender, name in _SENDERS.items()}
_MARK = b',"crc":"'
_TAIL = len(_MARK) + len(b'12345678"}')


class RecordError(Exception):
    """A line that is no record; the text says what is wrong with it."""


def encode_record(number: int, record: "Head | Chunk | Note | End") -> bytes:
    """The line, with its line break."""
    if isinstance(record, Chunk):
        # By hand: this is the hot path, and there is nothing to escape.
        text = '{"n":%d,"t":%d,"from":"%s","hex":"%s"' % (
            number,
            record.time_us,
            _SENDERS[record.sender],
            record.data.hex(),
        )
        body = text.encode()
    else:
        body = json.dumps({"n": number} | _members(record), separators=(",", ":")).encode()[:-1]
    return body + b'%s%08x"}\n' % (_MARK, _crc(body))


def decode_record(line: bytes) -> "tuple[int, Head | Chunk | Note | End]":
    """(number, Head, Chunk, Note or End); RecordError when the line is damaged."""
    line = line.rstrip(b"\r\n")
    body, tail = line[:-_TAIL], line[-_TAIL:]
    if not tail.startswith(_MARK) or not line.startswith(b"{"):
        raise RecordError("it is no record, or cut")
    if tail[len(_MARK) : -2] != b"%08x" % _crc(body):
        raise RecordError("its CRC is wrong")
    try:
        row = json.loads(line)
        return int(row["n"]), _record(row)
    except (ValueError, KeyError, TypeError):
        raise RecordError("it is written by something else") from None


def _members(record: "Head | Note | End") -> dict:
    if isinstance(record, Head):
        return {"capture": FORMAT, "title": record.title, "began": record.began}
    if isinstance(record, Note):
        return {"t": record.time_us, "note": record.text}
    return {"t": record.time_us, "end": True}


def _record(row: dict) -> "Head | Chunk | Note | End":
    if "hex" in row:
        return Chunk(int(row["t"]), _FROM[row["from"]], bytes.fromhex(row["hex"]))
    if "note" in row:
        return Note(int(row["t"]), str(row["note"]))
    if "capture" in row:
        return Head(str(row["title"]), str(row["began"]))
    return End(int(row["t"])) if row["end"] else Note(0, "")
