"""The debugger as the module: handshake, status, heartbeat, controls, time, gateway, against its own simulated MCU."""

from random import Random

import pytest
from mcu_debugger.commands import CommandError, parse_command
from mcu_debugger.mcu_events import Controlled, ModuleInfoReceived, StatusChanged, TimeReceived, TransparentReceived
from mcu_debugger.module_commands import COMMANDS, load_image
from mcu_debugger.module_events import (
    FirmwareAsked,
    InfoRefused,
    McuAsked,
    McuFound,
    McuLost,
    RawReported,
    ReadAnswered,
    Reported,
    Restarting,
    SubdeviceReported,
    SubdevicesRegistered,
    SubdeviceStates,
)
from mcu_debugger.module_lines import module_line
from mcu_debugger.module_player import HEARTBEAT, STATUS_REFRESH, ModulePlayer
from mcu_debugger.module_upgrade import image_of
from testkit.debugger_pair import PRODUCT, UTC, DebuggerPair
from testkit.null_modem import LINES

from mcu_proto.const import (
    CMD_BINDABLE,
    CMD_CONFIG_MODE,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_ILLEGAL_FROM_MODULE,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    CMD_PRODUCTION_TEST,
    CMD_REGISTER_SUBDEVICES,
    CMD_RESET_MODULE,
    CMD_RESTART_MODULE,
    CMD_SUBDEVICES_REGISTERED,
    CMD_TRANSACTION,
    CMD_TRANSACTION_RESULT,
    MCU,
    STATUS_BINDABLE,
    STATUS_CONFIG,
    STATUS_TEST,
)
from mcu_proto.datapoint import Schema
from mcu_proto.frame import FrameDecoder, encode_frame
from mcu_proto.link import SendSerial
from mcu_proto.subdevice import Registration, build_data, build_registration, build_states, parse_registration_result
from mcu_proto.transaction import Check, CheckResult, build_transaction, parse_transaction


def type_at(line, text):
    call = parse_command(text, line.module.schema, COMMANDS)
    effects, outputs = call.run(line.module, call.argument, line.now)
    line.module_does(effects)
    line.run(50)
    return outputs


@pytest.fixture
def line():
    line = DebuggerPair()
    line.run(50)
    return line


class BareMcu:
    """Frames of an MCU typed by hand at a player; what it answers."""

    def __init__(self, **options):
        self.player = ModulePlayer(None, lambda: UTC, **options)
        self.now = 0
        self.sent = []
        self.told = []
        self.hear(self.player.start(0))

    def hear(self, effects):
        for effect in effects:
            if isinstance(effect, SendSerial):
                self.sent += FrameDecoder().feed(effect.data)
            else:
                self.told.append(effect)

    def says(self, cmd, payload=b"", sn=9, flags=0):
        self.hear(self.player.receive_from(MCU, encode_frame(cmd, sn, payload, flags), self.now))

    def acks(self):
        """What the module asked last."""
        asked = [frame for frame in self.sent if frame.cmd & 1 and frame.cmd != CMD_ILLEGAL_FROM_MODULE][-1]
        self.says(asked.cmd + 1, sn=asked.sn)

    def run_to(self, now):
        while (due := self.player.next_timeout()) is not None and due <= now:
            self.now = max(self.now, due)
            self.hear(self.player.handle_timeout(self.now))
        self.now = now


def test_handshake_finds_the_mcu_and_tells_it_the_status(line):
    (found,) = line.told_module(McuFound)
    assert found.info.product_key == PRODUCT["product_key"]
    type_at(line, "status cloud")
    assert line.told_mcu(StatusChanged)[-1].status == 0x0732


def test_handshake_goes_on_for_ever_with_a_pause_after_ten_rounds():
    mcu = BareMcu()
    mcu.run_to(60_000)
    assert {frame.cmd for frame in mcu.sent} == {CMD_GET_INFO}
    # Three sendings 200 ms apart a round, ten rounds, a second of pause: about 30 in seven seconds.
    assert 200 < len(mcu.sent) < 300


def test_answer_to_the_handshake_that_means_nothing_is_told_and_asked_again():
    mcu = BareMcu()
    mcu.says(CMD_GET_INFO + 1, b"short", sn=0)
    assert [type(effect) for effect in mcu.told if not hasattr(effect, "frame")] == [InfoRefused]
    mcu.run_to(1000)
    assert [frame.sn for frame in mcu.sent] == [0, 1]


def test_control_by_name_is_taken_and_the_report_comes_back(line):
    type_at(line, "set power on target_temp 41.5")
    assert line.told_mcu(Controlled) == [Controlled({"power": True, "target_temp": 41.5})]
    assert line.told_module(Reported)[-1].values["target_temp"] == 41.5
    assert type_at(line, "get target_temp") == ["target_temp 41.5"]


def test_read_brings_the_state(line):
    line.mcu_does(line.simulator.set({"water_in": 31.5}, line.now))
    type_at(line, "read")
    assert line.told_module(ReadAnswered)[-1].values["water_in"] == 31.5


def test_transparent_bytes_go_down(line):
    type_at(line, "transparent 68 65 6c 6c 6f")
    assert line.told_mcu(TransparentReceived) == [TransparentReceived(b"hello")]


def test_time_and_module_info_are_answered(line):
    for cmd, payload in ((CMD_GET_TIME, b""), (CMD_GET_MODULE_INFO, b"\x00")):
        line.mcu_does(line.simulator.request(cmd, payload, line.now))
        line.run(50)
    assert line.told_mcu(TimeReceived)[0].time.utc == UTC
    assert line.told_mcu(ModuleInfoReceived)[0].info.device_attr == 2


def test_time_that_is_not_known_is_all_zero():
    line = DebuggerPair(utc=0)
    line.run(50)
    line.mcu_does(line.simulator.request(CMD_GET_TIME, b"", line.now))
    line.run(50)
    assert line.told_mcu(TimeReceived)[0].time.year == 0


@pytest.mark.parametrize(
    ("cmd", "payload", "bit"),
    [
        (CMD_CONFIG_MODE, b"\x01", STATUS_CONFIG),
        (CMD_PRODUCTION_TEST, b"", STATUS_TEST),
        (CMD_BINDABLE, b"", STATUS_BINDABLE),
    ],
)
def test_request_of_the_mcu_shows_in_the_status_word(line, cmd, payload, bit):
    line.mcu_does(line.simulator.request(cmd, payload, line.now))
    line.run(50)
    assert line.told_module(McuAsked)[-1].cmd == cmd
    assert line.told_mcu(StatusChanged)[-1].status & bit


@pytest.mark.parametrize("cmd", [CMD_RESTART_MODULE, CMD_RESET_MODULE])
def test_restart_and_reset_begin_with_the_handshake_again(line, cmd):
    line.mcu_does(line.simulator.request(cmd, b"", line.now))
    line.run(3000)
    assert len(line.told_module(Restarting)) == 1
    assert len(line.told_module(McuFound)) == 2


def test_heartbeat_comes_after_silence_and_three_unanswered_lose_the_mcu(line):
    line.simulator.silent = True
    line.run(3 * HEARTBEAT + 5000)
    assert len(line.told_module(McuLost)) == 1
    line.simulator.silent = False
    line.run(5000)
    assert len(line.told_module(McuFound)) == 2


def test_status_is_refreshed_every_ten_minutes_and_told_again_when_not_acked():
    mcu = BareMcu(heartbeat=0, status=0x073A)
    info = b"00000004000000020100000101000001" + PRODUCT["product_key"].encode() + b"\x00\x00"
    mcu.says(CMD_GET_INFO + 1, info, sn=0)
    pushes = [frame for frame in mcu.sent if frame.cmd == CMD_MODULE_STATUS]
    assert [frame.payload for frame in pushes] == [b"\x07\x3a"]
    mcu.run_to(1900)
    assert len({frame.sn for frame in mcu.sent if frame.cmd == CMD_MODULE_STATUS}) == 2
    mcu.acks()
    before = len(mcu.sent)
    mcu.run_to(1900 + STATUS_REFRESH)
    assert mcu.sent[before].cmd == CMD_MODULE_STATUS


def test_sub_devices_are_registered_and_their_data_is_told():
    mcu = BareMcu()
    asked = Registration(b"k" * 32, b"s" * 32, 0, b"tag", 0, [(b"mac1", b"mesh1"), (b"mac2", b"mesh2")])
    mcu.says(CMD_GET_INFO + 1, b"", sn=0)
    mcu.says(CMD_REGISTER_SUBDEVICES, build_registration(asked), sn=1)
    (result,) = [frame for frame in mcu.sent if frame.cmd == CMD_SUBDEVICES_REGISTERED]
    granted = parse_registration_result(result.payload)
    assert (granted.arg, granted.result) == (b"tag", 0)
    assert [device[1] for device in granted.devices] == [b"mesh1", b"mesh2"]
    mcu.says(CMD_P0_UP, build_states([(b"mesh1", 1)]), sn=2)
    mcu.says(CMD_P0_UP, build_data(0x73, [(b"mesh1", b"\x04\x01")]), sn=3)
    kinds = (SubdevicesRegistered, SubdeviceStates, SubdeviceReported)
    assert [type(told) for told in mcu.told if isinstance(told, kinds)] == list(kinds)
    mcu.acks()
    call = parse_command("subdevice mesh1 01 01 01", None, COMMANDS)
    mcu.hear(call.run(mcu.player, call.argument, mcu.now)[0])
    assert mcu.sent[-1].cmd == CMD_P0_DOWN
    assert mcu.sent[-1].payload == build_data(0x72, [(b"mesh1", b"\x01\x01\x01")])


def test_mcu_that_looks_for_firmware_gets_what_is_offered():
    mcu = BareMcu()
    mcu.says(CMD_GET_INFO + 1, b"", sn=0)
    check = build_transaction(Check("k" * 32, "", "1", "1", 1))
    mcu.says(CMD_TRANSACTION, check, sn=1)
    answers = [parse_transaction(frame.payload) for frame in mcu.sent if frame.cmd == CMD_TRANSACTION_RESULT]
    assert answers == [CheckResult(0)]
    mcu.acks()
    mcu.player.offer = image_of(b"new firmware")
    mcu.says(CMD_TRANSACTION, check, sn=2)
    mcu.acks()
    answers = [parse_transaction(frame.payload) for frame in mcu.sent if frame.cmd == CMD_TRANSACTION_RESULT]
    assert answers[-1] == CheckResult(1)
    assert mcu.sent[-1].cmd == 0x19
    assert len([told for told in mcu.told if isinstance(told, FirmwareAsked)]) == 2
    assert {type(answer) for answer in answers} == {CheckResult}


def test_reports_that_mean_nothing_are_told(line):
    line.mcu_does([SendSerial(encode_frame(CMD_P0_UP, 200, b"\x04\x01"))])
    line.run(50)
    assert line.told_module(RawReported)


def test_module_survives_noise():
    mcu = BareMcu()
    rng = Random(4)
    for n in range(2000):
        mcu.hear(mcu.player.receive_from(MCU, rng.randbytes(rng.randrange(40)), n))
        mcu.says(rng.randrange(256), rng.randbytes(rng.randrange(30)), sn=n & 0xFF)
    assert all(isinstance(module_line(told), str) for told in mcu.told)


@pytest.mark.parametrize("carry", LINES)
def test_control_that_was_acked_was_applied_whatever_the_line_does(carry):
    line = DebuggerPair(rng=Random(7), carry=carry)
    line.run(5000)
    for timer in range(1, 13):
        line.module_does(
            line.module.request(CMD_P0_DOWN, line.module.schema.encode_control({"timer": timer}), line.now)
        )
        line.run(4000)
    applied = [each.values["timer"] for each in line.told_mcu(Controlled)]
    assert applied == sorted(set(applied))
    assert len(applied) > 6


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("status", "four hex digits"),
        ("status 12345", "four hex digits"),
        ("status sunny", "four hex digits"),
        ("set power", "NAME VALUE"),
        ("set water_in 20", "cannot be set"),
        ("p0", "bytes in hex"),
        ("firmware", "one FILE"),
        ("firmware /nowhere/at/all", "cannot be read"),
        ("subdevice mesh", "MESHID"),
        ("fly", "unknown command"),
    ],
)
def test_bad_line_is_refused_before_anything_is_sent(text, why):
    with pytest.raises(CommandError, match=why):
        parse_command(text, Schema.from_definition(PRODUCT), COMMANDS)


def test_attributes_need_a_product():
    with pytest.raises(CommandError, match="--product"):
        parse_command("set power on", None, COMMANDS)


def test_empty_file_is_no_firmware(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(CommandError, match="empty"):
        load_image(str(tmp_path / "empty"))


def test_every_command_is_performed(line, tmp_path):
    (tmp_path / "fw").write_bytes(b"firmware")
    arguments = {
        "set": "power on",
        "p0": "02",
        "transparent": "01",
        "status": "073a",
        "firmware": str(tmp_path / "fw"),
        "offer": str(tmp_path / "fw"),
        "subdevice": "mesh 02",
        "raw": "ff ff",
        "note": "hello",
    }
    for name in COMMANDS:
        call = parse_command("%s %s" % (name, arguments.get(name, "")), line.module.schema, COMMANDS)
        effects, outputs = call.run(line.module, call.argument, line.now)
        assert isinstance(effects, list)
        assert isinstance(outputs, list)
