"""The demo as a user runs it: its story, its exit code, and nothing left behind."""

import json
import re
import signal
import socket
import subprocess
import urllib.request

import pytest
from testkit.chain_running import PRODUCT, PRODUCT_KEY, Chain
from testkit.patience import PATIENCE_S
from testkit.processes_running import until
from testkit.pty_pair import PtyPair
from testkit.repository import ROOT

DEMO = ROOT / "tools" / "demo" / "demo.py"
FREE_PORTS = ("--http-port", "0", "--mqtt-port", "0")


@pytest.fixture
def demo(processes):
    """Starts the demo, without standard input as under a service manager."""

    def start(*arguments):
        return processes.start_file(DEMO, *FREE_PORTS, *arguments, stdin=subprocess.DEVNULL)

    return start


@pytest.fixture
def mcu_path(processes):
    """The serial port of an MCU that is there."""
    chain = Chain(processes)
    chain.start_mcu()
    return chain.mcu_path


def steps(process):
    return re.findall(r"^ +\d+\.\d\d s ok (.*)$", process.stdout, re.MULTILINE)


@pytest.mark.parametrize("broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_once_sees_every_step_and_ends_by_itself(demo, broker):
    process = demo("--once", "--broker", broker)
    assert process.wait() == 0
    assert len(steps(process)) == 10
    assert "was controlled: power = True, mode = heat, target_temp = 45.5" in process.stdout
    assert process.stdout.endswith("10 steps, each seen from its far end\n")
    assert process.stderr == ""
    until(lambda: process.offspring() == [], "nothing of it is left")


@pytest.mark.parametrize("product", [(), ("--product", PRODUCT)])
def test_a_real_mcu_is_brought_online_and_its_state_is_read(demo, mcu_path, product):
    process = demo("--once", "--port", mcu_path, *product)
    assert process.wait() == 0
    state = steps(process)[-1]
    assert "asked for the state, the MCU answered: " in state
    assert state.endswith("(give its definition with --product to see attributes)") == (not product)
    assert ("target_temp = -10" in state) == bool(product)
    assert process.stderr == ""


@pytest.mark.parametrize("broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_control_c_ends_what_stays_and_leaves_nothing_behind(demo, mcu_path, broker):
    process = demo("--port", mcu_path, "--broker", broker)
    process.says("Everything keeps running until Ctrl-C")
    assert len(process.offspring()) == {"embedded": 1, "mosquitto": 2}[broker]
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    assert process.stdout.endswith("stopping\n")
    assert process.stderr == ""
    until(lambda: process.offspring() == [], "nothing of it is left")


def test_what_it_prints_to_try_next_works_while_it_stays(demo):
    process = demo()
    process.says("tail -f")
    lines = process.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("  H=("))
    # The shell takes the printed lines apart; what it would run is sent from here.
    script = "curl() { printf '%s\\n' \"$@\" ''; }\n" + "\n".join(lines[at : at + 4])
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    calls = [call.splitlines() for call in shown.split("\n\n") if call.strip()]
    bindings, latest, control = [send(call) for call in calls]
    assert bindings["devices"][0]["is_online"]
    assert latest["attr"]["target_temp"] == 45.5
    assert control == {}
    assert process.says(".. MCU").endswith("control: power false")
    process.signal(signal.SIGINT)
    assert process.wait() == 0


def send(arguments):
    """What curl would get with these arguments."""
    request = urllib.request.Request(arguments[-1])
    for flag, value in zip(arguments[:-1:2], arguments[1:-1:2], strict=True):
        if flag == "-H":
            request.add_header(*value.split(": "))
        else:
            assert flag == "-d"
            request.data = value.encode()
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        return json.load(response)


def test_a_step_that_does_not_come_is_told_and_exit_code_1(demo, tmp_path):
    port = PtyPair(tmp_path)
    port.plug_in()
    process = demo("--once", "--port", port.path, "--patience", "5")
    assert process.wait() == 1
    told = r"s NO +did not happen in 5 s: an MCU answers on .*; the agent's log:\n.* demo: to MCU: get device info"
    assert re.search(told, process.stdout)
    assert len(steps(process)) == 1
    port.pull_out()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_trouble_with_the_port_is_on_stderr_and_waiting_for_it_can_be_ended(demo, tmp_path, number):
    process = demo("--port", tmp_path / "nosuch")
    assert process.says("ERROR").endswith(
        "nosuch does not exist: plug the adapter in or correct `port`; waiting for it"
    )
    process.signal(number)
    assert process.wait() == 130
    assert "Traceback" not in process.stderr


def test_the_definition_of_another_product_is_refused(demo, mcu_path, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(PRODUCT.read_text().replace(PRODUCT_KEY, "00" * 16))
    process = demo("--once", "--port", mcu_path, "--product", other)
    assert process.wait() == 1
    assert "NO            --product is the definition of %s, the MCU is another" % ("00" * 16) in process.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--product", "nosuch.json", "--port", "/dev/null"), "nosuch.json cannot be read: No such file"),
        (("--product", PRODUCT), "--product and --secret are about a real MCU"),
        (("--patience", "0"), "'0' is no whole number of seconds"),
        (("--keep", "/dev/null/folder"), "nothing can be kept in /dev/null/folder: Not a directory"),
    ],
)
def test_misuse_is_told_in_a_line_and_exit_code_2(demo, arguments, words):
    process = demo(*arguments)
    assert process.wait() == 2
    assert words in process.stderr.splitlines()[-1]
    assert process.stdout == ""


def test_ports_in_use_are_replaced_by_free_ones(processes, mcu_path):
    with socket.create_server(("127.0.0.1", 0)) as http, socket.create_server(("0.0.0.0", 0)) as mqtt:
        taken = [str(server.getsockname()[1]) for server in (http, mqtt)]
        arguments = ("--once", "--port", mcu_path, "--http-port", taken[0], "--mqtt-port", taken[1])
        process = processes.start_file(DEMO, *arguments, stdin=subprocess.DEVNULL)
        assert process.wait() == 0
    used = re.search(r"local cloud is up: http://127\.0\.0\.1:(\d+), MQTT on 127\.0\.0\.1:(\d+)", process.stdout)
    assert used
    assert not set(taken) & set(used.groups())


def test_what_is_kept_is_used_by_the_next_run(demo, mcu_path, tmp_path):
    dids = []
    for _ in range(2):
        process = demo("--once", "--port", mcu_path, "--keep", tmp_path / "kept")
        assert process.wait() == 0
        dids.append(re.search(r"user bound the device (\w{22})", process.stdout)[1])
    assert dids[0] == dids[1]
    assert (tmp_path / "kept").stat().st_mode & 0o77 == 0
