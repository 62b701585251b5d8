"""The vectors and transcripts under MicroPython's unix build, from compiled files, with a capped heap."""

import json

import pytest
from testkit import upy

pytestmark = pytest.mark.micropython


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    upy.compile_tree(folder)
    return folder


@pytest.fixture(scope="module")
def replay(tree, tmp_path_factory):
    """Runs rows of one kind and gives the RESULT line."""

    def run(name, rows, heap):
        folder = tmp_path_factory.mktemp("vectors")
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return upy.run(tree, folder, heap)

    return run


def _passes(result, name):
    assert result.returncode == 0, result.stdout + result.stderr
    assert "RESULT ok %s=" % name in result.stdout, result.stdout


@pytest.mark.parametrize("name", upy.chip_vectors())
def test_vectors_of_the_chip_pass_in_the_heap_of_a_chip(replay, name):
    result = replay(name + ".jsonl", upy.chip_vectors()[name], upy.CHIP_HEAP)
    _passes(result, name)


@pytest.mark.parametrize("name", upy.transcripts())
def test_a_transcript_is_replayed(replay, name):
    rows = upy.transcripts()[name]
    heap = upy.CHIP_HEAP if "link" in rows[0] else upy.AGENT_HEAP
    _passes(replay("transcript-%s.jsonl" % name, rows, heap), "transcript-" + name)


@pytest.mark.parametrize("name", upy.whole_library_vectors())
def test_the_rest_of_the_library_passes(replay, name):
    _passes(replay(name + ".jsonl", upy.whole_library_vectors()[name], upy.LIBRARY_HEAP), name)


@pytest.mark.parametrize("name", upy.cloud_vectors())
def test_datapoints_pass(replay, name):
    _passes(replay(name + ".jsonl", upy.cloud_vectors()[name], upy.CLOUD_HEAP), name)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("frames.jsonl", ["x", 7, 1, 0, "", "ffff0005070100000e"]),
        ("streams.jsonl", ["x", "ffff0005070100000d", [[7, 2, 0, "", True]]]),
        ("wire.jsonl", ["x", "0000000304000090 02", 0x91, 0, "02"]),
        ("conversions.jsonl", ["0.1", "-30", "25.3", 554]),
    ],
)
def test_a_wrong_vector_fails(replay, name, row):
    result = replay(name, [row], upy.CLOUD_HEAP)
    assert result.returncode == 1
    assert "RESULT failed" in result.stdout


def test_a_wrong_transcript_fails(replay):
    rows = [{"link": {}}, {"in": ["handle_timeout"], "now": 0}, {"out": [["Failed", 1, 1]]}]
    result = replay("transcript-x.jsonl", rows, upy.CLOUD_HEAP)
    assert result.returncode == 1
    assert "effects 1: got [], expected [['Failed', 1, 1]]" in result.stdout


def test_too_small_a_heap_is_a_failure(replay):
    result = replay("frames.jsonl", upy.chip_vectors()["frames"], "16K")
    assert result.returncode != 0
