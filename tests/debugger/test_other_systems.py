"""What a system without pseudo-terminals and groups (Windows) still gets: everything but `--port pty`."""

import subprocess
import sys

from testkit.debugger_process import ENVIRONMENT
from testkit.patience import PATIENCE_S
from testkit.repository import ROOT

# None in sys.modules makes the import fail, as it does where there is no such module.
_WITHOUT = """
import sys
for name in ("pty", "tty", "grp", "termios", "fcntl"):
    sys.modules[name] = None
# On such a system pyserial has another part for it.
sys.modules["serial.serialposix"] = None
import types
serial = types.ModuleType("serial")
serial.SerialBase = serial.PortNotOpenError = type("PortNotOpenError", (Exception,), {})
tools = types.ModuleType("serial.tools")
tools.list_ports = types.ModuleType("serial.tools.list_ports")
sys.modules.update({"serial": serial, "serial.tools": tools, "serial.tools.list_ports": tools.list_ports})
from mcu_debugger.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def without(*args):
    command = [sys.executable, "-c", _WITHOUT, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=ENVIRONMENT)


def test_frames_are_decoded():
    assert without("decode", "ff ff 00 05 07 1a 00 00 26").stdout == "07 heartbeat  sn 26\n"


def test_pseudo_terminal_is_refused_in_words():
    result = without("sim", "--product", ROOT / "tools" / "demo" / "heatpump.json", "--port", "pty")
    assert result.returncode == 1
    assert "has no pseudo-terminals" in result.stderr
