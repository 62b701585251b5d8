"""A program that replays a transcript, made small by the steps that a chip's program is made small by."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import chip_tree

from . import parts
from .patience import PATIENCE_S
from .repository import ROOT

# What transcripts are of -> the packages that it is made of.
MACHINES = {"agent": ("gagent/", "mcu_proto/"), "link": ("mcu_proto/",)}

_TESTS = ROOT / "tests"
# Room: what a chip's heap holds is the business of the heap gate.
_HEAP = "256K"


def machine_of(transcript: list[Any]) -> str:
    """Which of the programs replays these rows."""
    return "link" if "link" in transcript[0] else "agent"


def built(machine: str, folder: Path) -> "Replay":
    """The program of a machine, in `folder` as sources and compiled."""
    core = {at: path for at, path in chip_tree.files_of("unix").items() if at.startswith(MACHINES[machine])}
    files = {
        "main.py": _TESTS / "upy_replay_main.py",
        "gagent_upy/__init__.py": chip_tree.PORT / "gagent_upy" / "__init__.py",
        "gagent_upy/start.py": _TESTS / ("upy_replay_%s.py" % machine),
    }
    texts = chip_tree.small({**core, **files})
    for at, text in texts.items():
        source = folder / "sources" / at
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text)
    chip_tree.compile_texts(texts, folder / "mpy")
    return Replay(folder)


class Replay:
    """A program that was built."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def bundle(self) -> str:
        """The source of what is always loaded."""
        return (self._folder / "sources" / (chip_tree.BUNDLE + ".py")).read_text()

    def under_cpython(self, transcript: Path) -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, "-s", "-E", "main.py"], "sources", transcript)

    def under_micropython(self, transcript: Path) -> subprocess.CompletedProcess[str]:
        command = [str(parts.find("micropython")), "-X", "heapsize=" + _HEAP, "-m", "main"]
        return self._run(command, "mpy", transcript)

    def _run(self, command: list[str], form: str, transcript: Path) -> subprocess.CompletedProcess[str]:
        # Only the tree that was built may be found: not the sources, and not what a person installed.
        env = {"MICROPYPATH": "%s:.frozen" % (self._folder / form), "PATH": ""}
        arguments = [*command, str(transcript)]
        return subprocess.run(
            arguments, cwd=self._folder / form, env=env, capture_output=True, text=True, timeout=PATIENCE_S
        )
