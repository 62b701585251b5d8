"""The short version of `debugger_screen.py`: a busy line under the full screen, nothing lost, keys answered."""

from soak.debugger_screen import measure


def test_busy_line_under_the_full_screen_is_captured_whole_and_keys_are_answered(tmp_path):
    figures = measure(tmp_path, rate=100_000, seconds=4)
    assert figures.kept_frames == figures.sent_frames > 1000
    assert figures.key_ms > 0
