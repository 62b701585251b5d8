"""Prints what is loaded for good costs a chip's heap after each step that makes it small (part of `make heap`).

Bytes in use after `import gagent_chip` from read-only flash, on the 64-bit unix build.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import chip_tree
import firmware
import profiles
from testkit import parts
from testkit.patience import PATIENCE_S
from testkit.processes_running import ENVIRONMENT
from testkit.upy_chain import PROCESS

# What a board's firmware has built in, and the rest of what the bundle asks for, is there before.
_LOADS = """
import gc, gagent_upy, os, select, time, machine, network, errno, socket, sys, json, hashlib
gc.collect()
before = gc.mem_alloc()
import gagent_chip
gc.collect()
print("loaded", gc.mem_alloc() - before)
"""
_FIRST = "literals"


def main() -> int:
    reason = parts.missing("micropython")
    if reason:
        print("make heap " + reason, file=sys.stderr)
        return 1
    names = [name for name, _ in chip_tree.STEPS]
    print("bytes  step        loaded")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        firmware.build("unix", folder / "unix")
        for last in names[names.index(_FIRST) :]:
            print("       %-10s %7d" % (last, _loaded(folder, last)), flush=True)
    return 0


def _loaded(folder: Path, last: str) -> int:
    tree = folder / last
    texts = chip_tree.small(chip_tree.files_of("unix"), last)
    apart = (*chip_tree.BOOT_FILES, chip_tree.LOADER)
    chip_tree.compile_texts({at: text for at, text in texts.items() if at not in apart}, tree)
    firmware._romfs(tree, folder / "unix" / "app.romfs", profiles.PROFILES["unix"])
    command = [sys.executable, PROCESS, "--firmware", folder / "unix", "--form", "romfs", "--heap", "1M"]
    command += ["--state", folder / "state", "--run", _LOADS]
    done = subprocess.run([*map(str, command)], env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S)
    words = done.stderr.split()
    if "loaded" not in words:
        raise SystemExit("upy_steps: after %s the bundle cannot be loaded: %s" % (last, done.stderr[-500:]))
    return int(words[words.index("loaded") + 1])


if __name__ == "__main__":
    sys.exit(main())
