"""What the chip says: every notice has its words, and nothing that a peer sends spoils a line."""

import pytest
from gagent_upy.log import Log

from gagent import effects as e

NOTICES = {name: value for name, value in vars(e).items() if name.startswith("NOTICE_")}


@pytest.fixture
def said(capsys):
    """The lines for these notices."""

    def lines(*notices):
        for notice in notices:
            Log().notice(notice)
        return capsys.readouterr().out.splitlines()

    return lines


def test_every_notice_has_words_of_its_own(said):
    codes = sorted(NOTICES.values())
    lines = said(*[e.Notice(code, "what") for code in codes])
    assert all(line.endswith(" what") and "|" not in line for line in lines)
    assert len(set(lines)) == len(codes)
    assert codes == list(range(1, len(codes) + 1))


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (e.NOTICE_MCU_READY, "MCU is there, product key x"),
        (e.NOTICE_ONLINE, "online, did x"),
        (e.NOTICE_OFFLINE, "offline, code x"),
        (e.NOTICE_FIRMWARE_UNSIGNED, "firmware is not signed: x"),
    ],
)
def test_the_words_are_those_of_the_code(said, code, line):
    assert said(e.Notice(code, "x")) == [line]


def test_a_peers_text_is_cut_and_its_signs_that_are_no_letters_are_dots(said):
    assert said(e.Notice(e.NOTICE_IGNORED, "a\x1b\n\u00e4")) == ["ignored: a...."]
    assert said(e.Notice(e.NOTICE_IGNORED, "x" * 200)) == ["ignored: " + "x" * 120]
