"""`mcu-debugger check`: profiles, their steps, the report, and the command on a real pseudo-terminal."""

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from mcu_debugger.check.bench import Bench
from mcu_debugger.check.profile import ProfileError, load_profile, parse_profile
from mcu_debugger.check.report import junit_xml, result_line, summary_lines
from mcu_debugger.check.run import FAIL, PASS, SKIP, Result, Run
from mcu_debugger.product import load_product
from mcu_debugger.simulator import McuSimulator
from testkit.debugger_process import ENVIRONMENT, plain_command
from testkit.debugger_terminal import DebuggerTerminal
from testkit.patience import PATIENCE_S
from testkit.repository import ROOT
from testkit.simulated_line import SimulatedLine
from testkit.slow_clock import slow_command

from mcu_proto import const as c
from mcu_proto.datapoint import Schema

PRODUCT_FILE = ROOT / "tools" / "demo" / "heatpump.json"
PRODUCT = load_product(str(PRODUCT_FILE))
SCHEMA = Schema.from_definition(PRODUCT)


class Yes:
    """A person who agrees and remembers."""

    def __init__(self, answer=True):
        self.heard = []
        self._answer = answer

    def tell(self, text):
        self.heard.append(text)

    def ask(self, question):
        self.heard.append(question)
        return self._answer


def run(text, simulator=None, person=None, schema=SCHEMA, line=None):
    profile = parse_profile(text, Path())
    line = line or SimulatedLine(simulator or McuSimulator(PRODUCT))
    return list(Run(profile, Bench(line, schema, 9600), person, False).results())[1:]


def only(text, **options):
    (result,) = run(text, **options)
    return result


def test_set_is_acked_and_what_is_expected_is_read():
    result = only('[[step]]\nset = { power = true, mode = "cool" }\nexpect = { mode = 1, power = true }')
    assert (result.verdict, result.detail) == (PASS, "mode cool, power true")


def test_expectation_that_is_not_met_says_what_was_read_and_what_was_expected():
    result = only("[[step]]\nexpect = { timer = 30 }\nwithin = '1s'")
    assert (result.verdict, result.detail) == (FAIL, "timer is 0, expected 30 after 1000 ms")
    assert result.seconds >= 1


def test_expectation_waits_until_it_is_met():
    simulator = McuSimulator(PRODUCT)
    line = SimulatedLine(simulator)
    line.plan(700, lambda now: simulator.set({"pump": 1}, now))
    result = only("[[step]]\nexpect = { pump = true }\nwithin = '5s'", line=line)
    assert result.verdict == PASS
    assert 0.7 <= result.seconds < 5


@pytest.mark.parametrize(("value", "verdict"), [(5, PASS), (40, PASS), (4.9, FAIL), (40.1, FAIL)])
def test_limits_include_their_ends(value, verdict):
    simulator = McuSimulator(PRODUCT, {"water_in": value})
    assert only("[[step]]\nbetween = { water_in = [5, 40] }\nwithin = '1s'", simulator=simulator).verdict == verdict


def test_value_that_the_product_does_not_allow_fails_and_names_it():
    assert "target_temp" in only("[[step]]\nset = { target_temp = 99 }").detail
    assert "boiler" in only("[[step]]\nexpect = { boiler = 1 }").detail


def test_status_is_told_to_the_mcu():
    simulator = McuSimulator(PRODUCT)
    assert only('[[step]]\nstatus = "073a"', simulator=simulator).verdict == PASS
    assert simulator.status == 0x073A


def test_request_of_the_mcu_is_waited_for_and_acked():
    simulator = McuSimulator(PRODUCT)
    line = SimulatedLine(simulator)
    line.plan(500, lambda now: simulator.request(c.CMD_CONFIG_MODE, b"\x01", now))
    result = only('[[step]]\nrequest = "config"\nwithin = "3s"', line=line)
    assert (result.verdict, result.detail) == (PASS, "payload 01")
    line.read(line.time + 100)
    assert simulator.is_idle()


def test_request_that_does_not_come_fails():
    assert only('[[step]]\nrequest = "reset"\nwithin = "1s"').detail == "no 0b came within 1000 ms"


@pytest.mark.parametrize(("person", "verdict"), [(Yes(), PASS), (Yes(False), FAIL), (None, SKIP)])
def test_question_goes_to_the_person_and_is_skipped_without_one(person, verdict):
    assert only('[[step]]\nask = "Does it hum?"', person=person).verdict == verdict
    if person:
        assert person.heard == ["Does it hum?"]


def test_what_the_person_must_do_is_told_first():
    person = Yes()
    run('[[step]]\ntell = "Close the lid"\nset = { power = true }', person=person)
    assert person.heard == ["Close the lid"]


@pytest.mark.parametrize(("head", "count"), [("stop_at_failure = true\n", 1), ("", 2)])
def test_after_a_failure_it_goes_on_unless_told_to_stop(head, count):
    steps = "[[step]]\nexpect = { timer = 1 }\nwithin = '1s'\n[[step]]\nset = { power = true }"
    assert len(run(head + steps)) == count


def test_wait_lets_time_pass():
    assert only("[[step]]\nwait = '2s'").seconds >= 2


def test_mcu_that_is_still_booting_is_waited_for():
    simulator = McuSimulator(PRODUCT)
    simulator.silent = True
    line = SimulatedLine(simulator)
    read = line.read

    def boots(until):
        simulator.silent = line.time < 4000
        return read(until)

    line.read = boots
    assert only("[[step]]\nset = { power = true }", line=line).verdict == PASS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[step", "not TOML"),
        ("name = 'x'", "no steps"),
        ("nmae = 'x'\n[[step]]\nwait = '1s'", "the profile has nmae"),
        ("[[step]]\nname = 'x'", "step 1: nothing to do"),
        ("[[step]]\nwait = '1s'\nset = { a = 1 }", "step 1: does set and wait"),
        ("[[step]]\nwait = '1s'\n[[step]]\nwait = 'soon'", "step 2: soon is no time"),
        ("[[step]]\nset = 1", "set is 1"),
        ("[[step]]\nrules = ['nothing-known']", "nothing-known"),
        ("[[step]]\nrequest = 'coffee'", "request is 'coffee'"),
        ("[[step]]\nask = ' '", "expected a question"),
        ("[[step]]\nstatus = 'zz'", "status word zz"),
        ("[[step]]\nbetween = { a = 1 }", "between a is 1"),
        ("[[step]]\nexpect = 1", "expect is 1"),
        ("[[step]]\nexpct = { a = 1 }", "a step has expct"),
    ],
)
def test_profile_that_cannot_work_is_refused_before_anything_is_tried(text, message):
    with pytest.raises(ProfileError) as error:
        parse_profile(text, Path())
    assert message in str(error.value)


def test_profile_names_its_product_beside_itself(tmp_path):
    path = tmp_path / "eol.toml"
    path.write_text('product = "pump.json"\n[[step]]\nwait = "1s"')
    assert load_profile(path).product == tmp_path / "pump.json"
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(tmp_path / "none.toml")


RESULTS = [
    Result("ack-in-time", "1.5", "an ack comes within 200 ms", PASS, "median 3 ms", 0.25),
    Result("heartbeat", "4.1", "a heartbeat is acked", FAIL, "no 08 <came> \x00", 1.0),
    Result("Does it hum?", "", "Does it hum?", SKIP, "needs a person", 0.0),
]


def test_report_names_rule_section_and_measurement():
    assert result_line(RESULTS[0]) == "pass  1.5   ack-in-time            an ack comes within 200 ms: median 3 ms"
    assert result_line(RESULTS[2]) == "skip  Does it hum?: needs a person"
    assert summary_lines(RESULTS)[0] == "1 passed, 1 failed, 1 skipped"
    assert summary_lines(RESULTS)[1].startswith("broken: a heartbeat is acked (serial manual, section 4.1): no 08")


def test_junit_has_a_case_for_every_step_and_survives_any_text():
    suite = ElementTree.fromstring(junit_xml("bench", RESULTS)).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    cases = suite.findall("testcase")
    assert cases[0].get("classname") == "section 1.5"
    assert cases[1].find("failure").get("message") == "no 08 <came> ?"
    assert cases[2].find("skipped") is not None


@pytest.fixture
def mcu(tmp_path):
    """The link of a simulated MCU in a process of its own."""
    link = tmp_path / "mcu"
    process = subprocess.Popen(
        plain_command("sim", "--product", PRODUCT_FILE, "--port", "pty", "--link", link, "--plain"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    process.stdout.readline()
    yield link
    process.terminate()
    process.wait(PATIENCE_S)
    process.stdout.close()


def check(*args):
    return subprocess.run(
        slow_command("check", *args), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S,
        env=ENVIRONMENT,
    )  # fmt: skip


def test_end_of_line_test_of_a_simulated_mcu_passes_and_writes_junit(mcu, tmp_path):
    profile = tmp_path / "eol.toml"
    profile.write_text(
        'name = "Heat pump"\n'
        '[[step]]\nname = "Heats"\nset = { power = true, target_temp = 40 }\nexpect = { target_temp = 40 }\n'
        '[[step]]\nbetween = { target_temp = [39, 41] }\n'
        '[[step]]\nask = "Does the display show 40?"\n'
        '[[step]]\nrules = ["ack-once", "stuffing-sent", "checksum-complaint"]\n'
    )  # fmt: skip
    junit = tmp_path / "out.xml"
    result = check("--profile", profile, "--product", PRODUCT_FILE, "--port", mcu, "--baud", 115200, "--junit", junit)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "6 passed, 0 failed, 1 skipped"), result.stdout
    assert result.stderr.startswith("Heat pump: 6 steps on ")
    assert len(ElementTree.parse(junit).getroot().findall(".//testcase")) == 7


def test_test_that_fails_exits_with_1_and_names_the_step(mcu, tmp_path):
    profile = tmp_path / "eol.toml"
    profile.write_text("[[step]]\nname = 'Timer runs'\nexpect = { timer = 5 }\nwithin = '300ms'")
    result = check("--profile", profile, "--product", PRODUCT_FILE, "--port", mcu)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == "broken: Timer runs: timer is 0, expected 5 after 300 ms"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "--port is missing"),
        (("--port", "x", "--profile", "none.toml"), "none.toml cannot be read"),
        (("--port", "x", "--product", "none.json"), "none.json cannot be read"),
        (("--port", "x", "--junit", "/none/x.xml"), "/none/x.xml cannot be written"),
    ],
)
def test_misuse_exits_with_2_and_one_line(args, message):
    result = check(*args)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_person_at_the_terminal_is_told_and_asked_and_sees_what_is_tried(mcu, tmp_path):
    profile = tmp_path / "eol.toml"
    profile.write_text(
        '[[step]]\nname = "Lid"\ntell = "Close the lid"\nset = { power = true }\n'
        '[[step]]\nask = "Does it hum?"\n[[step]]\nask = "Is it quiet?"\n'
    )
    arguments = ("check", "--profile", profile, "--product", PRODUCT_FILE, "--port", mcu)
    terminal = DebuggerTerminal(*arguments, command=slow_command)
    try:
        terminal.wait_for("[1/3] Lid ...")
        terminal.wait_for("** Close the lid, then press Enter")
        terminal.press("\r")
        terminal.wait_for("Does it hum? [y/n]")
        terminal.press("y\r")
        terminal.wait_for("Is it quiet? [y/n]")
        terminal.press("n\r")
        terminal.wait_for("broken: ask Is it quiet?: the person said no to: Is it quiet?")
        assert terminal.end() == 1
    finally:
        terminal.close()


def test_rules_are_listed_without_a_port():
    result = check("--list")
    assert result.returncode == 0
    assert "4.9   unknown-complaint" in result.stdout
