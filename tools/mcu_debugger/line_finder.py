"""Speed and framing of an unknown line, from what is heard there.

A line that is read at the wrong speed gives bytes, but no frame with a right checksum; the right one gives little else.
Pure: candidates come out, heard bytes go in.
"""

from collections import namedtuple

from mcu_proto.frame import Frame

from .slicer import FrameSlicer

Setting = namedtuple("Setting", ("baud", "framing"))
# How a setting did: good frames, damaged ones, bytes that belong to good frames, and all bytes.
Score = namedtuple("Score", ("setting", "good", "bad", "framed", "heard"))

# The usual first; 74880 is what boot text of Wi-Fi modules comes at.
BAUDS = (
    9600,
    115200,
    19200,
    38400,
    57600,
    4800,
    2400,
    230400,
    460800,
    921600,
    74880,
    1200,
    1_000_000,
    2_000_000,
    3_000_000,
)
FRAMINGS = ("8N1", "8E1", "8O1", "8N2", "7E1", "7O1")
# So many good frames, and most bytes in them, are no accident.
_ENOUGH = 2
_MOST = 0.5


def candidates() -> list[Setting]:
    """Every setting, likely ones first: framings other than 8N1 are rare."""
    return [Setting(baud, FRAMINGS[0]) for baud in BAUDS] + [
        Setting(baud, framing) for framing in FRAMINGS[1:] for baud in BAUDS
    ]


def score(setting: Setting, data: bytes) -> Score:
    """How well the bytes heard at a setting look."""
    slicer = FrameSlicer()
    slices = slicer.feed(data) + slicer.flush()
    good = [piece for piece in slices if isinstance(piece.item, Frame)]
    bad = sum(1 for piece in slices if piece.item is not None) - len(good)
    return Score(setting, len(good), bad, sum(len(piece.wire) for piece in good), len(data))


def is_certain(found: Score) -> bool:
    """True when no other setting need be tried."""
    return found.good >= _ENOUGH and found.framed >= _MOST * found.heard


def best(scores: list[Score]) -> Score | None:
    """The setting with most in good frames; None when there was no good frame at all."""
    return max((each for each in scores if each.good), key=lambda each: (each.framed, -each.bad), default=None)
