"""The module's own software: slots on disk, the launcher with real processes, and the way back."""

import json
import os
import re
import signal
import subprocess
import sys
import zipfile

import pytest
from gagent_linux import firmware_command
from gagent_linux.launcher import HEALTH, RESTART, SLOT, VERSION, launch
from gagent_linux.slots import INSTALLED, SlotError, Slots, State
from testkit.patience import PATIENCE_S

# What a slot's software does when it is started; it says on its standard output that it ran.
SAY = "import os, sys, time\nprint(os.environ['%s'], os.environ['%s'], *sys.argv[1:], flush=True)\n" % (SLOT, VERSION)
TELL_HEALTH = "os.write(int(os.environ['%s']), b'1')\n" % HEALTH
HEALTHY = SAY + TELL_HEALTH
HANGS = SAY + "time.sleep(600)\n"
CRASHES = SAY + "sys.exit(3)\n"


def software(folder, code, name="image"):
    path = str(folder / name)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", code)
    return path


@pytest.fixture
def state(tmp_path):
    return str(tmp_path / "state")


def install(state, tmp_path, code, version):
    Slots(state).install(software(tmp_path, code), version)


def test_without_slots_the_installed_software_runs(state):
    assert launch(state, ["run"]) is None
    assert not os.path.exists(state)


def test_a_healthy_trial_is_what_runs_from_then_on(state, tmp_path, capfd):
    install(state, tmp_path, HEALTHY, "04020007")
    assert launch(state, ["run", "--x"]) == 0
    assert launch(state, ["run"]) == 0
    assert capfd.readouterr().out == "a 04020007 run --x\na 04020007 run\n"
    assert Slots(state).state().running == "a"


@pytest.mark.parametrize("code", [HANGS, CRASHES, "syntax error here"])
def test_a_trial_that_does_not_get_healthy_leads_back_to_what_ran_before(state, tmp_path, code, capfd):
    install(state, tmp_path, HEALTHY, "04020007")
    launch(state, [])
    install(state, tmp_path, code, "04020008")
    assert launch(state, [], healthy_within_s=0.5) == 0
    out = capfd.readouterr()
    assert out.out.endswith("a 04020007\n") and "back to the one before" in out.err
    assert Slots(state).state().trial == "" and Slots(state).state().running == "a"


def test_the_first_trial_leads_back_to_the_installed_software(state, tmp_path):
    install(state, tmp_path, CRASHES, "04020007")
    assert launch(state, [], healthy_within_s=0.5) is None
    assert Slots(state).begin() == INSTALLED


def test_a_version_that_failed_is_not_tried_again_at_once(state, tmp_path):
    install(state, tmp_path, CRASHES, "04020007")
    launch(state, [], healthy_within_s=0.5)
    with pytest.raises(SlotError, match="04020007 did not come up 1 time: tried again 1 h after"):
        install(state, tmp_path, HEALTHY, "04020007")
    install(state, tmp_path, HEALTHY, "04020008")
    assert launch(state, []) == 0


def test_a_version_that_failed_is_tried_again_after_a_wait_that_doubles(state, tmp_path):
    waits = []
    for _ in range(7):
        install(state, tmp_path, CRASHES, "04020007")
        launch(state, [], healthy_within_s=0.5)
        with pytest.raises(SlotError) as refused:
            install(state, tmp_path, CRASHES, "04020007")
        waits.append(int(re.search(r"again (\d+) h", str(refused.value))[1]))
        path = tmp_path / "state" / "module" / "slots.json"
        content = json.loads(path.read_text())
        content["failed"]["04020007"][1] -= 100_000
        path.write_text(json.dumps(content))
    assert waits == [1, 2, 4, 8, 16, 24, 24]


def test_power_lost_during_a_trial_leads_back(state, tmp_path):
    install(state, tmp_path, HEALTHY, "04020007")
    assert Slots(state).begin() == "a"  # started, and never heard of again
    assert Slots(state).begin() == INSTALLED


def test_what_was_healthy_once_has_three_starts(state, tmp_path):
    install(state, tmp_path, HEALTHY, "04020007")
    launch(state, [])
    slots = Slots(state)
    assert [slots.begin() for _ in range(4)] == ["a", "a", "a", INSTALLED]


def test_a_running_slot_that_lives_is_not_given_up_for_a_cloud_that_is_away(state, tmp_path):
    # With a word on its command line it never says that it is healthy, and lives until it is taken for that.
    away = "    import json\n    while json.load(open(%r))['tries']:\n        time.sleep(0.01)\n"
    slots = str(tmp_path / "state" / "module" / "slots.json")
    code = SAY + "if len(sys.argv) < 2:\n    %selse:\n%s" % (TELL_HEALTH, away % slots)
    install(state, tmp_path, code, "04020007")
    launch(state, [])
    for _ in range(4):
        assert launch(state, ["away"], healthy_within_s=0.3) == 0
    assert Slots(state).state() == State("a", "", {"a": "04020007"})


def test_software_goes_to_the_slot_that_does_not_run(state, tmp_path):
    install(state, tmp_path, HEALTHY, "04020007")
    launch(state, [])
    install(state, tmp_path, HEALTHY, "04020008")
    assert Slots(state).state().trial == "b"
    launch(state, [])
    assert Slots(state).state().running == "b"


def test_a_slot_may_ask_for_another_start(state, tmp_path, capfd):
    again = HEALTHY + "if not os.path.exists(%r):\n    open(%r, 'w').close()\n    sys.exit(%d)\n"
    marker = str(tmp_path / "once")
    install(state, tmp_path, again % (marker, marker, RESTART), "04020007")
    assert launch(state, []) == 0
    assert capfd.readouterr().out == "a 04020007\na 04020007\n"


def test_signals_reach_the_slot_and_its_exit_code_comes_back(state, tmp_path):
    code = HEALTHY + "import signal\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(7))\nprint('up')\n"
    install(state, tmp_path, code + "sys.stdout.flush()\nsignal.pause()\n", "04020007")
    launcher = "import sys; from gagent_linux.launcher import launch; sys.exit(launch(sys.argv[1], []))"
    with subprocess.Popen([sys.executable, "-c", launcher, state], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "a 04020007\n"
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 7
    assert Slots(state).state().running == "a"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"no zip at all"), "is no zip"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "has no __main__.py"),
    ],
)
def test_what_is_no_software_is_not_installed(state, tmp_path, make, words):
    make(tmp_path / "image")
    with pytest.raises(SlotError, match=words):
        Slots(state).install(str(tmp_path / "image"), "04020007")
    assert launch(state, []) is None


def test_a_slots_file_that_is_damaged_runs_the_installed_software(state, tmp_path):
    install(state, tmp_path, HEALTHY, "04020007")
    with open(os.path.join(state, "module", "slots.json"), "w") as file:
        file.write('{"running": ')
    assert launch(state, []) is None


def test_this_software_packs_into_an_image_that_runs(state, tmp_path, capsys):
    image = str(tmp_path / "module.bin")
    size = firmware_command.pack(image)
    with open(image, "rb") as file:
        first = file.read()
    firmware_command.pack(image)
    with open(image, "rb") as file:
        assert file.read() == first and len(first) == size
    answer = subprocess.run(
        [sys.executable, image, "--help"], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert "usage: gagent" in answer.stdout
    Slots(state).install(image, "04020007")
    assert json.loads((tmp_path / "state" / "module" / "slots.json").read_text())["trial"] == "a"
