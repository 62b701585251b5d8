"""The short version of `debugger_gigabyte.py`: no byte is lost, every frame is seen, memory stays where it is."""

import importlib.util

from testkit.repository import ROOT

_SPEC = importlib.util.spec_from_file_location("debugger_gigabyte", ROOT / "tests" / "soak" / "debugger_gigabyte.py")


def test_a_burst_through_a_tap_is_recorded_whole_and_memory_stays_flat():
    script = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(script)
    figures = script.soak(megabytes=6)
    print(figures)
    # Buffers fill in the first half; a byte kept for every byte heard would show.
    assert figures["memory_kb_at_end"] - figures["memory_kb_at_half"] < 2000
    assert figures["frames"] > 250_000
