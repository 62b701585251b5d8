"""The CSV of a logic analyser's UART decoder as chunks: one row a byte, or some bytes.

Columns are found by their names: a time ("Time [s]", start_time, ...), the value ("Value", data, ...), and the channel
("name", "channel", "Analyzer"), where there are two. Values are 0xFF or FF; a row with a framing or parity error keeps
its byte, as a receiver would.
"""

import csv
import re
from collections.abc import Iterable, Iterator

from mcu_proto.const import MCU, MODULE

from .record import Chunk
from .writer import CaptureError

_TIME = re.compile(r"time|start", re.IGNORECASE)
_VALUE = re.compile(r"^(value|data|hex|byte|decoded)", re.IGNORECASE)
_CHANNEL = re.compile(r"^(name|channel|analyzer|line|source|from)", re.IGNORECASE)
_BYTES = re.compile(r"^(?:0x)?((?:[0-9a-fA-F]{2})+)$")
# Bytes that follow each other so soon were one write.
_GAP_US = 3000


def import_csv(lines: Iterable[str], channels: dict[str, int]) -> Iterator[Chunk]:
    """The chunks of an export; `channels` maps names of channels to MODULE or MCU, else their names tell."""
    rows = csv.reader(lines)
    header = next(rows, [])
    at, value, channel = (_column(header, pattern) for pattern in (_TIME, _VALUE, _CHANNEL))
    if at is None or value is None:
        raise CaptureError("CSV with the columns %s: expected one with a time and one with a value" % ", ".join(header))
    zero_us: int | None = None
    open_chunk: list | None = None
    for number, row in enumerate(rows, 2):
        data = _data(row, value)
        if not data:
            continue
        time_us = _time(row, at, number)
        zero_us = time_us if zero_us is None else zero_us
        sender = None if channel is None else _sender(row[channel], channels)
        if open_chunk is not None and open_chunk[1] == sender and time_us - open_chunk[3] < _GAP_US:
            open_chunk[2] += data
            open_chunk[3] = time_us
            continue
        if open_chunk is not None:
            yield Chunk(*open_chunk[:3])
        open_chunk = [time_us - zero_us, sender, data, time_us]
    if open_chunk is not None:
        yield Chunk(*open_chunk[:3])


def _column(header: list[str], pattern: re.Pattern) -> int | None:
    return next((i for i, name in enumerate(header) if pattern.search(name.strip())), None)


def _data(row: list[str], column: int) -> bytes:
    match = _BYTES.match(row[column].strip().strip("'\"")) if column < len(row) else None
    return bytes.fromhex(match[1]) if match else b""


def _time(row: list[str], column: int, number: int) -> int:
    try:
        return round(float(row[column]) * 1e6)
    except ValueError:
        raise CaptureError("CSV line %d: %s is no time in seconds" % (number, row[column][:40])) from None


def _sender(name: str, channels: dict[str, int]) -> int | None:
    if name in channels:
        return channels[name]
    lower = name.lower()
    if "mcu" in lower or "rx" in lower:
        return MCU
    return MODULE if "module" in lower or "tx" in lower else None
