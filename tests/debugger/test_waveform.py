"""Values over time, faults of the line on order, products of variable length: the simulator's further gifts."""

from itertools import pairwise

import pytest
from mcu_debugger.appliance import CHANGE_INTERVAL, REPORT_INTERVAL
from mcu_debugger.commands import CommandError, parse_command
from mcu_debugger.mcu_events import Controlled, Ignored, Restarted, StateRead
from mcu_debugger.mischief import KINDS
from mcu_debugger.sim_commands import COMMANDS
from mcu_debugger.simulator import McuSimulator
from mcu_debugger.waveform import WaveError, Waves, parse_wave, parse_waves
from testkit.debugger_pair import PRODUCT

from mcu_proto.const import CMD_HEARTBEAT, CMD_P0_DOWN, CMD_P0_UP
from mcu_proto.datapoint import Schema
from mcu_proto.errors import AttrError
from mcu_proto.frame import BadFrame, Frame, FrameDecoder, encode_frame
from mcu_proto.link import SendSerial

SCHEMA = Schema.from_definition(PRODUCT)


def played(line, seconds, schema=SCHEMA):
    """(second, value) whenever the attribute is set."""
    wave = parse_wave(line.split(), schema)
    waves = Waves(schema)
    waves.play(wave, 0)
    found = []
    while (due := waves.next_timeout()) <= seconds * 1000:
        ((name, value),) = waves.due_values(due).items()
        decoded = schema.decode(schema.encode_report({name: value}))[name]
        found.append((due / 1000, decoded))
    return found


def test_sine_begins_in_the_middle_and_reaches_both_ends():
    assert played("water_in sine 20 30 4s", 4) == [(0, 25), (1, 30), (2, 25), (3, 20), (4, 25)]


def test_ramp_rises_and_falls_back():
    assert [value for _, value in played("energy ramp 0 10 5s", 6)] == [0, 2, 4, 6, 8, 0, 2]


def test_square_switches_at_half_the_period():
    assert [value for _, value in played("pump square 0 1 4s", 4)] == [True, True, False, False, True]


def test_walk_is_the_same_every_time_and_stays_between_its_ends():
    walk = played("water_out walk 30 40 3 every 500ms", 100)
    assert walk == played("water_out walk 30 40 3 every 500ms", 100)
    values = [value for _, value in walk]
    assert all(30 <= value <= 40 for value in values)
    assert len(set(values)) > 50
    assert all(abs(a - b) <= 3.1 for a, b in pairwise(values))


def test_lateness_does_not_add_up():
    waves = Waves(SCHEMA)
    waves.play(parse_wave("water_in sine 20 30 4s".split(), SCHEMA), 0)
    waves.due_values(0)
    waves.due_values(1999)
    assert waves.next_timeout() == 2000


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("water_in", "expected NAME"),
        ("water_in zigzag 1 2 3s", "unknown shape"),
        ("water_in sine 20 30 4", "no time"),
        ("water_in sine 20 x 4s", "no number"),
        ("water_in sine 20 30 0s", "over 0"),
        ("water_in sine 20 30 4s every 0s", "over 0"),
        ("water_in sine 20 3000 4s", "water_in"),
        ("week_program sine 0 1 4s", "binary"),
        ("boiler sine 0 1 4s", "boiler"),
    ],
)
def test_waveform_that_cannot_be_is_refused_at_once(line, why):
    with pytest.raises((WaveError, AttrError), match=why):
        parse_wave(line.split(), SCHEMA)


def test_file_of_waveforms_names_its_bad_line():
    assert len(parse_waves("# all\nwater_in sine 20 30 4s\n\npump square 0 1 4s # half\n", SCHEMA)) == 2
    with pytest.raises(WaveError, match="line 2: "):
        parse_waves("water_in sine 20 30 4s\nwater_in sine", SCHEMA)


def commanded(simulator, text, now=0):
    call = parse_command(text, simulator.schema, COMMANDS)
    return call.run(simulator, call.argument, now)


def run_to(simulator, end):
    out = []
    while (due := simulator.next_timeout()) is not None and due <= end:
        out += simulator.handle_timeout(due)
        for effect in list(out):
            if isinstance(effect, SendSerial) and effect.data[4] == CMD_P0_UP:
                out.remove(effect)
                out.append(effect.data)
                out += simulator.receive_serial(encode_frame(CMD_P0_UP + 1, effect.data[5]), due)
    return out


def test_wave_moves_the_attribute_until_it_is_set_by_hand():
    simulator = McuSimulator(PRODUCT)
    simulator.start(0)
    commanded(simulator, "wave water_in ramp 20 30 10s")
    run_to(simulator, 3000)
    assert simulator.values["water_in"] == 23
    commanded(simulator, "set water_in 50", 3500)
    run_to(simulator, 9000)
    assert simulator.values["water_in"] == 50
    commanded(simulator, "wave water_in ramp 20 30 10s", 9000)
    commanded(simulator, "wave water_in off", 9000)
    assert simulator.waves.names() == []


def beat(simulator, now=0, sn=7):
    """What leaves when the module sends a heartbeat, waiting for what is late."""
    effects = simulator.receive_serial(encode_frame(CMD_HEARTBEAT, sn), now)
    return b"".join(effect.data for effect in effects if isinstance(effect, SendSerial))


GOOD = encode_frame(CMD_HEARTBEAT + 1, 7)


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("slow", "reboot")])
def test_fault_spoils_so_many_frames_and_no_more(name):
    simulator = McuSimulator(PRODUCT)
    commanded(simulator, "misbehave %s 2" % name)
    # A checksum of ff, for the fault that does not stuff.
    spoilt = [beat(simulator, sn=sn) for sn in (0xF2, 0xFF, 9)]
    good = [encode_frame(CMD_HEARTBEAT + 1, sn) for sn in (0xF2, 0xFF, 9)]
    assert spoilt[:2] != good[:2]
    assert spoilt[2] == good[2]


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("silent", []),
        ("no-ack", []),
        ("sn", [Frame(CMD_HEARTBEAT + 1, 8, 0, b"")]),
        ("twice", [Frame(CMD_HEARTBEAT + 1, 7, 0, b"")] * 2),
        ("noise", [Frame(CMD_HEARTBEAT + 1, 7, 0, b"")]),
        ("cut", []),
    ],
)
def test_fault_does_what_it_says(name, left):
    simulator = McuSimulator(PRODUCT)
    commanded(simulator, "misbehave " + name)
    assert FrameDecoder().feed(beat(simulator)) == left


def test_wrong_checksum_is_a_frame_with_a_wrong_checksum():
    simulator = McuSimulator(PRODUCT)
    commanded(simulator, "misbehave checksum")
    for sn in range(256):
        (bad,) = FrameDecoder().feed(beat(simulator, now=sn * 4000, sn=sn))
        assert isinstance(bad, BadFrame)


def test_faults_of_acks_leave_requests_alone():
    simulator = McuSimulator(PRODUCT)
    commanded(simulator, "misbehave no-ack")
    commanded(simulator, "misbehave sn")
    (report,) = simulator.set({"power": 1}, 0)
    assert isinstance(report, SendSerial)
    assert report.data[4] == CMD_P0_UP


def test_slow_mcu_sends_everything_later_and_in_order():
    simulator = McuSimulator(PRODUCT)
    simulator.start(0)
    commanded(simulator, "misbehave slow 300ms")
    assert beat(simulator, 1000) == b""
    assert beat(simulator, 1100, sn=8) == b""
    assert simulator.next_timeout() == 1300
    assert simulator.handle_timeout(1300) == [SendSerial(GOOD)]
    commanded(simulator, "behave")
    assert simulator.handle_timeout(1400) == [SendSerial(encode_frame(CMD_HEARTBEAT + 1, 8))]


def test_rebooting_mcu_restarts_again_and_again():
    simulator = McuSimulator(PRODUCT)
    simulator.start(0)
    commanded(simulator, "misbehave reboot 10s")
    restarts = [effect for effect in run_to(simulator, 35_000) if isinstance(effect, Restarted)]
    assert len(restarts) == 3
    assert Restarted() in commanded(simulator, "reboot", 36_000)[0]


@pytest.mark.parametrize("faults", ["", "fly", "slow", "slow 3", "checksum 0", "sn x"])
def test_fault_that_cannot_be_is_refused(faults):
    with pytest.raises(CommandError):
        parse_command("misbehave " + faults, SCHEMA, COMMANDS)


def test_firmware_fault_needs_a_bootloader():
    assert commanded(McuSimulator(PRODUCT), "misbehave cancel 100") == ([], ["? this MCU has no bootloader"])


def variable_product():
    rows = [dict(row) for row in PRODUCT["entities"][0]["attrs"]]
    # The platform numbers products of variable length by data type alone.
    order = ("bool", "enum", "uint8", "uint16", "uint32", "binary")
    rows.sort(key=lambda row: order.index(row["data_type"]))
    for number, row in enumerate(rows):
        row["id"] = number
        row["position"] = dict(row["position"], byte_offset=0, bit_offset=0)
    return PRODUCT | {"protocolType": "var_len", "entities": [PRODUCT["entities"][0] | {"attrs": rows}]}


@pytest.fixture
def variable():
    simulator = McuSimulator(variable_product())
    simulator.start(0)
    return simulator


def reports(simulator, effects, now=0):
    found = []
    for effect in effects:
        if isinstance(effect, SendSerial) and effect.data[4] == CMD_P0_UP:
            (frame,) = FrameDecoder().feed(effect.data)
            found.append(simulator.schema.decode(frame.payload))
            simulator.receive_serial(encode_frame(CMD_P0_UP + 1, frame.sn), now)
    return found


def test_variable_length_product_reports_only_what_changed(variable):
    assert reports(variable, variable.set({"power": 1, "water_in": 31.5}, 0)) == [{"power": True, "water_in": 31.5}]
    assert reports(variable, variable.set({"water_in": 32}, 1)) == []
    assert variable.next_timeout() == CHANGE_INTERVAL
    assert reports(variable, variable.handle_timeout(CHANGE_INTERVAL)) == [{"water_in": 32}]


def test_variable_length_product_reports_everything_every_ten_minutes(variable):
    (report,) = reports(variable, variable.handle_timeout(REPORT_INTERVAL))
    assert report == variable.values


def test_variable_length_product_takes_controls_and_answers_reads(variable):
    control = encode_frame(CMD_P0_DOWN, 1, variable.schema.encode_control({"target_temp": 41.5, "power": 1}))
    effects = variable.receive_serial(control, 0)
    assert Controlled({"target_temp": 41.5, "power": True}) in effects
    assert reports(variable, effects) == [{"target_temp": 41.5, "power": True}]
    read = encode_frame(CMD_P0_DOWN, 2, variable.schema.encode_read(["target_temp", "fan"]))
    answer, told = variable.receive_serial(read, 10)
    (frame,) = FrameDecoder().feed(answer.data)
    assert variable.schema.decode(frame.payload) == {"target_temp": 41.5, "fan": "auto"}
    assert told == StateRead()


@pytest.mark.parametrize("p0", ["02", "12", "01 00 00"])
def test_variable_length_product_ignores_what_is_for_others(variable, p0):
    effects = variable.receive_serial(encode_frame(CMD_P0_DOWN, 2, bytes.fromhex(p0)), 0)
    assert any(isinstance(effect, Ignored) for effect in effects)
