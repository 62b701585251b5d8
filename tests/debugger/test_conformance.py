"""The conformance profile: an MCU that keeps every rule passes, one that breaks a rule is told which."""

import json
from importlib import resources

import pytest
from mcu_debugger.bootloader import BootOptions
from mcu_debugger.check.bench import Bench
from mcu_debugger.check.profile import load_profile
from mcu_debugger.check.rule import PASSIVE, SLOW
from mcu_debugger.check.rules import RULES
from mcu_debugger.check.run import FAIL, PASS, SKIP, Run
from mcu_debugger.flash import MemoryFlash
from mcu_debugger.simulator import McuSimulator
from testkit.repository import ROOT
from testkit.simulated_line import SimulatedLine

from mcu_proto import const as c
from mcu_proto.datapoint import Schema
from mcu_proto.frame import FrameDecoder, encode_frame

PRODUCT = json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text())
PRODUCTS = json.loads((ROOT / "tests" / "vectors" / "datapoints.json").read_text())["products"]
with resources.as_file(resources.files("mcu_debugger.check") / "conformance.toml") as path:
    PROFILE = load_profile(path)


# What the simulator gives no occasion to judge.
UNSEEN = ("info-data", "full-report", "requests", "measured-seldom", "network configuration by key")


def results_of(line, product=PRODUCT, only=(), is_slow=False):
    profile = PROFILE._replace(steps=[step for step in PROFILE.steps if not only or step.value in only])
    bench = Bench(line, Schema.from_definition(product) if product else None, 9600)
    return list(Run(profile, bench, None, is_slow).results())


def broken(results):
    return {result.name for result in results if result.verdict == FAIL}


def simulated(**options):
    return McuSimulator(PRODUCT, product_secret="0123456789abcdef" * 2, **options)


def test_profile_has_every_rule_once():
    assert sorted(step.value for step in PROFILE.steps if step.kind == "rule") == sorted(RULES)


def test_passive_rules_come_after_the_active_ones_they_judge():
    kinds = [RULES[step.value].kind for step in PROFILE.steps if step.kind == "rule" and step.value != "restart"]
    first = kinds.index(PASSIVE)
    assert set(kinds[first:]) == {PASSIVE}


def test_a_rule_names_its_section_and_says_itself_in_a_line():
    for rule in RULES.values():
        assert rule.section[0].isdigit()
        assert 10 < len(rule.text) < 80


def test_simulator_keeps_every_rule():
    results = results_of(SimulatedLine(simulated()))
    assert broken(results) == set()
    skipped = {result.name: result.detail for result in results if result.verdict == SKIP}
    assert not [name for name in skipped if name not in UNSEEN and not name.startswith("upgrade-")]
    assert sum(result.verdict == PASS for result in results) >= 38


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product["name"])
def test_simulator_of_any_product_keeps_every_rule(product):
    definition = product["definition"]
    results = results_of(SimulatedLine(McuSimulator(definition)), product=definition)
    assert broken(results) == set()
    assert sum(result.verdict == PASS for result in results) >= 31


def test_attributes_are_as_before_when_the_test_is_over():
    simulator = simulated(values={"power": 1, "target_temp": 41.5, "mode": "cool"})
    before = simulator.values
    results_of(SimulatedLine(simulator))
    assert simulator.values == before


def test_rule_that_takes_minutes_is_tried_when_asked_for():
    assert RULES["full-report"].kind == SLOW
    results = results_of(SimulatedLine(simulated()), only=("full-report",), is_slow=True)
    assert [result.verdict for result in results] == [PASS, PASS]


def test_without_a_product_what_needs_one_is_skipped_and_says_so():
    results = {result.name: result for result in results_of(SimulatedLine(simulated()), product=None)}
    assert results["control-effective"].verdict == SKIP
    assert "--product" in results["control-effective"].detail
    assert results["ack-once"].verdict == PASS


def test_mcu_that_does_not_answer_ends_the_run_with_what_to_look_at():
    simulator = simulated()
    simulator.silent = True
    (result,) = results_of(SimulatedLine(simulator))
    assert result.verdict == FAIL
    assert "RX and TX" in result.detail


# Faults. A spoiler sees each frame that leaves, an alterer each write that arrives.


def frame_of(data):
    return FrameDecoder().feed(data)[0]


def is_ack(data, *cmds):
    frame = frame_of(data)
    return not frame.cmd & 1 and frame.cmd != 0x12 and (not cmds or frame.cmd - 1 in cmds)


def on_ack(change, *cmds):
    """Spoils the acks of `cmds`, of all when none are named."""
    return lambda data, now: change(frame_of(data)) if is_ack(data, *cmds) else [data]


def on_frame(cmd, change):
    return lambda data, now: change(frame_of(data)) if frame_of(data).cmd == cmd else [data]


def again(frame, payload=None, sn=None, flags=None):
    return encode_frame(
        frame.cmd,
        frame.sn if sn is None else sn,
        frame.payload if payload is None else payload,
        frame.flags if flags is None else flags,
    )


def info(at, data):
    """Device info with other bytes at an offset."""
    return on_ack(lambda f: [again(f, f.payload[:at] + data + f.payload[at + len(data) :])], c.CMD_GET_INFO)


def raw(data):
    return data[:2] + data[2:].replace(b"\xff\x55", b"\xff")


class Nth:
    """A change that acts on every n-th frame of a kind only."""

    def __init__(self, n, spoil):
        self._n = n
        self._spoil = spoil
        self._count = 0

    def __call__(self, data, now):
        changed = self._spoil(data, now)
        if changed == [data]:
            return changed
        self._count += 1
        return changed if self._count % self._n == 0 else [data]


class OneSend:
    """Every report leaves once only, or too often."""

    def __init__(self, sends):
        self._sends = sends
        self._last = None

    def __call__(self, data, now):
        if frame_of(data).cmd != c.CMD_P0_UP:
            return [data]
        is_new = data != self._last
        self._last = data
        if self._sends == 1:
            return [data] if is_new else []
        return [(gap, data) for gap in range(0, 40 * self._sends, 40)] if is_new else []


class OtherBytes:
    """A repeated report has other bytes."""

    def __init__(self):
        self._last = None

    def __call__(self, data, now):
        if frame_of(data).cmd != c.CMD_P0_UP:
            return [data]
        frame = frame_of(data)
        is_new = data != self._last
        self._last = data
        return [data] if is_new else [again(frame, frame.payload[:-1] + bytes((frame.payload[-1] ^ 1,)))]


class Restless:
    """Reports what it measures twice a second, beside what it has to say."""

    def __init__(self, simulator):
        self._simulator = simulator
        self._sn = 0
        self._due = 0
        self._turn = 0

    def __getattr__(self, name):
        return getattr(self._simulator, name)

    def next_timeout(self):
        return min(self._due, self._simulator.next_timeout())

    def handle_timeout(self, now):
        effects = self._simulator.handle_timeout(now)
        if now >= self._due:
            self._due = now + 500
            self._turn += 1
            effects += self._simulator.set({"water_in": 20 + self._turn % 5}, now)
            # As if the interval had passed.
            self._simulator._changed_at = None
        return effects


def complaint(change):
    return on_frame(c.CMD_ILLEGAL_FROM_MCU, change)


SLOW_ACK = on_ack(lambda f: [(250, again(f))])
READ_ACK = b"\x03"


def on_read(change):
    return lambda data, now: change(frame_of(data)) if frame_of(data).payload[:1] == READ_ACK else [data]


FAULTS = [
    # rule that is named, spoiler of what leaves
    ("ack-in-time", SLOW_ACK),
    ("heartbeat", on_ack(lambda f: [again(f, b"\x00")], c.CMD_HEARTBEAT)),
    ("status", on_ack(lambda f: [again(f, b"\x00")], c.CMD_MODULE_STATUS)),
    ("ack-once", on_ack(lambda f: [again(f), again(f)], c.CMD_HEARTBEAT)),
    ("ack-once", on_ack(lambda f: [again(f, sn=f.sn + 1 & 0xFF)], c.CMD_HEARTBEAT)),
    ("stuffing-sent", lambda data, now: [raw(data)]),
    ("checksum-complaint", complaint(lambda f: [])),
    ("checksum-complaint", complaint(lambda f: [again(f, b"\x02")])),
    ("unknown-complaint", complaint(lambda f: [again(f, b"\x01")])),
    ("unknown-complaint", complaint(lambda f: [again(f, sn=0)])),
    ("info-layout", on_ack(lambda f: [again(f, f.payload[:90])], c.CMD_GET_INFO)),
    ("info-layout", on_ack(lambda f: [again(f, f.payload + b"\x00\x05ab")], c.CMD_GET_INFO)),
    ("info-versions", info(0, b"v4\x00\x00\x00\x00\x00\x00")),
    ("info-versions", info(16, b"\x01\x00\x00\x01")),
    ("info-product-key", info(32, b"F")),
    ("info-product-key", info(32, b"7")),
    ("info-attributes", info(66, b"\x80")),
    ("info-secret", info(74, b"z")),
    ("info-data", on_ack(lambda f: [again(f, f.payload + b"\x00\x03abc")], c.CMD_GET_INFO)),
    ("read", on_read(lambda f: [again(f, b"\x04" + f.payload[1:])])),
    ("read", on_read(lambda f: [again(f, b"")])),
    ("dev-status", on_read(lambda f: [again(f, f.payload + b"\x00")])),
    ("dev-status", on_read(lambda f: [again(f, f.payload[:1] + b"\x80" + f.payload[2:])])),
    ("values-legal", on_read(lambda f: [again(f, f.payload[:3] + b"\xfa" + f.payload[4:])])),
    (
        "control-ack",
        lambda data, now: [again(frame_of(data), b"\x03")] if data[4] == 4 and len(data) == 9 else [data],
    ),
    ("control-reported", on_frame(c.CMD_P0_UP, lambda f: [(1500, again(f))])),
    ("control-one-report", on_frame(c.CMD_P0_UP, lambda f: [again(f), again(f, sn=f.sn + 1 & 0xFF)])),
    ("request-sn", on_frame(c.CMD_P0_UP, lambda f: [again(f, sn=7)])),
    ("request-sn", Nth(3, on_frame(c.CMD_P0_UP, lambda f: [again(f, sn=f.sn + 9 & 0xFF)]))),
    ("report-repeated", OneSend(1)),
    ("report-repeated", OneSend(3)),
    ("report-repeated", OtherBytes()),
    ("acked-is-done", on_frame(c.CMD_P0_UP, lambda f: [again(f), (400, again(f))])),
    ("reports-whole", on_frame(c.CMD_P0_UP, lambda f: [again(f, f.payload[:-1])])),
    ("frame-good", Nth(9, on_ack(lambda f: [again(f)[:-1] + b"\x01", (5, again(f))], c.CMD_P0_DOWN))),
    ("stuffing-always", on_read(lambda f: [raw(again(f))])),
    ("transparent", on_ack(lambda f: [again(f, b"\x06")] if not f.payload else [again(f)], c.CMD_P0_DOWN)),
]


@pytest.mark.parametrize(("rule", "spoil"), FAULTS, ids=["%s-%d" % (row[0], i) for i, row in enumerate(FAULTS)])
def test_mcu_that_sends_wrong_is_told_which_rule_it_breaks(rule, spoil):
    simulator = simulated(values={"week_program": "00ff00ff00ff00"})
    assert rule in broken(results_of(SimulatedLine(simulator, spoil)))


def dropped(is_lost):
    """An alterer that loses the writes for which `is_lost` holds."""
    return lambda data: b"" if is_lost(data) else data


def frames_in(data):
    return [item for item in FrameDecoder().feed(data) if hasattr(item, "payload")]


def p0_of(data):
    found = [frame for frame in frames_in(data) if frame.cmd == c.CMD_P0_DOWN]
    return found[0].payload if found else None


def flag_all(data):
    """A control whose flags are not looked at."""
    p0 = p0_of(data)
    if not p0 or p0[0] != c.ACTION_CONTROL or len(p0) < 15:
        return data
    return encode_frame(c.CMD_P0_DOWN, frames_in(data)[0].sn, p0[:1] + b"\x00\x03" + p0[3:])


def without_zero(data):
    """A control of nothing but zeros is taken for no control."""
    p0 = p0_of(data)
    if not p0 or p0[0] != c.ACTION_CONTROL or any(p0[3:]):
        return data
    return encode_frame(c.CMD_P0_DOWN, frames_in(data)[0].sn, p0[:1] + b"\x00\x00" + p0[3:])


def clamped(data):
    """A target temperature above 140 raw is not taken."""
    p0 = p0_of(data)
    if not p0 or p0[0] != c.ACTION_CONTROL or len(p0) < 15 or p0[5] < 140:
        return data
    return encode_frame(c.CMD_P0_DOWN, frames_in(data)[0].sn, p0[:1] + b"\x00\x00" + p0[3:])


class DeadAfter:
    """Hears nothing any more once a write was of a kind."""

    def __init__(self, is_fatal):
        self._is_fatal = is_fatal
        self._is_dead = False

    def __call__(self, data):
        self._is_dead = self._is_dead or self._is_fatal(data)
        return b"" if self._is_dead else data


class SecondIsLost:
    """The same write twice is heard once."""

    def __init__(self):
        self._last = b""

    def __call__(self, data):
        lost = data == self._last and data[4:5] == b"\x0d"
        self._last = data
        return b"" if lost else data


class GrowingSn:
    """A module that begins with 0 again is not heard."""

    def __init__(self):
        self._sn = -1

    def __call__(self, data):
        frames = [frame for frame in frames_in(data) if frame.cmd == c.CMD_HEARTBEAT]
        if not frames or len(data) > 10:
            return data
        lost = frames[0].sn == 0 and self._sn == 3
        self._sn = frames[0].sn
        return b"" if lost else data


WHOLE = encode_frame(c.CMD_HEARTBEAT, 0)
DEAF = [
    ("back-to-back", dropped(lambda data: len(frames_in(data)) > 1)),
    ("bytes-slow", dropped(lambda data: len(data) == 1)),
    ("stuffing-received", dropped(lambda data: b"\xff" in data[2:])),
    ("noise", dropped(lambda data: data[:1] == b"\x00")),
    ("header-inside", dropped(lambda data: data.find(c.HEADER, 2) == 7)),
    ("length-impossible", dropped(lambda data: data[2:4] == b"\x00\x03")),
    ("repetition", SecondIsLost()),
    ("sn-any-order", GrowingSn()),
    ("info-any-time", DeadAfter(lambda data: data == encode_frame(c.CMD_GET_INFO, 9))),
    ("status", dropped(lambda data: data[4:5] == b"\x0d" and data[8:10] == b"\x1f\x3a")),
    ("control-effective", dropped(lambda data: (p0_of(data) or b"\x00")[0] == c.ACTION_CONTROL)),
    ("control-flags", flag_all),
    ("control-nothing", flag_all),
    ("control-zero", without_zero),
    ("control-limits", clamped),
    ("p0-garbage", DeadAfter(lambda data: p0_of(data) == b"\x7e")),
    ("restart", DeadAfter(lambda data: data[4:5] == b"\x0f")),
]


@pytest.mark.parametrize(("rule", "alter"), DEAF, ids=["%s-%d" % (row[0], i) for i, row in enumerate(DEAF)])
def test_mcu_that_understands_wrong_is_told_which_rule_it_breaks(rule, alter):
    results = results_of(SimulatedLine(simulated(values={"eco": 1}), alter=alter))
    assert rule in broken(results)


def test_attributes_are_put_back_also_when_a_rule_was_broken_on_the_way():
    simulator = simulated(values={"target_temp": 41.5})
    before = simulator.values
    assert "control-limits" in broken(results_of(SimulatedLine(simulator, alter=clamped), only=("control-limits",)))
    assert simulator.values == before


def test_mcu_that_reports_what_it_measures_too_often_is_told_so():
    assert "measured-seldom" in broken(results_of(SimulatedLine(Restless(simulated()))))


def test_mcu_that_answers_a_complaint_is_told_so():
    line = SimulatedLine(simulated())
    write = line.write

    def answering(data):
        write(data)
        if data[4:5] == b"\x11":
            line._coming.append((line.time + 1, encode_frame(0x12, data[5], b"\x02")))

    line.write = answering
    assert "complaint-unanswered" in broken(results_of(line))


def test_illegal_request_of_the_mcu_is_told():
    simulator = simulated()
    line = SimulatedLine(simulator)
    line.act(simulator.request(c.CMD_CONFIG_MODE, b"\x07", 0))
    assert "requests" in broken(results_of(line, only=("requests", "heartbeat")))


def test_full_report_that_never_comes_is_told():
    line = SimulatedLine(simulated(), on_frame(c.CMD_P0_UP, lambda f: []))
    assert "full-report" in broken(results_of(line, only=("full-report",), is_slow=True))


def upgradable():
    return simulated(boot=BootOptions(MemoryFlash(), None, 256, False))


def without_the_second(cmd):
    """An alterer that loses the second write of a command."""
    seen = []

    def alter(data):
        if data[4:5] == bytes((cmd,)):
            seen.append(data)
        return b"" if data[4:5] == bytes((cmd,)) and len(seen) == 2 else data

    return alter


def on_ready(change):
    return on_frame(c.CMD_READY, lambda f: [change(f)])


UPGRADES = [
    ("upgrade-announce", {"spoil": on_ack(lambda f: [again(f, b"\x00")], c.CMD_ANNOUNCE)}),
    ("upgrade-announce", {"alter": dropped(lambda data: data[4:5] == b"\x19")}),
    ("upgrade-ready", {"spoil": lambda data, now: [] if data[4] in (0x1B, 0x27) else [data]}),
    ("upgrade-ready", {"spoil": on_ready(lambda f: again(f, f.payload[:2] + b"0" * 32 + f.payload[34:]))}),
    ("upgrade-ready", {"spoil": on_ready(lambda f: again(f, f.payload[:34] + b"\x04\x00"))}),
    ("upgrade-ready", {"spoil": on_ready(lambda f: again(f, f.payload[:20]))}),
    ("upgrade-ready", {"spoil": on_ready(lambda f: again(f, flags=0x0100))}),
    ("upgrade-piece", {"spoil": on_ack(lambda f: [(3500, again(f))], c.CMD_PIECE)}),
    ("upgrade-piece", {"spoil": on_ack(lambda f: [again(f, b"\x00")], c.CMD_PIECE)}),
    ("upgrade-piece-again", {"alter": without_the_second(c.CMD_PIECE)}),
    ("upgrade-stop", {"alter": dropped(lambda data: data[4:5] == b"\x1f")}),
]


def test_mcu_that_takes_firmware_keeps_every_rule_and_its_firmware():
    simulator = upgradable()
    results = results_of(SimulatedLine(simulator))
    assert broken(results) == set()
    assert [r.verdict for r in results if r.name.startswith("upgrade-")] == [PASS] * 5
    assert simulator.bootloader.soft_ver == simulated().info.soft_ver


@pytest.mark.parametrize(("rule", "wrong"), UPGRADES, ids=["%s-%d" % (row[0], i) for i, row in enumerate(UPGRADES)])
def test_mcu_that_takes_firmware_wrong_is_told_which_rule_it_breaks(rule, wrong):
    only = [name for name in RULES if name.startswith("upgrade-")]
    results = results_of(SimulatedLine(upgradable(), **wrong), only=only)
    assert next(result.name for result in results if result.verdict == FAIL) == rule


def test_every_rule_was_seen_broken():
    covered = {row[0] for row in FAULTS + DEAF + UPGRADES}
    covered |= {"measured-seldom", "complaint-unanswered", "requests", "full-report"}
    assert covered == set(RULES)
