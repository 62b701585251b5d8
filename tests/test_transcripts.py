"""The transcripts on CPython; `upy/test_under_micropython.py` replays the same files on MicroPython."""

import pytest
import record_transcript
import upy_runner
from testkit import upy

TRANSCRIPTS = upy.transcripts()


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_is_what_the_code_does(name):
    assert upy_runner.check_transcript(TRANSCRIPTS[name]) > 0


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_says_what_it_is_about(name):
    assert len(TRANSCRIPTS[name][0]["about"]) > 10


def test_a_difference_is_named():
    rows = [{"link": {}}, {"in": ["handle_timeout"], "now": 0}, {"out": [], "next": 5}]
    with pytest.raises(upy_runner.Differs, match="next_timeout 1: got None, expected 5"):
        upy_runner.check_transcript(rows)


def test_recording_fills_in_what_comes_out():
    lines = ['{"link": {}}', '{"in": ["request", 7, {"hex": ""}], "now": 0}', '{"out": []}']
    assert record_transcript.recorded(lines)[2:] == [
        '{"out": [["SendSerial", {"hex": "ffff0005070000000c"}]], "next": 209}'
    ]
