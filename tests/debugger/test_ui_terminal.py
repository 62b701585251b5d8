"""The full screen in a real terminal, on a real pseudo-terminal as its line, with real frames."""

import os
import select
import tty

import pytest
from mcu_debugger.product import load_product
from testkit.debugger_terminal import DebuggerTerminal
from testkit.patience import PATIENCE_S
from testkit.repository import ROOT

from mcu_proto.const import CMD_GET_INFO, CMD_MODULE_STATUS, CMD_P0_DOWN
from mcu_proto.datapoint import Schema
from mcu_proto.frame import FrameDecoder, encode_frame

PRODUCT = ROOT / "tools" / "demo" / "heatpump.json"
SCHEMA = Schema.from_definition(load_product(str(PRODUCT)))


class ModuleEnd:
    """The module's end of the simulator's line."""

    def __init__(self, path):
        self._line = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._line)
        self._decoder = FrameDecoder()

    def send(self, cmd, sn, payload=b""):
        os.write(self._line, encode_frame(cmd, sn, payload))

    def wait_for(self, cmd):
        """The next frame of this command."""
        while select.select([self._line], [], [], PATIENCE_S)[0]:
            for frame in self._decoder.feed(os.read(self._line, 4096)):
                if frame.cmd == cmd:
                    return frame
        raise AssertionError("no %02x came" % cmd)

    def close(self):
        os.close(self._line)


@pytest.fixture
def terminal(tmp_path):
    link = tmp_path / "mcu"
    terminal = DebuggerTerminal("sim", "--product", PRODUCT, "--port", "pty", "--link", link, "--baud", 115200)
    terminal.wait_for("Quit")
    terminal.module = ModuleEnd(link)
    yield terminal
    terminal.module.close()
    terminal.close()


def test_frames_are_painted_as_they_cross_the_line(terminal):
    terminal.module.send(CMD_GET_INFO, 0)
    terminal.wait_for("get device info")
    terminal.module.send(CMD_MODULE_STATUS, 1, b"\x07\x3a")
    terminal.wait_for("station, bindable, router, cloud, signal 7 of 7")
    terminal.module.send(CMD_P0_DOWN, 2, SCHEMA.encode_control({"target_temp": 41.5}))
    terminal.wait_for("control target_temp 41.5 °C")


def test_line_that_is_typed_goes_to_the_role_and_what_it_does_to_the_line(terminal):
    terminal.press(":")
    terminal.wait_for("Enter sends it")
    terminal.press("set target_temp 20\r")
    report = terminal.module.wait_for(5)
    assert SCHEMA.decode(report.payload)["target_temp"] == 20
    terminal.wait_for("target_temp 20 °C")


@pytest.mark.parametrize("end", ["q", "ctrl+c", "SIGTERM"])
def test_end_gives_the_terminal_and_the_link_back(terminal, tmp_path, end):
    if end == "SIGTERM":
        terminal.process.terminate()
    else:
        terminal.press({"q": "q", "ctrl+c": "\x03"}[end])
    assert terminal.end() == 0
    assert "\x1b[?1049l" in terminal.painted
    assert not os.path.lexists(tmp_path / "mcu")


def test_plain_on_a_terminal_stays_a_line_mode(tmp_path):
    terminal = DebuggerTerminal("sim", "--product", PRODUCT, "--port", "pty", "--plain")
    try:
        terminal.wait_for("MCU of Demo heat pump")
        terminal.press("get power\r")
        terminal.wait_for("power false")
        assert "\x1b[?1049h" not in terminal.painted
        terminal.press("quit\r")
        assert terminal.end() == 0
    finally:
        terminal.close()


def test_module_on_the_screen_controls_a_simulated_mcu(tmp_path):
    link = tmp_path / "mcu"
    mcu = DebuggerTerminal("sim", "--product", PRODUCT, "--port", "pty", "--link", link, "--plain")
    module = None
    try:
        mcu.wait_for("MCU of Demo heat pump")
        module = DebuggerTerminal("module", "--product", PRODUCT, "--port", link)
        module.wait_for("device info")
        module.press(":")
        module.wait_for("Enter sends it")
        module.press("set target_temp 20\r")
        module.wait_for("control target_temp 20")
        mcu.wait_for("control: target_temp 20")
        module.press("q")
        assert module.end() == 0
    finally:
        mcu.close()
        if module is not None:
            module.close()


def test_port_that_cannot_be_opened_is_told_before_the_screen_is_taken(tmp_path):
    terminal = DebuggerTerminal("tap", "--port", tmp_path / "none")
    try:
        assert terminal.end() == 1
        assert "cannot be opened" in terminal.text()
        assert "\x1b[?1049h" not in terminal.painted
    finally:
        terminal.close()
