"""The machine the figures are of: without it they mean nothing."""

import datetime
import os
import platform
from pathlib import Path

# Small boards say what they are under another key than PCs do.
_CPU_KEYS = ("model name", "Model", "Hardware", "cpu model")


def describe() -> dict[str, str]:
    """What to print above the figures, in order."""
    return {
        "machine": platform.node(),
        "cpu": "%s, %d cores" % (_cpu(), os.cpu_count() or 1),
        "system": "%s %s" % (platform.system(), platform.release()),
        "python": platform.python_version(),
        "load": "%.2f when it began" % os.getloadavg()[0],
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return next((found[key] for key in _CPU_KEYS if key in found), platform.machine())
