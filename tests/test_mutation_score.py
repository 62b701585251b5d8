"""The command that turns mutmut's results into a table."""

import io
import sys

import mutation_score
import pytest

RESULTS = """
    mcu_proto.frame.x_checksum__mutmut_1: killed
    mcu_proto.frame.x_checksum__mutmut_2: survived
    mcu_proto.link.xǁMcuLinkǁ_send__mutmut_1: timeout
    mcu_proto.link.xǁMcuLinkǁ_send__mutmut_2: no tests
"""


def test_what_does_not_end_is_killed_and_all_else_is_not():
    files, survivors = mutation_score.read(RESULTS.splitlines())
    assert {file: mutation_score.score(outcomes) for file, outcomes in files.items()} == {
        "mcu_proto/frame.py": 50,
        "mcu_proto/link.py": 50,
    }
    assert [name.split(": ")[1] for name in survivors] == ["survived", "no tests"]


@pytest.mark.parametrize("killed, failed", [(94, True), (95, False)])
def test_a_score_under_the_least_fails(killed, failed, monkeypatch):
    lines = ["a.x__mutmut_%d: %s" % (n, "killed" if n < killed else "survived") for n in range(100)]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    assert mutation_score.main() == failed


def test_no_results_at_all_fail(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(SystemExit, match="run mutmut first"):
        mutation_score.main()
