"""PROTOCOL.md: its hex lines are frames."""

import re

import pytest
from testkit.repository import ROOT

from mcu_proto.frame import Frame, FrameDecoder, encode_frame

PAGE = (ROOT / "mcu_proto" / "PROTOCOL.md").read_text(encoding="utf-8")
LINES = re.findall(r"^(ff ff(?: [0-9a-f]{2})+)$", PAGE, re.MULTILINE)


def test_the_page_has_examples():
    assert len(LINES) > 10


@pytest.mark.parametrize("line", LINES)
def test_every_hex_line_is_one_good_frame(line):
    wire = bytes.fromhex(line)
    got = FrameDecoder().feed(wire)
    assert len(got) == 1 and isinstance(got[0], Frame)
    assert encode_frame(got[0].cmd, got[0].sn, got[0].payload, got[0].flags) == wire


def test_a_frame_with_a_wrong_byte_would_be_seen():
    assert not isinstance(FrameDecoder().feed(bytes.fromhex(LINES[0])[:-1] + b"\x00")[0], Frame)
