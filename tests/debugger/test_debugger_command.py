"""The `mcu-debugger` command as a process, on a real pseudo-terminal."""

import contextlib
import os
import pty
import select
import signal
import socket
import subprocess
import time

import pytest
from mcu_debugger.product import load_product
from testkit.debugger_process import ENVIRONMENT, DebuggerProcess, plain_command
from testkit.patience import PATIENCE_S
from testkit.repository import ROOT
from testkit.slow_clock import SLOWER, slow_ms

from mcu_proto.const import CMD_GET_INFO, CMD_MODULE_STATUS, CMD_P0_DOWN, CMD_P0_UP, STATUS_CLOUD
from mcu_proto.datapoint import Schema
from mcu_proto.link import Acked, McuLink, Received, SendSerial
from mcu_proto.message import build_module_status, parse_device_info

PRODUCT = str(ROOT / "tools" / "demo" / "heatpump.json")


def run(*args, stdin=""):
    return subprocess.run(
        plain_command(*args), input=stdin, capture_output=True, text=True, timeout=PATIENCE_S, env=ENVIRONMENT
    )


class Simulator(DebuggerProcess):
    """`mcu-debugger sim` on a pty with a link."""

    def __init__(self, link, *args, stdin=subprocess.PIPE, port="pty"):
        where = ("--link", link) if port == "pty" else ()
        super().__init__("sim", "--product", PRODUCT, "--port", port, *where, *args, stdin=stdin)


class Module:
    """The module's end of a terminal: our own link on a real descriptor."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self.link = McuLink()
        self.heard = []
        self.schema = Schema.from_definition(load_product(PRODUCT))

    def perform(self, effects):
        for effect in effects:
            if isinstance(effect, SendSerial):
                os.write(self.fd, effect.data)
            else:
                self.heard.append(effect)

    def wait_for(self, is_it):
        """Serve the line until something heard satisfies `is_it`; that."""
        end = time.monotonic() + PATIENCE_S
        while True:
            for effect in self.heard:
                if is_it(effect):
                    self.heard.remove(effect)
                    return effect
            assert time.monotonic() < end, "not heard, but: %s" % self.heard
            due = self.link.next_timeout()
            wait = 1 if due is None else max(0, due - self.now()) * SLOWER / 1000
            if select.select([self.fd], [], [], wait)[0]:
                self.perform(self.link.receive_bytes(os.read(self.fd, 4096), self.now()))
            self.perform(self.link.handle_timeout(self.now()))

    def ask(self, cmd, payload=b""):
        self.perform(self.link.request(cmd, payload, self.now(), token=cmd))
        return self.wait_for(lambda effect: isinstance(effect, Acked) and effect.token == cmd).frame.payload

    def report(self):
        heard = self.wait_for(lambda effect: isinstance(effect, Received) and effect.frame.cmd == CMD_P0_UP)
        return self.schema.decode(heard.frame.payload)

    @staticmethod
    def now():
        return slow_ms()


@pytest.fixture
def start(tmp_path):
    """Starts simulators on tmp_path/mcu and sees to their end."""
    started = []

    def start(*args, **options):
        simulator = Simulator(tmp_path / "mcu", *args, **options)
        started.append(simulator)
        simulator.wait_for("MCU of Demo heat pump on ")
        return simulator

    yield start
    for simulator in started:
        if simulator.process.poll() is None:
            simulator.process.kill()
        with contextlib.suppress(ValueError):
            simulator.process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def module(tmp_path, start):
    """A module on the line of a simulator that reads its commands from a pipe: (simulator, module)."""
    simulator = start()
    module = Module(tmp_path / "mcu")
    yield simulator, module
    os.close(module.fd)


def test_module_on_the_terminal_asks_controls_and_gets_reports(module):
    simulator, module = module
    assert len(parse_device_info(module.ask(CMD_GET_INFO)).product_key) == 32
    simulator.wait_for("device info sent")
    assert module.ask(CMD_P0_DOWN, module.schema.encode_control({"power": 1, "mode": "cool"})) == b""
    assert module.report()["mode"] == "cool"
    simulator.wait_for("control: power true  mode cool")
    simulator.type("set water_in 31.5 target_temp 20")
    report = module.report()
    assert (report["water_in"], report["target_temp"], report["power"]) == (31.5, 20, True)
    simulator.wait_for("report taken by the module")


def test_bad_lines_are_answered_and_the_simulator_goes_on(module):
    simulator, module = module
    simulator.type("set target_temp 99")
    simulator.wait_for("? set: attribute target_temp: 99 is not within -10 to 65")
    simulator.type("fly")
    simulator.wait_for("? unknown command fly")
    simulator.type("get target_temp")
    simulator.wait_for("target_temp -10")
    simulator.type("quit")
    assert (simulator.end(), simulator.errors) == (0, "")


def test_quit_lets_the_module_take_what_was_sent(module):
    simulator, module = module
    simulator.type("set power on")
    simulator.type("quit")
    assert module.report()["power"] is True
    assert (simulator.end(), simulator.errors) == (0, "")
    assert "report taken by the module" in simulator.output


def test_simulator_goes_on_when_standard_input_ends_and_stops_on_a_signal(tmp_path, start):
    for number in (signal.SIGTERM, signal.SIGINT):
        simulator = start(stdin=subprocess.DEVNULL)
        module = Module(tmp_path / "mcu")
        module.ask(CMD_GET_INFO)
        simulator.wait_for("device info sent")
        simulator.process.send_signal(number)
        assert (simulator.end(), simulator.errors) == (0, "")
        assert not os.path.lexists(tmp_path / "mcu")
        os.close(module.fd)


def test_module_may_come_and_go(tmp_path, start):
    start()
    for _ in range(3):
        module = Module(tmp_path / "mcu")
        module.ask(CMD_GET_INFO)
        os.close(module.fd)


def test_link_of_a_killed_run_is_replaced_but_a_file_is_not(tmp_path, start):
    os.symlink("/nowhere", tmp_path / "mcu")
    simulator = start()
    Module(tmp_path / "mcu").ask(CMD_GET_INFO)
    simulator.type("quit")
    simulator.end()
    (tmp_path / "mcu").write_text("precious")
    result = run("sim", "--product", PRODUCT, "--port", "pty", "--link", tmp_path / "mcu")
    assert result.returncode == 1
    assert "cannot be made: File exists" in result.stderr
    assert (tmp_path / "mcu").read_text() == "precious"


def test_simulator_takes_a_port_that_exists(tmp_path, start):
    """A pty's slave stands for the serial adapter."""
    master, slave = pty.openpty()
    try:
        start("--baud", 115200, port=os.ttyname(slave))
        module = Module.__new__(Module)
        module.fd, module.link, module.heard = master, McuLink(), []
        assert len(module.ask(CMD_GET_INFO)) == 74
        again = run("sim", "--product", PRODUCT, "--port", os.ttyname(slave))
        assert again.returncode == 1
        assert "another program has it open" in again.stderr
    finally:
        os.close(slave)
        os.close(master)


def test_simulator_takes_a_network_port(start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        simulator = start(port="socket://127.0.0.1:%d" % server.getsockname()[1], stdin=subprocess.DEVNULL)
        connection, _ = server.accept()
    module = Module.__new__(Module)
    module.fd, module.link, module.heard = connection.fileno(), McuLink(), []
    assert len(module.ask(CMD_GET_INFO)) == 74
    connection.close()
    simulator.wait_for("is lost")


def test_port_without_a_descriptor_is_served():
    """Its own report comes back on loop://, is refused as a command no MCU takes, and so the request fails."""
    result = run("sim", "--product", PRODUCT, "--port", "loop://", stdin="set power on\nquit\n")
    assert result.returncode == 0
    assert "no luck with 05 P0 from MCU: the other end does not know the command" in result.stdout


def test_simulator_runs_without_standard_input(tmp_path):
    (tmp_path / "script").write_text("after 1ms set power on\nquit\n")
    line = " ".join(plain_command("sim", "--product", PRODUCT, "--port", "pty", "--script", tmp_path / "script"))
    result = subprocess.run(line + " <&-", shell=True, capture_output=True, timeout=PATIENCE_S, env=ENVIRONMENT)
    assert (result.returncode, result.stderr) == (0, b"")


def test_adapter_that_is_unplugged_is_waited_for_and_served_when_it_is_back(tmp_path, start):
    path = tmp_path / "adapter"
    master, slave = pty.openpty()
    path.symlink_to(os.ttyname(slave))
    simulator = start(port=str(path), stdin=subprocess.DEVNULL)
    # Before somebody else gets the terminal of this number.
    path.unlink()
    os.close(slave)
    os.close(master)
    simulator.wait_for("is lost")
    simulator.wait_for("waiting for it to come back")
    master, slave = pty.openpty()
    path.symlink_to(os.ttyname(slave))
    simulator.wait_for("is back")
    module = Module.__new__(Module)
    module.fd, module.link, module.heard = master, McuLink(), []
    assert len(module.ask(CMD_GET_INFO)) == 74
    os.close(slave)
    os.close(master)


def test_terminal_gets_a_prompt_and_control_d_ends_it():
    master, slave = pty.openpty()
    process = subprocess.Popen(
        plain_command("sim", "--product", PRODUCT, "--port", "pty", "--plain"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=ENVIRONMENT,
    )
    os.close(slave)
    output = b""
    try:
        for typed, answer in ((b"", b"sim> "), (b"attrs\n", b"fault_sensor")):
            os.write(master, typed)
            while answer not in output:
                assert select.select([master], [], [], PATIENCE_S)[0]
                output += os.read(master, 4096)
        os.write(master, b"\x04")
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


SCRIPT = """\
set water_in 31.5
expect online within 60s
expect power true within 60s
quit
"""


def test_script_that_sees_all_it_expects_exits_0(tmp_path, start):
    (tmp_path / "script").write_text(SCRIPT)
    simulator = start("--script", tmp_path / "script", stdin=subprocess.DEVNULL)
    module = Module(tmp_path / "mcu")
    module.ask(CMD_MODULE_STATUS, build_module_status(STATUS_CLOUD))
    simulator.wait_for("line 2: online, as expected")
    module.ask(CMD_P0_DOWN, module.schema.encode_control({"power": 1}))
    assert (simulator.end(), simulator.errors) == (0, "")
    assert "line 3: power true, as expected" in simulator.output
    os.close(module.fd)


def test_script_that_misses_something_exits_1(tmp_path):
    (tmp_path / "script").write_text("expect power true within 1ms\nquit\n")
    result = run("sim", "--product", PRODUCT, "--port", "pty", "--script", tmp_path / "script")
    assert result.returncode == 1
    assert "line 1: expected power true within 1 ms, not seen" in result.stdout


def test_script_that_is_stopped_before_its_end_exits_1(tmp_path, start):
    (tmp_path / "script").write_text(SCRIPT)
    simulator = start("--script", tmp_path / "script")
    simulator.process.send_signal(signal.SIGINT)
    assert simulator.end() == 1


def test_bad_script_exits_2_and_names_the_line(tmp_path):
    (tmp_path / "script").write_text("set power on\nset power maybe\n")
    result = run("sim", "--product", PRODUCT, "--port", "pty", "--script", tmp_path / "script")
    assert result.returncode == 2
    assert "line 2: set power maybe: set: attribute power" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "No such file"),
        ("[", "is not JSON: line 1"),
        ("[]", "is an object with product_key"),
        ('{"entities": [{"attrs": [7]}]}', "attrs is a list of objects"),
        ('{"entities": [{"attrs": [{"id": 0, "name": "power", "type": "magic"}]}]}', "attribute power"),
        ("{}", "product key"),
    ],
)
def test_unusable_product_file_exits_2_and_says_why(tmp_path, text, why):
    if text is not None:
        (tmp_path / "product.json").write_text(text)
    result = run("sim", "--product", tmp_path / "product.json", "--port", "pty")
    assert result.returncode == 2
    assert why in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("port", "why"),
    [
        ("/dev/tty-not-there", "is the adapter plugged in"),
        ("/dev/null", "no serial port"),
        ("carrier-pigeon://home", "a URL of pyserial"),
    ],
)
def test_unusable_port_exits_1_and_says_what_to_do(port, why):
    result = run("sim", "--product", PRODUCT, "--port", port)
    assert result.returncode == 1
    assert why in result.stderr
    # Ports that are there follow, one a line.
    assert result.stderr.count("mcu-debugger: ") == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "args", [(), ("sim",), ("sim", "--product", PRODUCT, "--port", "x", "--link", "y"), ("decode", "xyz")]
)
def test_misuse_exits_2(args):
    assert run(*args).returncode == 2


def test_decode_reads_arguments_and_standard_input():
    by_arguments = run("decode", "ff", "ff", "00", "07", "0d", "01", "00", "00", "07", "1a", "36")
    by_input = run("decode", "-", stdin="0xffff 0007 0d01\n0000 071a 36\n")
    assert by_arguments.returncode == by_input.returncode == 0
    assert by_arguments.stdout == by_input.stdout
    assert by_input.stdout.splitlines() == ["0d module status  sn 1", "   station, bindable, router, signal 7 of 7"]


def test_decode_shows_attributes_of_the_product():
    result = run("decode", "--product", PRODUCT, "ff ff 00 06 03 0f 00 00 02 1a")
    assert result.stdout.splitlines() == ["03 P0 to MCU  sn 15", "   read"]


def test_decode_of_a_bad_frame_exits_1():
    result = run("decode", "ffff0005071a000027")
    assert result.returncode == 1
    assert "wrong checksum" in result.stdout
