"""Firmware into the simulated MCU: good images, ordered faults, power cuts; the module's end is the debugger's too."""

import hashlib
import os
import select
import signal
import subprocess
import sys
from random import Random

import pytest
from mcu_debugger.bootloader import FAULTS, BootOptions, version_of
from mcu_debugger.flash import FlashError, FlashFolder, MemoryFlash
from mcu_debugger.intel_hex import HexFileError, parse_intel_hex
from mcu_debugger.mcu_events import FirmwareInstalled, FirmwareRefused, Misbehaved, Restarted
from mcu_debugger.module_events import McuFound, TransferEnded
from mcu_debugger.module_upgrade import image_of
from testkit.debugger_pair import DebuggerPair
from testkit.null_modem import byte_at_a_time, duplicating, losing, noisy
from testkit.repository import ROOT

from mcu_proto.transfer import ENDED_CANCELLED, ENDED_DONE, ENDED_MISMATCH, ENDED_SILENCE

OLD, NEW = "01000001", "01000007"
IMAGE = b"\x00SOFT_VER=01000007\x00" + Random(5).randbytes(3000)
TIMEOUT = 240_000


def hex_text(data, soft_ver=NEW):
    lines = []
    data = b"SOFT_VER=%s\x00" % soft_ver.encode() + data
    for at in range(0, len(data), 16):
        chunk = data[at : at + 16]
        record = bytes((len(chunk), at >> 8, at & 0xFF, 0)) + chunk
        lines.append(":%s%02X\r\n" % (record.hex().upper(), -sum(record) & 0xFF))
    return "".join([*lines, ":00000001FF\r\n"]).encode()


def pair(flash=None, soft_ver=None, piece=256, wants_hex=False, **options):
    boot = BootOptions(flash or MemoryFlash(), soft_ver, piece, wants_hex)
    line = DebuggerPair(boot=boot, **options)
    line.run(100)
    return line


def send(line, data=IMAGE, ms=TIMEOUT):
    line.module_does(line.module.send_firmware(image_of(data), line.now))
    line.run(ms)


@pytest.mark.parametrize("piece", [1, 128, 256, 896])
def test_image_is_taken_checked_and_booted(piece):
    line = pair(piece=piece)
    send(line)
    assert line.told_mcu(FirmwareInstalled) == [FirmwareInstalled(NEW)]
    assert line.told_module(TransferEnded) == [TransferEnded(ENDED_DONE)]
    assert [found.info.soft_ver for found in line.told_module(McuFound)] == [OLD, NEW]


def test_image_of_hex_text_is_taken_line_by_line():
    line = pair(wants_hex=True)
    send(line, hex_text(bytes(500)))
    assert line.told_mcu(FirmwareInstalled) == [FirmwareInstalled(NEW)]


def test_version_is_the_flag_then_the_image_then_one_more():
    line = pair(soft_ver="0200ABCD")
    send(line)
    assert line.module.info.soft_ver == "0200ABCD"
    line = pair()
    send(line, bytes(300))
    assert line.module.info.soft_ver == "01000002"
    assert version_of(b"nothing") is None
    assert version_of(hex_text(b"")) == NEW


@pytest.mark.parametrize("carry", [byte_at_a_time, losing, duplicating, noisy])
def test_image_arrives_whole_or_not_at_all_whatever_the_line_does(carry):
    line = pair(rng=Random(11), carry=carry)
    line.run(20_000)
    for _ in range(4):
        send(line)
        if line.told_mcu(FirmwareInstalled):
            break
    assert set(line.told_mcu(FirmwareInstalled)) <= {FirmwareInstalled(NEW)}
    if line.told_mcu(FirmwareInstalled):
        assert line.simulator.bootloader._flash.running == IMAGE


# How the transfer ends for the module, and whether the MCU boots the new version all the same.
OUTCOMES = {
    "no-ready": (ENDED_DONE, True),
    "wrong-md5": (ENDED_MISMATCH, False),
    "stop-asking": (None, False),
    "same-again": (ENDED_DONE, True),
    "ready-again": (ENDED_DONE, True),
    "out-of-order": (ENDED_DONE, True),
    "cancel": (ENDED_CANCELLED, False),
    "power-cut": (None, False),
    "bad-flash": (ENDED_DONE, False),
    "early-reboot": (None, True),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_ends_as_the_protocol_has_it_and_the_next_transfer_is_good(fault):
    reason, boots = OUTCOMES[fault]
    line = pair()
    line.simulator.bootloader.order(fault, 1 if fault == "no-ready" else 1000)
    send(line)
    assert line.told_mcu(Misbehaved) == [Misbehaved(FAULTS[fault])]
    (ended,) = line.told_module(TransferEnded)
    assert reason is None or ended.reason == reason
    assert bool(line.told_mcu(FirmwareInstalled)) is boots
    assert line.simulator.info.soft_ver == (NEW if boots else OLD)
    send(line)
    assert line.simulator.info.soft_ver == NEW
    assert line.simulator.bootloader._flash.running == IMAGE


def test_module_gives_up_when_its_announcements_are_ignored():
    line = pair()
    line.simulator.bootloader.order("no-ready", 2)
    send(line)
    assert line.told_module(TransferEnded) == [TransferEnded(ENDED_SILENCE)]


def test_power_cut_forgets_the_half_image_and_boots_the_old_version():
    line = pair()
    line.simulator.bootloader.order("power-cut", 1)
    send(line)
    assert line.told_mcu(Restarted)
    assert line.told_mcu(FirmwareInstalled) == []


def test_mcu_without_a_bootloader_knows_no_firmware():
    line = DebuggerPair()
    line.run(100)
    send(line)
    assert line.told_mcu(FirmwareInstalled, FirmwareRefused) == []
    assert line.simulator.info.soft_ver == OLD


def test_flash_that_fails_refuses_the_image_and_the_old_version_goes_on(tmp_path):
    (tmp_path / "flash").write_text("a file where the folder should be")
    line = pair(flash=FlashFolder(str(tmp_path / "flash")))
    send(line)
    (refused, *_) = line.told_mcu(FirmwareRefused)
    assert "cannot be erased" in refused.why
    assert line.simulator.info.soft_ver == OLD


def test_committed_image_boots_from_its_folder(tmp_path):
    flash = FlashFolder(str(tmp_path / "flash"))
    assert flash.soft_ver() is None
    send(pair(flash=flash))
    assert FlashFolder(str(tmp_path / "flash")).soft_ver() == NEW
    assert not os.path.exists(tmp_path / "flash" / "incoming")


def test_damaged_image_is_not_booted(tmp_path):
    flash = FlashFolder(str(tmp_path))
    flash.erase(3)
    flash.write(0, b"abc")
    flash.commit(NEW, hashlib.md5(b"abc").hexdigest())
    running = tmp_path / "running"
    running.write_bytes(running.read_bytes()[:-1])
    with pytest.raises(FlashError, match="damaged"):
        flash.soft_ver()


_COMMIT = """
import sys
from mcu_debugger.flash import FlashFolder
flash = FlashFolder(sys.argv[1])
image = bytes(200_000)
for n in range(1_000_000):
    flash.erase(len(image))
    for at in range(0, len(image), 50_000):
        flash.write(at, image[at : at + 50_000])
    flash.commit("%08d" % n, "")
    print(n, flush=True)
"""


def test_kill_at_any_moment_leaves_an_image_that_is_whole(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tools")))}
    rng = Random(2)
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMIT, str(tmp_path)], stdout=subprocess.PIPE, env=environment
        )
        last = b""
        for _ in range(rng.randrange(1, 12)):
            last = process.stdout.readline()
        # Some way into the next one.
        select.select([], [], [], rng.random() / 50)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # What was said to be committed is there, or the one that was being committed then.
        assert int(FlashFolder(str(tmp_path)).soft_ver()) - int(last) >= 0


def test_intel_hex_becomes_the_image_with_gaps_and_upper_addresses():
    text = b":020000040001F9\n:02001000AABB89\n:01001400CC1F\n:00000001FF\n"
    assert parse_intel_hex(text) == b"\xaa\xbb\xff\xff\xcc"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b":00000001FE\n", "checksum"),
        (b":02001000AABB89\n", "cut"),
        (b"hello\n", "colon"),
        (b":0200\n", "length"),
        (b":zz\n", "not hex"),
        (b":020000040001F9\n:01000000AA55\n:02000004FF00FB\n:01000000BB44\n:00000001FF\n", "spans"),
    ],
)
def test_text_that_is_no_intel_hex_is_refused(text, why):
    with pytest.raises(HexFileError, match=why):
        parse_intel_hex(text)
