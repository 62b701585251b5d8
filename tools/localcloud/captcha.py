"""An image with digits that a person reads and a simple program does not. Open API manual, User Management.

A PNG of shades of grey, made here: each digit is drawn from a grid of dots, moved and slanted, under lines and specks.
It keeps scripts from sending SMS; whoever really wants to will read it.
"""

import random
import struct
import zlib

DIGITS = 5
WIDTH, HEIGHT = 180, 60
_DOT = 5

# Seven rows of five dots, a bit each.
_SHAPES = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
}


def new_code() -> str:
    """Digits for an image."""
    return "%0*d" % (DIGITS, random.SystemRandom().randrange(10**DIGITS))


def draw(code: str) -> bytes:
    """A PNG with the code in it, another one every time."""
    chance = random.SystemRandom()
    rows = [bytearray(chance.randrange(200, 256) for _ in range(WIDTH)) for _ in range(HEIGHT)]
    for place, digit in enumerate(code):
        _draw_digit(rows, digit, 8 + place * 34, chance)
    for _ in range(4):
        _draw_line(rows, chance)
    for _ in range(WIDTH * HEIGHT // 40):
        rows[chance.randrange(HEIGHT)][chance.randrange(WIDTH)] = chance.randrange(256)
    return _png(rows)


def _draw_digit(rows: list[bytearray], digit: str, left: int, chance: random.Random) -> None:
    left += chance.randrange(6)
    top = chance.randrange(4, HEIGHT - 7 * _DOT - 6)
    slant = chance.uniform(-0.25, 0.25)
    for y in range(7 * _DOT):
        shift = round(slant * (y - 3.5 * _DOT))
        for x in range(5 * _DOT):
            if _SHAPES[digit][y // _DOT] & (16 >> x // _DOT):
                rows[top + y][min(WIDTH - 1, max(0, left + x + shift))] = chance.randrange(90)


def _draw_line(rows: list[bytearray], chance: random.Random) -> None:
    start, end = chance.randrange(HEIGHT), chance.randrange(HEIGHT)
    shade = chance.randrange(60, 140)
    for x in range(WIDTH):
        rows[start + (end - start) * x // WIDTH][x] = shade


def _png(rows: list[bytearray]) -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
