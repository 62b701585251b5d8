"""Hex dumps of any kind as chunks: logs of a terminal program, lines of `xxd`, bytes pasted from a chat.

    [12.345] TX: ff ff 00 05 07 1a 00 00 26        seconds, or 12:34:56.789, in brackets or not; none: one ms a line
    rx ffff0005081a000027                          who spoke: tx rx > < module mcu send recv out in; none: not known
    00000000: ffff 0005 071a 0000 26  .......&     an offset in front, text behind

What a line holds besides is passed over; a line without a byte is none.
"""

import re
from collections.abc import Iterable, Iterator

from .record import Chunk

_TIME = re.compile(
    r"^\s*[\[(]?\s*(?:\d{4}-\d\d-\d\d[ T])?(?:(\d+):(\d\d):(\d\d(?:[.,]\d+)?)|(\d+[.,]\d+))\s*s?\s*[\])]?[\s:,;-]*"
)
_OFFSET = re.compile(r"^\s*(?:0x)?[0-9a-fA-F]{4,8}(?::\s|\s{2,})")
_WHO = re.compile(r"\b(tx|rx|send|sent|recv|received|out|in|module|mcu)\b|(->|=>|<-|<=|[<>→←])", re.IGNORECASE)
_HEX = re.compile(r"\b(?:0x)?((?:[0-9a-fA-F]{2})+)\b")
# Words that say that whoever wrote the log spoke.
_OURS = ("tx", "send", "sent", "out", "->", "=>", ">", "→")
_ENDS = {"module": 0, "mcu": 1}


def import_hex(lines: Iterable[str], writer: int) -> Iterator[Chunk]:
    """The chunks of a dump that `writer`, MODULE or MCU, has written: what it sent is its own."""
    time_us = 0
    zero_us: int | None = None
    for line in lines:
        text = line.split("|")[0].split("#")[0]
        match = _TIME.match(text)
        if match:
            text = text[match.end() :]
            at = _microseconds(match)
            zero_us = at if zero_us is None else zero_us
            # A log that passes midnight goes on.
            time_us = max(at - zero_us, time_us)
        text = text[match.end() :] if (match := _OFFSET.match(text)) else text
        sender: int | None = None
        who = _WHO.search(text)
        if who:
            word = who[0].lower()
            sender = _ENDS.get(word, writer if word in _OURS else 1 - writer)
            text = text[who.end() :]
        data = _bytes(text)
        if data:
            yield Chunk(time_us, sender, data)
            time_us += 0 if zero_us is not None else 1000


def _bytes(text: str) -> bytes:
    """The hex at the beginning, up to where something else comes: `xxd` has text behind two blanks."""
    data = b""
    end = None
    for match in _HEX.finditer(text):
        between = text[end : match.start()] if end is not None else ""
        if between.strip(" \t,:;") or (end is not None and len(between) > 2):
            break
        data += bytes.fromhex(match[1])
        end = match.end()
    return data


def _microseconds(match: re.Match) -> int:
    if match[4]:
        return round(float(match[4].replace(",", ".")) * 1e6)
    seconds = float(match[3].replace(",", "."))
    return round((int(match[1]) * 3600 + int(match[2]) * 60 + seconds) * 1e6)
