"""Runs the core under MicroPython: compiles it as for a chip, lays out the vectors, starts `upy_runner`."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import chip_tree
import profiles
from steps import fold, inline, shake, shorten

from . import parts, vectors
from .patience import PATIENCE_S
from .repository import ROOT, chip_sources

TESTS = ROOT / "tests"
TRANSCRIPTS = TESTS / "transcripts"

# Of the unix build, whose words are twice as wide: what runs in this much runs in about 27 KB on a chip.
CHIP_HEAP = "40K"
# The whole agent, upgrades included, with its code in RAM, as no chip has it: there it stays in flash (ROMFS, or
# frozen). Only goes down.
AGENT_HEAP = "88K"
# An upgrade with both its ends in one heap, and every parser at once.
LIBRARY_HEAP = "56K"
# Datapoints are for the cloud and the debugger; a chip never imports them.
CLOUD_HEAP = "256K"

_PAYLOADS = {
    0x02: "device info",
    0x09: "config mode",
    0x0D: "status",
    0x18: "time",
    0x19: "announce",
    0x1B: "ready",
    0x22: "module info",
    0x23: "transaction",
    0x25: "transaction",
    0x53: "registration",
}
_P0_KINDS = {0x71: "states", 0x72: "data down", 0x73: "data up"}
# Forms that we read and do not build.
_NOT_OURS = {"time_reply_unsynced", "time_reply_short"}
# Sent by real MCUs, but not what we would send: surplus flags and padding.
_DECODE_ONLY = {"read_reply_temp_padded_by_sdk", "periodic_report_undefined_flags"}
_P0_PARTS = ("attr_flags", "attr_vals", "dev_status", "rest", "raw")


def compile_tree(target: Path) -> None:
    """Every chip file, and the runner, as .mpy under `target`, made small as for a chip but for being one file.

    Raises on what does not compile.
    """
    texts = {fold.module_name(Path(name)): path.read_text() for name, path in _inside().items()}
    # Transcripts name the methods that they call.
    keep = frozenset(re.findall(r"\w+", "".join(path.read_text() for path in TRANSCRIPTS.glob("*.jsonl"))))
    texts = shorten.shorten(inline.inline(shake.shake(fold.fold(texts), keep), keep), keep)
    chip_tree.compile_texts({name: texts[fold.module_name(Path(name))] for name in _inside()}, target)


def file_sizes(target: Path) -> dict[str, int]:
    """File of the repository -> its bytes as .mpy with folded constants and all that it has."""
    files = {name: path for name, path in _inside().items() if path.parent != TESTS}
    texts = fold.fold({fold.module_name(Path(name)): path.read_text() for name, path in files.items()})
    folded = {name: texts[fold.module_name(Path(name))] for name in files}
    sizes = chip_tree.compile_texts(folded, target, chip_tree.WITHOUT_LINES)
    return {str(path.relative_to(ROOT)): sizes[name] for name, path in files.items()}


def profile_sizes(target: Path) -> dict[str, int]:
    """Profile -> bytes of all its .mpy as they are delivered."""
    found = {}
    # Profiles of the same files are compiled once.
    sizes: dict[tuple[str, ...], int] = {}
    for profile in profiles.PROFILES:
        files = chip_tree.files_of(profile)
        if tuple(files) not in sizes:
            sizes[tuple(files)] = sum(chip_tree.compile_texts(chip_tree.small(files), target / profile).values())
        found[profile] = sizes[tuple(files)]
    return found


def _inside() -> dict[str, Path]:
    """Path on the chip -> source, of every file that may run there, and of the runner."""
    paths = [*chip_sources(), TESTS / "upy_runner.py"]
    return {path.relative_to(_import_root(path)).as_posix(): path for path in paths}


def _import_root(path: Path) -> Path:
    """The folder that a chip's file is imported from."""
    port = ROOT / "ports" / "micropython"
    if path.parent == port / "board":
        return path.parent
    if port in path.parents:
        return port
    return TESTS if path.parent == TESTS else ROOT


def run(tree: Path, vector_dir: Path, heap: str) -> subprocess.CompletedProcess[str]:
    """`upy_runner` from a compiled tree, in `heap` bytes."""
    command = [_command("micropython"), "-X", "heapsize=" + heap, "-m", "upy_runner", str(vector_dir)]
    # Only the compiled tree may be found: not the sources, and not what a person installed for MicroPython.
    env = {"MICROPYPATH": "%s:.frozen" % tree, "PATH": ""}
    return subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, timeout=PATIENCE_S)


def chip_vectors() -> dict[str, list[Any]]:
    """Kind -> rows of what the code on a chip must pass."""
    streams = []
    for stream in vectors.streams():
        expected = [[*frame[:3], frame.payload.hex(), frame.checksum_ok] for frame in stream.expected]
        streams.append([stream.name, stream.stream.hex(), expected])
    return {
        "frames": [[v.name, v.cmd, v.sn, v.flags, v.payload.hex(), v.wire.hex()] for v in vectors.frames()],
        "streams": streams,
        # What has no topic is a whole MQTT packet or an HTTP body.
        "wire": [_wire_row(vector) for vector in vectors.cloud_payloads() if vector.topic],
    }


def cloud_vectors() -> dict[str, list[Any]]:
    """Name -> rows of what the cloud and the debugger need: products and conversions."""
    found: dict[str, list[Any]] = {
        "product-" + product.name: [product.definition, *[_case_row(case) for case in product.cases]]
        for product in vectors.products()
    }
    found["conversions"] = [
        [str(row["ratio"]), str(row["addition"]), str(row["display"]), row["raw"]] for row in vectors.conversions()
    ]
    return found


def whole_library_vectors() -> dict[str, list[Any]]:
    """Name -> rows of what simulators, gateways and upgrades need besides."""
    rows = []
    for vector in vectors.frames():
        kind = _PAYLOADS.get(vector.cmd)
        if vector.cmd in (0x03, 0x05):
            kind = _P0_KINDS.get(vector.payload[0]) if vector.payload else None
        if kind is not None and vector.name not in _NOT_OURS:
            kind = "cellular info" if vector.name == "module_info_cellular" else kind
            rows.append([vector.name, kind, vector.payload.hex()])
    return {
        "payloads": rows,
        "transfer": [[0, 128, False], [1, 128, False], [128, 128, False], [2000, 300, False], [110, 0, True]],
    }


def transcripts() -> dict[str, list[Any]]:
    """Name -> rows of every transcript."""
    return {
        path.stem: [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted(TRANSCRIPTS.glob("*.jsonl"))
    }


def _wire_row(vector: vectors.CloudVector) -> list[Any]:
    decoded = vector.decoded
    cmd = int(decoded["cmd"], 16)
    if vector.topic.startswith(("ser2cli", "cli2ser")):
        return [vector.name, vector.payload.hex(), cmd, None, None]
    p0 = decoded.get("p0")
    if "action" in decoded and any(part in decoded for part in _P0_PARTS):
        p0 = decoded["action"][2:] + "".join(decoded.get(part, "") for part in _P0_PARTS)
    return [vector.name, vector.payload.hex(), cmd, decoded.get("sn", 0), p0]


def _case_row(case: vectors.CaseVector) -> list[Any]:
    binaries = {name: raw for name, raw in case.raw.items() if isinstance(raw, str)}
    values = {name: str(value) if isinstance(value, float) else value for name, value in case.values.items()}
    # Of variable length, only a read of everything can be asked for.
    encodes = case.name not in _DECODE_ONLY and not (case.kind == "read" and case.action & 0x10)
    return [case.name, case.kind, case.action, case.p0.hex(), values, binaries, encodes]


def _command(name: str) -> str:
    found = parts.find(name)
    if found is None:
        raise FileNotFoundError(parts.missing("micropython"))
    return found
