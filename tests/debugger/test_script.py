"""Script lines: what they mean, in which order, and which are refused."""

import json

import pytest
from mcu_debugger.commands import CommandError, Table, parse_command
from mcu_debugger.script import ScriptError, ScriptRun, parse_script
from mcu_debugger.sim_commands import COMMANDS
from mcu_debugger.simulator import FACTS, McuSimulator
from testkit.repository import ROOT

from mcu_proto.const import CMD_GET_TIME, CMD_MODULE_STATUS, CMD_P0_DOWN, STATUS_CLOUD
from mcu_proto.frame import FrameDecoder, encode_frame
from mcu_proto.link import SendSerial
from mcu_proto.message import build_module_status

PRODUCT = json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text())


@pytest.fixture
def simulator():
    simulator = McuSimulator(PRODUCT)
    simulator.start(0)
    return simulator


def run_of(text, simulator):
    return ScriptRun(parse_script(text, simulator.schema, COMMANDS, FACTS), simulator)


def commands_in(effects):
    return [frame.cmd for e in effects if isinstance(e, SendSerial) for frame in FrameDecoder().feed(e.data)]


def test_lines_without_a_time_are_performed_at_once(simulator):
    run = run_of("# comment\n\nset power on mode 'cool' # why\nraise alert_frost\n", simulator)
    run.start(0)
    values = simulator.values
    assert (values["power"], values["mode"], values["alert_frost"]) == (True, "cool", True)
    assert run.result is None
    assert run.next_timeout() is None


def test_after_counts_from_the_line_before(simulator):
    run = run_of("after 2s set power on\nafter 500ms set power off\nquit", simulator)
    run.start(1000)
    run.advance(run.next_timeout() - 1)
    assert simulator.values["power"] is False
    assert run.next_timeout() == 3000
    run.advance(3000)
    assert simulator.values["power"] is True
    assert run.next_timeout() == 3500
    run.advance(3500)
    assert simulator.values["power"] is False
    assert run.result == 0


def test_every_repeats_while_later_lines_go_on(simulator):
    run = run_of("every 1s time\nafter 2500ms quit", simulator)
    asked = []
    effects, _ = run.start(0)
    while run.result is None:
        now = run.next_timeout()
        effects, _ = run.advance(now)
        asked += [now] * commands_in(effects).count(CMD_GET_TIME)
        simulator.handle_timeout(now)
        simulator.receive_serial(encode_frame(CMD_GET_TIME + 1, len(asked) - 1, bytes(11)), now)
    assert asked == [1000, 2000]
    assert now == 2500


def test_expect_waits_for_the_control(simulator):
    run = run_of("expect target_temp 41.50 within 10s\nquit", simulator)
    run.start(0)
    run.advance(9999)
    assert run.result is None
    assert run.unmet() == 1
    p0 = simulator.schema.encode_control({"target_temp": 41.5})
    simulator.receive_serial(encode_frame(CMD_P0_DOWN, 0, p0), 9999)
    assert run.advance(9999)[1] == ["line 1: target_temp 41.5, as expected"]
    assert run.result == 0
    assert run.unmet() == 0


def test_expect_that_is_not_met_in_time_fails_the_script(simulator):
    run = run_of("expect power true within 10s\nset eco on\nquit", simulator)
    run.start(0)
    assert run.next_timeout() == 10_000
    assert run.advance(10_000)[1] == ["line 1: expected power true within 10000 ms, not seen"]
    assert run.result == 1
    assert simulator.values["eco"] is False


def test_expect_takes_an_index_for_a_label(simulator):
    simulator.set({"mode": "auto"}, 0)
    run = run_of("expect mode 2 within 1s\nquit", simulator)
    run.start(0)
    assert run.result == 0


def test_expect_online_waits_for_the_cloud_bit(simulator):
    run = run_of("expect online within 60s\nquit", simulator)
    run.start(0)
    assert run.result is None
    simulator.receive_serial(encode_frame(CMD_MODULE_STATUS, 0, build_module_status(STATUS_CLOUD)), 1)
    run.advance(1)
    assert run.result == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("jump", "unknown command"),
        ("set power", "NAME VALUE"),
        ("set power maybe", "attribute power"),
        ("set target_temp 99", "-10 to 65"),
        ("set target_temp warm", "no number"),
        ("set week_program zz", "hex"),
        ("set boiler on", "attribute boiler"),
        ("set mode 'cool", "quotation"),
        ("raise power", "alert_frost"),
        ("config wps", "softap"),
        ("time now", "nothing after it"),
        ("get a b", "one NAME"),
        ("after 2 set power on", "no time"),
        ("after 2s", "nothing to do"),
        ("every 0s time", "over 0"),
        ("every", "no time"),
        ("expect power true", "within"),
        ("expect power true within soon", "no time"),
        ("expect power true eco true within 1s", "one NAME VALUE"),
        ("expect offline within 1s", "one NAME VALUE"),
        ("expect mode warm within 1s", "attribute mode"),
        ("expect mode 'warm within 1s", "quotation"),
    ],
)
def test_bad_line_is_named_before_anything_is_performed(simulator, line, why):
    with pytest.raises(ScriptError, match=why) as caught:
        run_of("set power on\n\n" + line, simulator)
    assert str(caught.value).startswith("line 3: ")
    assert simulator.values["power"] is False


def test_every_command_is_performed(simulator):
    arguments = {
        "set": " power on",
        "raise": " alert_frost",
        "clear": " alert_frost",
        "wave": " water_in sine 20 30 10s",
        "misbehave": " checksum 3",
        "raw": " ff ff",
        "note": " hello",
    }
    for name in COMMANDS:
        call = parse_command(name + arguments.get(name, ""), simulator.schema, COMMANDS)
        effects, outputs = call.run(simulator, call.argument, 0)
        assert isinstance(effects, list)
        assert isinstance(outputs, list)


@pytest.mark.parametrize(
    ("line", "cmd", "payload"),
    [
        ("config", 0x09, b"\x02"),
        ("config SoftAP", 0x09, b"\x01"),
        ("reset", 0x0B, b""),
        ("test", 0x13, b""),
        ("bindable", 0x15, b""),
        ("time", 0x17, b""),
        ("info", 0x21, b"\x00"),
        ("restart", 0x29, b""),
    ],
)
def test_command_sends_its_request(simulator, line, cmd, payload):
    call = parse_command(line, simulator.schema, COMMANDS)
    effects, _ = call.run(simulator, call.argument, 0)
    assert effects == [SendSerial(encode_frame(cmd, 0, payload))]


def test_get_and_attrs_show_values(simulator):
    simulator.set({"water_in": 31.5}, 0)
    call = parse_command("get water_in", simulator.schema, COMMANDS)
    assert call.run(simulator, call.argument, 0) == ([], ["water_in 31.5"])
    call = parse_command("attrs", simulator.schema, COMMANDS)
    (table,) = call.run(simulator, call.argument, 0)[1]
    assert isinstance(table, Table)
    assert len(table.rows) == len(simulator.values)


def test_empty_line_is_no_command(simulator):
    with pytest.raises(CommandError):
        parse_command("  ", simulator.schema, COMMANDS)
