"""Hex text as people paste it: to bytes, and the frames in them to lines."""

import re

from mcu_proto.datapoint import Schema
from mcu_proto.frame import BadFrame, FrameDecoder

from .view import frame_lines


class HexError(Exception):
    """Text that is no hex; the text says what is wrong with it."""


def parse_hex(text: str) -> bytes:
    """The bytes of hex text with spaces, line breaks, commas, colons and 0x wherever they please."""
    digits = ""
    for word in re.split(r"[\s,:;]+", text.strip()):
        word = word[2:] if word[:2].lower() == "0x" else word
        if not re.fullmatch(r"[0-9a-fA-F]*", word):
            raise HexError("%s is not hex: expected bytes like ff ff 00 05" % word[:40])
        digits += word.rjust(2, "0") if len(word) == 1 else word
    if len(digits) % 2:
        raise HexError("%d hex digits, an even number expected: one is missing or too many" % len(digits))
    return bytes.fromhex(digits)


def decode_lines(data: bytes, schema: Schema | None = None) -> tuple[list[str], bool]:
    """(lines that tell every frame in `data`, True when there is at least one and nothing is wrong)."""
    decoder = FrameDecoder()
    frames = decoder.feed(data)
    lines = [line for frame in frames for line in frame_lines(frame, schema)]
    good = bool(frames) and not any(isinstance(frame, BadFrame) for frame in frames)
    if decoder.is_inside():
        lines.append("-- the last frame is not complete")
        good = False
    elif not frames:
        lines.append("-- no frame in these %d bytes: one begins with ff ff" % len(data))
    return lines, good
