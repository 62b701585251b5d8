"""The chain of the main job with the MicroPython port in the middle, from the image that a board with ROMFS runs."""

import functools
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import firmware
from gagent_upy import storage

from .chain_running import Chain

PROCESS = Path(__file__).with_name("upy_process.py")
SETTINGS = "uart = 1\nescape_pin = -1\nwatchdog = no\nssid = home\nkey = sweethome\napi_url = %s\n"
# Room: what a chip's heap holds is the business of the heap gate.
ROOMY = "256K"


@functools.cache
def built() -> Path:
    """The unix profile, made once for all tests of a session."""
    folder = tempfile.mkdtemp(prefix="gagent-firmware-")
    firmware.build("unix", Path(folder))
    return Path(folder)


class UpyChain(Chain):
    """As `Chain`; the agent is `boot.py` and `main.py` of the port, under MicroPython's unix build."""

    @property
    def identity_path(self) -> Path:
        """Of the two slots the one that counts."""
        return max(self._state.glob("identity.?"), key=_number)

    @property
    def identity(self) -> dict[str, Any]:
        return dict(storage.load(str(self._state / "identity"))[0] or {})

    def start_agent(self, *flags: object, stdin: int = subprocess.DEVNULL) -> None:
        """Returns at once. A chip has no flags: it says as much as it ever does."""
        self._state.mkdir(exist_ok=True)
        (self._state / "gagent.txt").write_text(SETTINGS % self.api)
        uart = "GAGENT_UART=%s" % self.mcu_path
        arguments = ("--firmware", built(), "--form", "romfs", "--heap", ROOMY, "--state", self._state, uart)
        self.agent = self.processes.start_file(PROCESS, *arguments, stdin=stdin)


def _number(slot: Path) -> int:
    """How new a slot is: the second word of its first line."""
    return int(slot.read_text().split()[1])
