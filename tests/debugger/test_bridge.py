"""The bridge: what passes, what rules do to it, and a running one on real ptys."""

import os
import pty
import select
import threading
import time
import tty
from random import Random

import pytest
from mcu_debugger.bridge import Bridge, Injected, Meddled, bridge_line
from mcu_debugger.bridge_rules import ACTIONS, RuleError, parse_rule
from mcu_debugger.forward import Forward
from mcu_debugger.listen_commands import BRIDGE_COMMANDS
from mcu_debugger.observer import Observed
from mcu_debugger.port import open_port
from mcu_debugger.session import Role, Session
from testkit.patience import PATIENCE_S

from mcu_proto.const import CMD_HEARTBEAT, CMD_P0_UP, MCU, MODULE
from mcu_proto.frame import BadFrame, Frame, FrameDecoder, encode_frame

BEAT = encode_frame(CMD_HEARTBEAT, 7)
ACK = encode_frame(CMD_HEARTBEAT + 1, 7)
REPORT = encode_frame(CMD_P0_UP, 3, b"\x06" + bytes(range(200)))


def bridge(*rules):
    return Bridge([parse_rule(rule.split()) for rule in rules])


def passed(effects, to):
    return b"".join(effect.data for effect in effects if isinstance(effect, Forward) and effect.to == to)


def test_without_rules_every_byte_passes_at_once_and_unchanged():
    between = bridge()
    rng = Random(1)
    for _ in range(300):
        data = rng.randbytes(rng.randrange(1, 50))
        assert between.receive_from(MODULE, data, 0) == [Forward(MCU, data, False)]
    assert between.next_timeout() is None


def test_with_a_rule_for_one_direction_the_other_passes_at_once():
    between = bridge("drop cmd 05 from mcu")
    assert between.receive_from(MODULE, b"\xff\xff\x00", 0) == [Forward(MCU, b"\xff\xff\x00", False)]
    assert between.receive_from(MCU, b"\xff\xff\x00", 0) == []


def test_frames_that_no_rule_concerns_pass_unchanged_noise_included():
    between = bridge("drop cmd 05 times 1")
    stream = b"boot\r\n" + ACK + BEAT + REPORT[:50] + ACK + b"\x00\x55"
    out = passed(between.receive_from(MCU, REPORT + stream, 0), MODULE)
    out += passed(between.handle_timeout(between.next_timeout()), MODULE)
    assert out == stream


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_rules_see_frames_however_they_are_cut(size):
    between = bridge("drop cmd 05")
    effects = []
    stream = ACK + REPORT + ACK
    for at in range(0, len(stream), size):
        effects += between.receive_from(MCU, stream[at : at + size], 0)
    assert passed(effects, MODULE) == ACK + ACK
    assert [type(effect) for effect in effects if isinstance(effect, Meddled)] == [Meddled]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("drop", b""),
        ("twice", BEAT + BEAT),
        ("cut", BEAT[:4]),
        ("replace ffff0005081a000027", bytes.fromhex("ffff0005081a000027")),
        ("drop cmd 08", BEAT),
        ("drop from mcu", BEAT),
        ("drop from module cmd 07", b""),
        ("drop action 06", BEAT),
    ],
)
def test_rule_does_what_its_table_says(rule, left):
    assert passed(bridge(rule).receive_from(MODULE, BEAT, 0), MCU) == left


def test_corrupted_frame_has_a_wrong_checksum_or_is_none():
    between = bridge("corrupt")
    for _ in range(200):
        data = passed(between.receive_from(MODULE, BEAT, 0), MCU)
        assert len(data) == len(BEAT)
        assert not any(isinstance(item, Frame) for item in FrameDecoder().feed(data) if not isinstance(item, BadFrame))


def test_action_is_the_first_byte_of_p0():
    between = bridge("drop action 06")
    assert passed(between.receive_from(MCU, REPORT + ACK, 0), MODULE) == ACK


def test_delayed_frames_pass_later_and_others_overtake_them():
    between = bridge("delay 200ms cmd 07")
    assert passed(between.receive_from(MODULE, BEAT + ACK, 1000), MCU) == ACK
    assert between.next_timeout() == 1200
    assert passed(between.handle_timeout(1199), MCU) == b""
    assert passed(between.handle_timeout(1200), MCU) == BEAT


def test_nth_and_times_count_what_matches():
    between = bridge("drop cmd 07 nth 3 times 2")
    out = [bool(passed(between.receive_from(MODULE, BEAT, n), MCU)) for n in range(12)]
    assert [n for n, came in enumerate(out, 1) if not came] == [3, 6]


def test_chance_is_about_what_it_says():
    between = bridge("drop chance 30%")
    came = sum(bool(passed(between.receive_from(MODULE, BEAT, n), MCU)) for n in range(1000))
    assert 620 < came < 780


def test_first_rule_that_applies_decides_and_rules_can_be_taken_back():
    between = bridge("drop cmd 07 times 1", "twice cmd 07")
    assert passed(between.receive_from(MODULE, BEAT, 0), MCU) == b""
    assert passed(between.receive_from(MODULE, BEAT, 0), MCU) == BEAT + BEAT
    assert between.rules.rows() == [("1", "drop cmd 07 times 1", "1"), ("2", "twice cmd 07", "1")]
    assert between.rules.remove(2)
    assert not between.rules.remove(2)
    assert passed(between.receive_from(MODULE, BEAT, 0), MCU) == BEAT


def test_rule_for_one_end_leaves_the_other_alone_when_both_have_rules():
    between = bridge("drop from mcu", "twice from module cmd 05")
    assert passed(between.receive_from(MODULE, BEAT, 0), MCU) == BEAT
    assert passed(between.receive_from(MCU, ACK, 0), MODULE) == b""


def test_half_a_frame_passes_after_a_tenth_of_a_second():
    between = bridge("drop cmd 05")
    between.receive_from(MODULE, BEAT[:5], 1000)
    assert between.next_timeout() == 1100
    assert passed(between.handle_timeout(1100), MCU) == BEAT[:5]
    # What follows a held half passes through the same hands.
    assert passed(between.receive_from(MODULE, BEAT, 1200), MCU) == BEAT


def test_injected_bytes_are_new_on_the_line():
    assert bridge().inject(MCU, BEAT) == [Forward(MCU, BEAT, True), Injected(MCU, BEAT)]
    assert bridge_line(Injected(MCU, BEAT)).startswith("injected for the MCU")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("", "begins with one of"),
        ("explode", "begins with one of"),
        ("delay", "a time like"),
        ("delay soon", "no time"),
        ("replace", "bytes in hex"),
        ("replace xyz", "not hex"),
        ("drop cmd", "its value"),
        ("drop cmd 100", "no byte"),
        ("drop from space", "module or mcu"),
        ("drop colour 05", "unknown condition"),
        ("drop chance 5", "no chance"),
        ("drop nth 0", "over 0"),
    ],
)
def test_rule_that_cannot_be_is_refused(rule, why):
    with pytest.raises(RuleError, match=why):
        parse_rule(rule.split())


def test_every_action_is_known_to_the_rules():
    for action in ACTIONS:
        value = {"delay": "1ms", "replace": "ff"}.get(action)
        assert parse_rule([action, *([value] if value else [])]).action == action


class RunningBridge:
    """A bridge between two ptys; the test holds the far ends, `module` and `mcu`."""

    def __init__(self, *rules):
        self.module, module_slave = pty.openpty()
        self.mcu, mcu_slave = pty.openpty()
        for fd in (self.module, self.mcu, module_slave, mcu_slave):
            tty.setraw(fd)
        self._slaves = (module_slave, mcu_slave)
        lines = {MODULE: open_port(os.ttyname(module_slave), 115200), MCU: open_port(os.ttyname(mcu_slave), 115200)}
        self.seen = []
        self.session = Session(Role("bridge", bridge(*rules), BRIDGE_COMMANDS, bridge_line), "a bridge", lines)
        self.session.listen(self.seen.append)
        # Its time stands still: how long the test takes to write the rest of a frame, or an ack, is no matter.
        self.session._now_us = lambda: 0
        self._lines = lines
        self._thread = threading.Thread(target=self.session.run)
        self._thread.start()

    def close(self):
        self.session.stop()
        self._thread.join(PATIENCE_S)
        for port in self._lines.values():
            port.close()
        for fd in (self.module, self.mcu, *self._slaves):
            os.close(fd)

    @staticmethod
    def read(fd, size):
        data = b""
        end = time.monotonic() + PATIENCE_S
        while len(data) < size and select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            data += os.read(fd, 65536)
        return data


@pytest.fixture
def running():
    bridges = []

    def start(*rules):
        bridges.append(RunningBridge(*rules))
        return bridges[-1]

    yield start
    for each in bridges:
        each.close()


def test_bytes_cross_real_ptys_both_ways_unchanged_and_are_observed(running):
    between = running()
    os.write(between.module, BEAT)
    assert between.read(between.mcu, len(BEAT)) == BEAT
    os.write(between.mcu, ACK)
    assert between.read(between.module, len(ACK)) == ACK
    noise = Random(3).randbytes(20_000)
    for at in range(0, len(noise), 500):
        os.write(between.mcu, noise[at : at + 500])
        assert between.read(between.module, 500) == noise[at : at + 500]
    observed = [event for event in between.seen if isinstance(event, Observed)]
    assert [(event.sender, event.answers) for event in observed[:2]] == [(MODULE, 0), (MCU, 1)]


def test_typed_rules_and_injections_act_on_a_running_bridge(running):
    between = running()
    between.session.submit("rule drop cmd 07 times 1")
    between.session.submit("inject mcu " + ACK.hex())
    assert between.read(between.mcu, len(ACK)) == ACK
    os.write(between.module, BEAT + BEAT)
    assert between.read(between.mcu, len(BEAT)) == BEAT
