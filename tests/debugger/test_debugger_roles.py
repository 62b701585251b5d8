"""The roles of `mcu-debugger` as processes on real pseudo-terminals: one is the module, one the MCU, one listens."""

import json
import os
import pty
import select
import signal
import subprocess
import tty
from random import Random

import pytest
from mcu_debugger.bootloader import version_of
from mcu_debugger.capture.reader import read_parts
from mcu_debugger.capture.record import Chunk
from mcu_debugger.capture.writer import CaptureWriter
from mcu_debugger.flash import FlashFolder
from mcu_debugger.port import group_of, port_lines
from testkit.debugger_process import DebuggerProcess
from testkit.patience import PATIENCE_S
from testkit.repository import ROOT

from mcu_proto.const import CMD_HEARTBEAT, MCU, MODULE
from mcu_proto.frame import encode_frame

PRODUCT = str(ROOT / "tools" / "demo" / "heatpump.json")
BEAT, ACK = encode_frame(CMD_HEARTBEAT, 0x1A), encode_frame(CMD_HEARTBEAT + 1, 0x1A)
IMAGE = b"\x00SOFT_VER=01000007\x00" + Random(5).randbytes(20_000)


@pytest.fixture
def role():
    """Starts processes and sees to their end."""
    started = []

    def start(*args):
        started.append(DebuggerProcess(*args, stderr=subprocess.STDOUT))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate(timeout=PATIENCE_S)


class Wire:
    """A pty whose slave is a process's serial port; the test is the other end."""

    def __init__(self, folder, name):
        self.fd, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = folder / name
        self.path.symlink_to(os.ttyname(self.slave))

    def read(self, size):
        data = b""
        while len(data) < size and select.select([self.fd], [], [], PATIENCE_S)[0]:
            data += os.read(self.fd, 65536)
        return data

    def close(self):
        os.close(self.fd)
        os.close(self.slave)


@pytest.fixture
def wire(tmp_path):
    wires = []

    def make(name):
        wires.append(Wire(tmp_path, name))
        return wires[-1]

    yield make
    for each in wires:
        each.close()


UPGRADE = """\
expect ready within 10s
set power on target_temp 41.5
expect power true within 5s
firmware %s
expect sent within 60s
expect version 01000007 within 30s
quit
"""


def test_module_controls_and_upgrades_a_simulated_mcu_by_script(tmp_path, role):
    (tmp_path / "new.bin").write_bytes(IMAGE)
    (tmp_path / "script").write_text(UPGRADE % (tmp_path / "new.bin"))
    options = ("--product", PRODUCT, "--baud", 115200)
    sim = role("sim", *options, "--port", "pty", "--link", tmp_path / "mcu", "--flash", tmp_path / "flash")
    sim.wait_for("MCU of Demo heat pump")
    capture = tmp_path / "line.jsonl.gz"
    module = role("module", *options, "--port", tmp_path / "mcu", "--script", tmp_path / "script", "--capture", capture)
    assert module.end() == 0, module.output
    assert "line 6: version 01000007, as expected" in module.output
    assert "firmware sent: done" in module.output
    records = list(read_parts(str(capture)))
    assert {record.sender for record in records if isinstance(record, Chunk)} == {MODULE, MCU}
    assert FlashFolder(str(tmp_path / "flash")).soft_ver() == "01000007"


def test_killed_in_the_middle_of_firmware_the_old_version_boots_and_the_update_completes_later(tmp_path, role):
    (tmp_path / "new.bin").write_bytes(IMAGE)
    (tmp_path / "script").write_text(UPGRADE % (tmp_path / "new.bin"))
    options = ("--product", PRODUCT, "--baud", 115200)
    flash = ("--flash", tmp_path / "flash", "--piece", 128)
    # It stays in the middle until it is killed.
    stops = ("--misbehave", "stop-asking 9000")
    sim = role("sim", *options, "--port", "pty", "--link", tmp_path / "mcu", *flash, *stops)
    sim.wait_for("MCU of Demo heat pump")
    module = role("module", *options, "--port", tmp_path / "mcu")
    module.wait_for("software 01000001")
    module.type("firmware %s" % (tmp_path / "new.bin"))
    sim.wait_for("as ordered: stop")
    sim.process.send_signal(signal.SIGKILL)
    sim.end()
    module.process.kill()
    assert FlashFolder(str(tmp_path / "flash")).soft_ver() is None
    sim = role("sim", *options, "--port", "pty", "--link", tmp_path / "mcu", *flash)
    sim.wait_for("MCU of Demo heat pump")
    module = role("module", *options, "--port", tmp_path / "mcu", "--script", tmp_path / "script")
    assert module.end() == 0, module.output
    sim.process.send_signal(signal.SIGTERM)
    assert sim.end() == 0
    sim = role("sim", *options, "--port", "pty", "--link", tmp_path / "mcu", *flash)
    sim.wait_for("MCU of Demo heat pump")
    module = role("module", *options, "--port", tmp_path / "mcu")
    module.wait_for("software 01000007")
    assert version_of(IMAGE) == "01000007"


def test_sim_plays_waveforms_and_faults_from_its_command_line(tmp_path, role):
    sim = role(
        "sim",
        *("--product", PRODUCT, "--port", "pty", "--link", tmp_path / "mcu"),
        *("--wave", "pump square 0 1 200ms every 100ms", "--misbehave", "checksum 1", "-v"),
    )
    sim.wait_for("wrong checksum")
    sim.type("misbehave list")
    sim.wait_for("early-reboot")
    sim.type("behave")
    sim.type("get pump")
    sim.wait_for("pump ")


@pytest.mark.parametrize("options", [("--wave", "pump"), ("--misbehave", "fly"), ("--waves", "/no/file")])
def test_waveform_or_fault_that_cannot_be_exits_2(role, options):
    sim = role("sim", "--product", PRODUCT, "--port", "pty", *options)
    assert sim.end() == 2


def test_tap_merges_two_lines_and_speaks_json(tmp_path, role, wire):
    module, mcu = wire("module"), wire("mcu")
    tap = role("tap", "--module", module.path, "--mcu", mcu.path, "--json", "--capture", tmp_path / "line.jsonl")
    tap.wait_for("listening to")
    os.write(module.fd, BEAT)
    tap.wait_for('"n": 1')
    os.write(mcu.fd, ACK)
    tap.wait_for('"n": 2')
    tap.type("note all is well")
    tap.wait_for("note: all is well")
    tap.type("quit")
    assert tap.end() == 0
    rows = [json.loads(line) for line in tap.output.splitlines()]
    frames = [row for row in rows if row["kind"] == "frame"]
    assert [(row["from"], row["hex"]) for row in frames] == [("module", BEAT.hex()), ("MCU", ACK.hex())]
    assert frames[1]["answers"] == 1
    assert frames[1]["rtt_ms"] > 0
    assert select.select([module.fd, mcu.fd], [], [], 0)[0] == []


def test_tap_on_one_wire_tells_the_ends_apart(role, wire):
    both = wire("both")
    tap = role("tap", "--port", both.path, "--plain", "-vv")
    tap.wait_for("listening to")
    os.write(both.fd, BEAT + ACK)
    tap.wait_for("08 heartbeat ack  sn 26")
    tap.wait_for(ACK.hex(" "))
    assert "module 07 heartbeat  sn 26" in tap.output


@pytest.mark.parametrize("options", [(), ("--module", "/dev/null"), ("--port", "x", "--module", "y", "--mcu", "z")])
def test_tap_needs_one_line_or_two(role, options):
    assert role("tap", *options).end() == 2


def test_bridge_passes_both_ways_and_obeys_its_rules(role, wire):
    module, mcu = wire("module"), wire("mcu")
    bridge = role("bridge", "--module", module.path, "--mcu", mcu.path, "--rule", "drop cmd 08 times 1")
    bridge.wait_for("bridge between")
    os.write(module.fd, BEAT)
    assert mcu.read(len(BEAT)) == BEAT
    os.write(mcu.fd, ACK)
    bridge.wait_for("rule `drop cmd 08 times 1` applied to 08 heartbeat ack of the MCU")
    os.write(mcu.fd, ACK)
    assert module.read(len(ACK)) == ACK
    bridge.type("inject module ff 00")
    assert module.read(2) == b"\xff\x00"
    bridge.type("rules")
    bridge.wait_for("drop cmd 08 times 1  1")


def capture_of(path):
    writer = CaptureWriter(str(path), "to be played")
    writer.open()
    for n in range(50):
        writer.chunk(n * 20_000, MODULE, encode_frame(CMD_HEARTBEAT, n))
        writer.chunk(n * 20_000 + 1000, MCU, encode_frame(CMD_HEARTBEAT + 1, n))
    writer.close()
    return path


@pytest.mark.parametrize("speed", [("--speed", 20), ("--speed", 0)])
def test_replay_plays_one_end_of_a_capture(tmp_path, role, wire, speed):
    line = wire("line")
    replay = role("replay", capture_of(tmp_path / "line.jsonl"), "--port", line.path, "--from", "mcu", *speed)
    expected = b"".join(encode_frame(CMD_HEARTBEAT + 1, n) for n in range(50))
    assert line.read(len(expected)) == expected
    assert replay.end() == 0
    assert "50 chunks played" in replay.output


def test_auto_finds_a_line_that_talks_and_gives_up_on_a_silent_one(role, wire):
    line = wire("line")
    auto = role("auto", "--port", line.path, "--listen", "60s")
    while auto.process.poll() is None:
        os.write(line.fd, BEAT + ACK)
        select.select([], [], [], 0.02)
        if select.select([auto.process.stdout], [], [], 0)[0]:
            break
    assert auto.end() == 0
    assert auto.output.endswith("\n9600 8N1\n")
    assert role("auto", "--port", wire("silent").path, "--listen", "5ms").end() == 1


def test_auto_asks_an_mcu_that_is_silent(role, wire):
    line = wire("line")
    auto = role("auto", "--port", line.path, "--listen", "60s", "--ask")
    assert line.read(9) == encode_frame(1, 0)
    os.write(line.fd, ACK + ACK)
    assert auto.end() == 0


class _Port:
    def __init__(self, device, description="n/a", hwid="n/a"):
        self.device, self.description, self.hwid = device, description, hwid


def test_ports_are_listed_with_what_is_plugged_in_there():
    found = [_Port("/dev/ttyUSB10", "CP2102 USB to UART", "USB VID:PID=10C4:EA60"), _Port("/dev/ttyS0")]
    assert port_lines(found) == [
        "/dev/ttyS0     no description",
        "/dev/ttyUSB10  CP2102 USB to UART, USB VID:PID=10C4:EA60",
    ]


def test_group_to_join_is_that_of_the_port(tmp_path):
    path = tmp_path / "port"
    path.write_bytes(b"")
    if os.getuid() == 0:
        import grp

        os.chown(path, 0, grp.getgrnam("tty").gr_gid)
        assert group_of(str(path)) == "tty"
        os.chown(path, 0, 0)
        assert group_of(str(path)) == "dialout"
    assert group_of("/nowhere") == "dialout"
