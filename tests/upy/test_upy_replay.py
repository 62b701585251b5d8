"""Transcripts through the steps that make a chip's program small: they change it as a whole, and nothing may differ."""

import ast
import json

import pytest
from testkit import random_life, upy, upy_replay
from testkit.firmware_world import BAUD, WORLD_FAULTS, FirmwareWorld
from testkit.recorded_agent import RecordedAgent

from gagent import ota

pytestmark = pytest.mark.micropython

INTERPRETERS = ("under_cpython", "under_micropython")
LIVES, INPUTS = 30, 100
FAULTS = ("noise on the line", "frames repeated", "power cut of the MCU", "image for other hardware", "cloud restarted")


@pytest.fixture(scope="module")
def replays(tmp_path_factory):
    return {machine: upy_replay.built(machine, tmp_path_factory.mktemp(machine)) for machine in upy_replay.MACHINES}


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("name", upy.transcripts())
def test_a_transcript_is_replayed_by_a_program_made_small(replays, name, interpreter):
    rows = upy.transcripts()[name]
    path = upy.TRANSCRIPTS / (name + ".jsonl")
    result = getattr(replays[upy_replay.machine_of(rows)], interpreter)(path)
    expected = sum("out" in row for row in rows)
    assert (result.returncode, result.stdout) == (0, "RESULT ok transcript=%d\n" % expected), result.stderr


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"out": [["SendSerial", {"hex": "ffff00050100000007"}]], "next": 209},
        {"out": [["Notice", {"hex": "ffff00050100000006"}]], "next": 209},
        {"out": [["SendSerial", {"hex": "ffff00050100000006"}]], "next": 210},
        {"out": []},
    ],
)
def test_a_wrong_transcript_is_told(replays, tmp_path, wrong, interpreter):
    path = tmp_path / "wrong.jsonl"
    rows = [{"agent": {"mac": "021122334455"}, "api_url": "http://api"}, {"in": ["start"], "now": 0}, wrong]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = getattr(replays["agent"], interpreter)(path)
    assert result.returncode == 1
    assert result.stdout.startswith("RESULT failed 1: got "), result.stdout + result.stderr


@pytest.mark.parametrize("machine", upy_replay.MACHINES)
def test_what_is_replayed_has_neither_objects_nor_namedtuples(replays, machine):
    """As what a chip runs: otherwise this would replay something else."""
    source = replays[machine].bundle()
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    assert [node.name for node in classes if not node.bases] == []
    assert "namedtuple" not in source


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_program_made_small_lives_as_the_agent_does(replays, tmp_path, interpreter):
    """Whatever comes, in whatever order."""
    for seed in range(LIVES):
        rows = random_life.lived(seed, INPUTS)
        assert replayed(replays, interpreter, tmp_path, rows) == "", "seed %d" % seed


@pytest.mark.parametrize("fault", FAULTS)
def test_a_program_made_small_carries_an_upgrade_through(replays, tmp_path, fault):
    world = RecordedWorld(tmp_path, seed=3)
    try:
        WORLD_FAULTS[fault](world)
        world.at(500, world.push)
        world.run()
    finally:
        world.close()
    assert any(effect[0] == "ReadFirmware" for row in world.agent.rows for effect in row.get("out", ()))
    for interpreter in INTERPRETERS:
        assert replayed(replays, interpreter, tmp_path, world.agent.rows) == ""


class RecordedWorld(FirmwareWorld):
    """With an agent whose life can be replayed."""

    def start_agent(self):
        header = {"agent": dict(self._record), "api_url": "http://cloud", "signatures": ota.SIGNATURES_WARN}
        self.agent = RecordedAgent({**header, "baud": BAUD, "max_firmware": 1 << 20})
        self._perform(self.agent.start(self.now))
        self._perform(self.agent.network_changed(True, 100, self.now))


def replayed(replays, interpreter, folder, rows):
    """What differs, "" when nothing does."""
    path = folder / "life.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = getattr(replays["agent"], interpreter)(path)
    return "" if result.returncode == 0 else result.stdout + result.stderr
