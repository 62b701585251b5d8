"""`McuSimulator` against the module end of our own link, joined in process; the clock is a number the test moves."""

import json
from random import Random

import pytest
from mcu_debugger.appliance import CHANGE_INTERVAL, REPORT_INTERVAL
from mcu_debugger.bootloader import RESTART_DELAY
from mcu_debugger.mcu_events import (
    Controlled,
    HeartbeatSeen,
    Ignored,
    InfoSent,
    ModuleInfoReceived,
    RestartAsked,
    Restarted,
    StateRead,
    StatusChanged,
    TimeReceived,
    TransparentReceived,
)
from mcu_debugger.simulator import McuSimulator
from testkit.null_modem import LINES, LinkEnd, NullModem
from testkit.repository import ROOT

from mcu_proto.const import (
    ACTION_READ_REPLY,
    ACTION_REPORT,
    CMD_BINDABLE,
    CMD_CONFIG_MODE,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_HEARTBEAT,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    CMD_RESTART_MCU,
    FAIL_NO_ACK,
    SENDS,
)
from mcu_proto.errors import AttrError, LocalError
from mcu_proto.frame import FrameDecoder, encode_frame
from mcu_proto.link import Acked, Failed, McuLink, Received, SendSerial
from mcu_proto.message import build_module_status, build_network_time, parse_device_info
from mcu_proto.module_info import ModuleInfo, build_module_info

PRODUCT = json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text())


class Line:
    """A simulator and a module's link joined by a cable; what each end says is kept in `mcu` and `module`."""

    def __init__(self, values=None, **options):
        self.simulator = McuSimulator(PRODUCT, values, **options)
        self.link = McuLink(hold=(CMD_GET_TIME, CMD_GET_MODULE_INFO))
        self.now = 0
        self.mcu: list = []
        self.module: list = []
        self.wire: list = []
        self.from_mcu(self.simulator.start(self.now))

    def from_mcu(self, effects):
        for effect in effects:
            if isinstance(effect, SendSerial):
                self.wire += FrameDecoder().feed(effect.data)
                self.from_module(self.link.receive_bytes(effect.data, self.now))
            else:
                self.mcu.append(effect)

    def from_module(self, effects):
        for effect in effects:
            if isinstance(effect, SendSerial):
                self.from_mcu(self.simulator.receive_serial(effect.data, self.now))
            else:
                self.module.append(effect)

    def ask(self, cmd, payload=b""):
        """The module requests; the ack's payload."""
        self.from_module(self.link.request(cmd, payload, self.now, token="asked"))
        return next(effect.frame.payload for effect in reversed(self.module) if isinstance(effect, Acked))

    def control(self, **values):
        return self.ask(CMD_P0_DOWN, self.simulator.schema.encode_control(values))

    def set(self, **values):
        self.from_mcu(self.simulator.set(values, self.now))

    def run_to(self, now):
        """Let time pass up to `now`, stopping wherever the simulator wants to."""
        while (due := self.simulator.next_timeout()) is not None and due <= now:
            self.now = max(self.now, due)
            self.from_mcu(self.simulator.handle_timeout(self.now))
        self.now = now

    def reports(self):
        """The attributes of every report that the module got."""
        frames = [effect.frame for effect in self.module if isinstance(effect, Received)]
        return [self.simulator.schema.decode(f.payload) for f in frames if f.cmd == CMD_P0_UP]

    def told(self, *kinds):
        return [effect for effect in self.mcu if isinstance(effect, kinds)]


@pytest.fixture
def line():
    return Line()


def test_device_info_is_answered_at_any_time_and_has_the_second_layout(line):
    for _ in range(3):
        payload = line.ask(CMD_GET_INFO)
        assert len(payload) == 74
        info = parse_device_info(payload)
        assert info.product_key == PRODUCT["product_key"]
        assert info.bindable_timeout == 0
    assert line.told(InfoSent) == [InfoSent()] * 3


def test_device_info_carries_versions_and_binding_window():
    line = Line(hard_ver="0300", soft_ver="0309", bindable_timeout=600)
    info = parse_device_info(line.ask(CMD_GET_INFO))
    assert (info.hard_ver, info.soft_ver, info.bindable_timeout) == ("0300", "0309", 600)


def test_device_info_has_the_third_layout_with_a_product_secret():
    line = Line(product_secret="00112233445566778899aabbccddeeff")
    payload = line.ask(CMD_GET_INFO)
    assert len(payload) == 106
    assert parse_device_info(payload).product_secret == "00112233445566778899aabbccddeeff"


def test_control_is_acked_empty_then_told_then_reported_whole(line):
    effects = line.simulator.receive_serial(
        encode_frame(CMD_P0_DOWN, 9, line.simulator.schema.encode_control({"power": 1, "target_temp": 41.5})), 0
    )
    ack, controlled, report = effects
    assert ack == SendSerial(encode_frame(CMD_P0_DOWN + 1, 9))
    assert controlled == Controlled({"power": True, "target_temp": 41.5})
    (frame,) = FrameDecoder().feed(report.data)
    values = line.simulator.schema.decode(frame.payload)
    assert (frame.cmd, frame.payload[0]) == (CMD_P0_UP, ACTION_REPORT)
    assert values == line.simulator.values
    assert (values["power"], values["target_temp"], values["mode"]) == (True, 41.5, "heat")


def test_control_sets_every_kind_of_attribute(line):
    assert line.control(mode="defrost", fan=3, timer=1440, week_program="01ff55", eco=True) == b""
    values = line.simulator.values
    assert (values["mode"], values["fan"], values["timer"], values["eco"]) == ("defrost", "high", 1440, True)
    assert values["week_program"] == bytes.fromhex("01ff5500000000")
    assert line.reports() == [values]


def test_control_leaves_attributes_alone_that_it_does_not_flag(line):
    line.set(mode="cool")
    line.control(power=1)
    assert line.simulator.values["mode"] == "cool"


def test_control_out_of_range_is_acked_and_changes_nothing(line):
    p0 = bytearray(line.simulator.schema.encode_control({"target_temp": 65}))
    p0[5] = 200
    assert line.ask(CMD_P0_DOWN, bytes(p0)) == b""
    assert line.told(Ignored)
    assert line.simulator.values["target_temp"] == -10
    assert line.reports() == []


@pytest.mark.parametrize("p0", ["", "01", "0100ff", "77", "11 00", "0400"])
def test_p0_that_means_nothing_is_acked_and_told(line, p0):
    assert line.ask(CMD_P0_DOWN, bytes.fromhex(p0)) == b""
    assert [effect.payload for effect in line.told(Ignored)] == [bytes.fromhex(p0)]


def test_control_for_a_sub_device_is_acked_and_changes_nothing(line):
    p0 = line.simulator.schema.encode_control({"power": 1})
    line.from_module(line.link.request(CMD_P0_DOWN, p0, 0, token="asked", flags=1))
    assert isinstance(line.module[-1], Acked)
    assert line.told(Ignored, Controlled) == [Ignored(p0, "meant for a sub-device")]


def test_read_is_answered_in_the_ack(line):
    line.set(power=1)
    payload = line.ask(CMD_P0_DOWN, b"\x02")
    assert payload[0] == ACTION_READ_REPLY
    assert line.simulator.schema.decode(payload) == line.simulator.values
    assert line.told(StateRead) == [StateRead()]


def test_transparent_data_is_acked_and_told(line):
    assert line.ask(CMD_P0_DOWN, b"\x05hello") == b""
    assert line.told(TransparentReceived) == [TransparentReceived(b"hello")]


def test_heartbeat_and_status_are_acked_and_told(line):
    line.ask(CMD_HEARTBEAT)
    line.ask(CMD_MODULE_STATUS, build_module_status(0x073A))
    line.ask(CMD_MODULE_STATUS, build_module_status(0x073A))
    assert line.told(HeartbeatSeen, StatusChanged) == [HeartbeatSeen(), StatusChanged(0x073A)]
    assert line.simulator.status == 0x073A


def test_module_that_asks_anew_has_no_status_yet(line):
    line.ask(CMD_MODULE_STATUS, build_module_status(0x073A))
    line.ask(CMD_GET_INFO)
    assert line.simulator.status == 0
    line.ask(CMD_MODULE_STATUS, build_module_status(0x073A))
    assert len(line.told(StatusChanged)) == 2


def test_restart_of_the_mcu_is_acked_and_comes_later(line):
    line.set(power=1)
    line.ask(CMD_RESTART_MCU)
    line.run_to(RESTART_DELAY - 1)
    assert line.mcu[-1] == RestartAsked()
    line.run_to(RESTART_DELAY)
    assert Restarted() in line.mcu
    assert line.wire[-1].sn == 0
    assert line.reports()[-1]["power"] is True


def test_wrong_checksum_is_complained_of(line):
    bad = bytearray(encode_frame(CMD_HEARTBEAT, 5))
    bad[-1] ^= 1
    effects = line.simulator.receive_serial(bytes(bad), 0)
    assert effects[0] == SendSerial(encode_frame(0x12, 5, b"\x01"))


def test_unknown_command_is_complained_of(line):
    effects = line.simulator.receive_serial(encode_frame(0x2B, 5), 0)
    assert effects[0] == SendSerial(encode_frame(0x12, 5, b"\x02"))


def test_nothing_is_reported_at_power_on_when_everything_is_zero(line):
    assert line.wire == []


def test_what_differs_from_zero_is_reported_at_power_on():
    line = Line({"power": True, "water_in": 31.5})
    assert line.reports() == [line.simulator.values]


def test_writable_change_is_reported_at_once_every_time(line):
    for n, power in enumerate((1, 0, 1), 1):
        line.set(power=power)
        assert len(line.reports()) == n


def test_change_to_the_same_value_is_not_reported(line):
    line.set(power=0, water_in=-30)
    assert line.reports() == []


def test_read_only_changes_are_reported_once_per_interval_with_the_newest_value(line):
    line.set(water_in=20)
    assert line.reports()[-1]["water_in"] == 20
    for n in range(1, 6):
        line.run_to(n * 1000)
        line.set(water_in=20 + n, alert_frost=n % 2)
    assert len(line.reports()) == 1
    line.run_to(CHANGE_INTERVAL)
    assert len(line.reports()) == 2
    assert (line.reports()[-1]["water_in"], line.reports()[-1]["alert_frost"]) == (25, True)
    line.run_to(3 * CHANGE_INTERVAL)
    assert len(line.reports()) == 2


def test_writable_change_takes_waiting_read_only_changes_along(line):
    line.set(water_in=20)
    line.set(water_in=21)
    line.set(power=1)
    assert line.reports()[-1]["water_in"] == 21
    line.run_to(CHANGE_INTERVAL)
    assert len(line.reports()) == 2


def test_whole_state_is_reported_every_ten_minutes(line):
    line.run_to(3 * REPORT_INTERVAL)
    assert len(line.reports()) == 3


def test_value_that_is_impossible_changes_nothing(line):
    with pytest.raises(AttrError, match="target_temp"):
        line.simulator.set({"power": 1, "target_temp": 99}, 0)
    with pytest.raises(AttrError, match="boiler"):
        line.simulator.set({"boiler": 1}, 0)
    assert line.simulator.values["power"] is False


def test_unanswered_report_is_sent_three_times_and_dropped():
    simulator = McuSimulator(PRODUCT)
    simulator.start(0)
    effects = simulator.set({"power": 1}, 0)
    while not any(isinstance(effect, Failed) for effect in effects):
        due = simulator.next_timeout()
        assert due is not None
        effects += simulator.handle_timeout(due)
    sent = [effect.data for effect in effects if isinstance(effect, SendSerial)]
    assert len(sent) == SENDS
    assert len(set(sent)) == 1
    assert effects[-1] == Failed(CMD_P0_UP, FAIL_NO_ACK)
    assert simulator.next_timeout() == REPORT_INTERVAL


def test_changes_during_an_unanswered_report_end_in_one_more_report():
    simulator = McuSimulator(PRODUCT)
    simulator.start(0)
    (first,) = simulator.set({"power": 1}, 0)
    for n in range(50):
        assert simulator.set({"timer": 1 + n}, 1) == []
    (frame,) = FrameDecoder().feed(first.data)
    acked, second = simulator.receive_serial(encode_frame(CMD_P0_UP + 1, frame.sn), 2)
    assert isinstance(acked, Acked)
    (frame,) = FrameDecoder().feed(second.data)
    assert simulator.schema.decode(frame.payload)["timer"] == 50
    assert [type(e) for e in simulator.receive_serial(encode_frame(CMD_P0_UP + 1, frame.sn), 3)] == [Acked]


def test_own_requests_go_out_one_at_a_time(line):
    sent = line.simulator.request(CMD_CONFIG_MODE, b"\x02", 0) + line.simulator.request(CMD_BINDABLE, b"", 0)
    assert sent == [SendSerial(encode_frame(CMD_CONFIG_MODE, 0, b"\x02"))]
    effects = line.simulator.receive_serial(encode_frame(CMD_CONFIG_MODE + 1, 0), 1)
    assert effects[0].token == CMD_CONFIG_MODE
    assert effects[1] == SendSerial(encode_frame(CMD_BINDABLE, 1))


def test_time_and_module_info_are_told_when_answered(line):
    line.from_mcu(line.simulator.request(CMD_GET_TIME, b"", 0))
    line.from_module(line.link.reply(line.module[-1].frame, build_network_time(1566957198, 480)))
    assert line.told(TimeReceived)[0].time.utc == 1566957198
    info = ModuleInfo("00000004", "000LINUX", "04020006", "f0fe6b000001", "127.0.0.1", 2)
    line.from_mcu(line.simulator.request(CMD_GET_MODULE_INFO, b"\x00", 0))
    line.from_module(line.link.reply(line.module[-1].frame, build_module_info(info)))
    assert line.told(ModuleInfoReceived) == [ModuleInfoReceived(info)]


def test_answer_that_means_nothing_is_told(line):
    line.from_mcu(line.simulator.request(CMD_GET_TIME, b"", 0))
    line.from_module(line.link.reply(line.module[-1].frame, b"\x07"))
    assert [effect.payload for effect in line.told(Ignored)] == [b"\x07"]


def test_silent_simulator_says_nothing_and_hears_nothing(line):
    line.simulator.silent = True
    line.set(power=1)
    line.from_module(line.link.request(CMD_GET_INFO, b"", 0))
    line.run_to(5000)
    assert line.wire == []
    assert line.told(InfoSent) == []
    line.simulator.silent = False
    line.set(eco=1)
    assert line.reports()[-1]["power"] is True


def test_simulator_survives_noise(line):
    for n in range(256):
        line.simulator.receive_serial(bytes((n, 0xFF, 255 - n, 0xFF, 0xFF, 0, n)), n)
    line.now = 5000
    line.simulator.handle_timeout(line.now)
    assert len(line.ask(CMD_GET_INFO)) == 74


class SimulatorEnd:
    """The simulator as an end of a `NullModem`."""

    def __init__(self, simulator):
        self.receive = simulator.receive_serial
        self.handle_timeout = simulator.handle_timeout
        self.next_timeout = simulator.next_timeout


@pytest.mark.parametrize("carry", LINES)
def test_control_that_was_acked_was_applied_whatever_the_line_does(carry):
    simulator = McuSimulator(PRODUCT)
    mcu, module = SimulatorEnd(simulator), LinkEnd(McuLink())
    modem = NullModem(mcu, module, Random(7), carry)
    modem.perform(mcu, simulator.start(0))
    for timer in range(1, 13):
        p0 = simulator.schema.encode_control({"timer": timer})
        modem.perform(module, module.link.request(CMD_P0_DOWN, p0, modem.now, token=timer))
        modem.run(modem.now + 4000)
    applied = [effect.values["timer"] for effect in modem.heard[mcu] if isinstance(effect, Controlled)]
    acked = [effect.token for effect in modem.heard[module] if isinstance(effect, Acked)]
    assert len(acked) > 6
    assert set(acked) <= set(applied)
    assert applied == sorted(set(applied))


def test_handle_timeout_is_harmless_when_early(line):
    line.set(water_in=20)
    line.set(water_in=21)
    assert line.simulator.handle_timeout(line.now) == []


def test_product_without_a_product_key_is_refused():
    with pytest.raises(LocalError, match="product key"):
        McuSimulator(PRODUCT | {"product_key": "heatpump"})


def test_attribute_whose_least_value_is_not_zero_starts_there():
    rows = [row | {"position": None} for row in PRODUCT["entities"][0]["attrs"][:1]]
    rows.append(
        {
            "id": 1,
            "name": "level",
            "type": "status_writable",
            "data_type": "uint8",
            "uint_spec": {"min": 5, "max": 9, "ratio": 0.1, "addition": 1},
        }
    )
    simulator = McuSimulator(PRODUCT | {"entities": [{"attrs": rows}]})
    assert simulator.values == {"power": False, "level": 1.5}
