"""A firmware for an ESP32: into the partition that does not run, on trial, confirmed or taken back."""

import asyncio
import json

import pytest
from gagent_upy.uplink import READY
from testkit import upy_program

pytestmark = pytest.mark.micropython

PARTITION = 5 * 4096
IMAGE = b"\xe9" + bytes(range(255)) * 60

STARTS = """
import loader
from esp32 import Partition

print("reset" if loader.boot() else Partition(Partition.RUNNING).info()[4])
"""
INSTALLS = """
from gagent_upy.install import install

try:
    install("module.image", {version!r}, "", {now}, None)
    print("taken")
except ValueError as error:
    print(error)
"""
CONFIRMS = (
    """
from gagent_upy.trial import Trial


class Uplink:
    state = %d


trial = Trial(lambda: print("restart"))
trial.uplink = Uplink
print(trial.is_on, trial.version)
trial.turn({now})
"""
    % READY
)
CUT_OFF = CONFIRMS.replace("state = %d" % READY, "state = 0")


@pytest.fixture
def chip(tmp_path):
    """Runs a program as one life of the chip; its lines."""
    for name in ("ota_0", "ota_1"):
        (tmp_path / name).write_bytes(b"\xff" * PARTITION)
    (tmp_path / "module.image").write_bytes(IMAGE)

    def lives(program, now=0):
        return asyncio.run(upy_program.run(program.format(version="00000002", now=now), tmp_path))

    return lives


def test_a_firmware_goes_to_the_other_partition_and_is_confirmed_when_the_cloud_is_reached(chip, tmp_path):
    assert chip(STARTS) == ["ota_0"]
    assert chip(INSTALLS) == ["taken"]
    assert (tmp_path / "ota_1").read_bytes()[: len(IMAGE)] == IMAGE
    assert chip(STARTS + CONFIRMS) == ["ota_1", "True 00000002"]
    assert (tmp_path / "otavalid").read_text() == "ota_1"
    assert chip(STARTS + CONFIRMS) == ["ota_1", "False 00000002"]


def test_one_that_does_not_reach_the_cloud_is_started_three_times_and_taken_back(chip):
    chip(INSTALLS)
    for _ in range(3):
        assert chip(STARTS + CUT_OFF, now=120000) == ["ota_1", "True 00000002", "restart"]
    assert chip(STARTS) == ["software 00000002 did not come up: back to the one before", "reset"]
    assert chip(STARTS + CONFIRMS) == ["ota_0", "False "]
    (said,) = chip(INSTALLS)
    assert said == "version 00000002 did not come up: tried again an hour after the start"
    assert chip(INSTALLS, now=3600000) == ["taken"]


def test_one_that_the_bootloader_took_back_is_not_counted_on(chip, tmp_path):
    chip(INSTALLS)
    chip(STARTS)
    (tmp_path / "otadata").write_text("ota_0")
    assert chip(STARTS) == ["software 00000002 did not come up: back to the one before", "ota_0"]


def test_a_power_cut_before_the_partition_is_named_leaves_the_old(chip, tmp_path):
    chip(INSTALLS)
    (tmp_path / "otadata").unlink()
    assert chip(STARTS)[-1] == "ota_0"


def test_a_firmware_without_a_second_place_is_refused(chip, tmp_path):
    (tmp_path / "ota_1").unlink()
    (said,) = chip(INSTALLS)
    assert said == "the image is a firmware of an ESP32, and this chip has no second place for one"
    assert not (tmp_path / "boot.json").exists()


def test_what_is_larger_than_its_partition_or_no_software_at_all_is_refused(chip, tmp_path):
    (tmp_path / "module.image").write_bytes(IMAGE + bytes(PARTITION))
    assert chip(INSTALLS)[0].startswith("the image has ")
    (tmp_path / "module.image").write_bytes(b"PK\x03\x04")
    assert chip(INSTALLS)[0].startswith("the image is no software of this module")


@pytest.mark.parametrize("name", ["/boot.py", "../boot.py", "a/../../boot.py"])
def test_an_archive_with_a_file_outside_of_its_folder_is_refused(chip, tmp_path, name):
    (tmp_path / "module.image").write_bytes(b"gagent files 1\n3 %s\nabc0 .\n" % name.encode())
    assert chip(INSTALLS) == ["the image has a file outside of its folder"]
    assert not (tmp_path / "boot.json").exists()


def test_an_archive_that_ends_early_is_refused(chip, tmp_path):
    (tmp_path / "module.image").write_bytes(b"gagent files 1\n3 a.mpy\nabc2 b.mpy\na")
    assert chip(INSTALLS)[0].startswith("the image ends early")
    (tmp_path / "module.image").write_bytes(b"gagent files 1\n3 a.mpy\nabc")
    assert chip(INSTALLS)[0].startswith("the image ends early")
    assert not (tmp_path / "boot.json").exists()


def test_what_boot_json_says_counts_only_when_it_can_be_read(chip, tmp_path):
    for text in ("", "[]", '{"runs": ', json.dumps({"runs": "a"})):
        (tmp_path / "boot.json").write_text(text)
        assert chip("import loader, sys\nprint(loader.boot(), 'app_a' in sys.path)") == ["False %s" % ('"a"' in text)]
