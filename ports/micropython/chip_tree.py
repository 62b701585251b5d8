"""The files that go to a chip, found by what imports what, made small, and as bytecode.

A profile's files are those that `board/boot.py` and `board/main.py` reach, imports inside functions included, less what
the profile does without. So nothing is listed by hand, and what no chip needs never gets there.
"""

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import profiles
from steps import (
    bundle,
    fold,
    inline,
    literals,
    merge,
    places,
    pool,
    settle,
    shake,
    shorten,
    simplify,
    singles,
    tuples,
    unfold,
)

ROOT = Path(__file__).resolve().parent.parent.parent
PORT = ROOT / "ports" / "micropython"
BOARD = PORT / "board"
# What MicroPython runs by itself; it takes these as sources only.
BOOT_FILES = ("boot.py", "main.py")
# Lies beside them and is not replaced by an upgrade.
LOADER = "loader.py"
# With the numbers of lines, which cost flash and no heap where code runs from flash; and without.
WITH_LINES, WITHOUT_LINES = "-O2", "-O3"
# What stays on a board when the rest is upgraded.
_APART = frozenset(("boot", "main", "loader"))
# Needed with every frame, report or control: made once, not each time.
_OFTEN = frozenset((b"\xff", b"\xff\xff", b"\xffU", b"\x00\x00\x00\x03", b"\x03", b"\x13", b"\x03\x05"))
# The module that holds all that is always loaded.
BUNDLE = "gagent_chip"
# Puts the agent together and goes.
_START = "gagent_upy.start"
# Where packages are imported from.
_IMPORT_ROOTS = (ROOT, PORT, BOARD)


class FirmwareError(Exception):
    """The files for a chip cannot be built; the text says which and why."""


def files_of(profile: str) -> dict[str, Path]:
    """Path on the chip -> source, of everything that a profile runs."""
    left_out = (*profiles.ON_NO_CHIP, *profiles.PROFILES[profile].without)
    found: dict[str, Path] = {}
    pending = [(name, BOARD / name) for name in BOOT_FILES]
    while pending:
        name, path = pending.pop()
        if name in found or fold.module_name(Path(name)) in left_out:
            continue
        found[name] = path
        pending += [(source.relative_to(root).as_posix(), source) for root, source in _imported_by(name, path)]
    return dict(sorted(found.items()))


def small(files: dict[str, Path], last: str = "shorten") -> dict[str, str]:
    """Path on the chip -> source, made small by the STEPS up to `last`; FirmwareError on what one cannot do."""
    sources = {fold.module_name(Path(name)): path.read_text() for name, path in files.items()}
    paths = {fold.module_name(Path(name)): name for name in files} | {BUNDLE: BUNDLE + ".py"}
    for name, step in STEPS:
        try:
            sources = step(sources)
        except ValueError as error:
            raise FirmwareError("step %s: %s" % (name, error)) from error
        if name == last:
            break
    return {paths[module]: text + "\n" for module, text in sorted(sources.items())}


def compile_texts(texts: dict[str, str], target: Path, lines: str = WITH_LINES) -> dict[str, int]:
    """Every text as .mpy under `target`; path on the chip, still named .py, -> bytes."""
    sizes = {}
    for name, text in texts.items():
        source = target / name
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text)
        out = source.with_suffix(".mpy")
        compile_file(source, out, lines)
        sizes[name] = out.stat().st_size
        # MicroPython would take the source before the bytecode.
        source.unlink()
    return sizes


def compile_file(path: Path, out: Path, lines: str = WITH_LINES) -> None:
    """One file as bytecode; its name on the chip is the one that tracebacks show."""
    command = [tool("mpy-cross"), "-march=xtensa", lines, "-s", path.name, "-o", str(out), str(path)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise FirmwareError("%s does not compile for MicroPython: %s" % (path, result.stderr.strip()))


def tool(name: str) -> str:
    """The path of a command that `pip install '.[micropython]'` brought, beside this interpreter or on PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise FirmwareError("%s not found: pip install -e '.[micropython]'" % name)
    return found


def _imported_by(name: str, path: Path) -> list[tuple[Path, Path]]:
    """(import root, file) of every file of ours that this one imports, wherever in it, with the packages around it."""
    module = fold.module_name(Path(name)) + (".__init__" if name.endswith("__init__.py") else "")
    wanted = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = fold.source_of(module, node)
            wanted |= {source, *["%s.%s" % (source, alias.name) for alias in node.names]}
    found = []
    for dotted in sorted(wanted):
        parts = dotted.split(".")
        for end in range(1, len(parts) + 1):
            found += _files_named(parts[:end])
    return found


def _always_loaded(texts: dict[str, str]) -> list[str]:
    """What the start imports in its functions whatever the settings, and what that imports at its top."""
    found: list[str] = []
    start = next(node for node in ast.parse(texts[_START]).body if isinstance(node, ast.FunctionDef))
    pending = [name for node in start.body for name in _targets(_START, node)]
    while pending:
        module = pending.pop(0)
        if module in texts and module not in found and "." in module:
            found.append(module)
            pending += [name for node in ast.parse(texts[module]).body for name in _targets(module, node)]
    return found


def _targets(module: str, node: ast.stmt) -> list[str]:
    """Names of what a statement imports, modules or not."""
    if not isinstance(node, ast.ImportFrom):
        return []
    source = fold.source_of(module, node)
    return [source, *["%s.%s" % (source, alias.name) for alias in node.names]]


def _files_named(parts: list[str]) -> list[tuple[Path, Path]]:
    for root in _IMPORT_ROOTS:
        folder = root.joinpath(*parts)
        for path in (folder / "__init__.py", folder.with_suffix(".py")):
            # Not a folder of this repository that happens to be named like a library.
            if path.is_file() and (len(parts) > 1 or path.name == "__init__.py" or root == BOARD):
                return [(root, path)]
    return []


def _pooled(sources: dict[str, str]) -> dict[str, str]:
    return sources | {BUNDLE: pool.pool(sources[BUNDLE], _OFTEN)}


# What makes the sources small, in this order; `steps/__init__.py` says what each does.
STEPS: tuple[tuple[str, Callable[[dict[str, str]], dict[str, str]]], ...] = (
    ("fold", fold.fold),
    ("shake", shake.shake),
    ("bundle", lambda sources: bundle.bundle(sources, _always_loaded(sources), BUNDLE)),
    ("literals", literals.put),
    ("simplify", simplify.simplify),
    ("unfold", unfold.unfold),
    ("tuples", tuples.plain),
    ("singles", lambda sources: singles.flatten(sources, BUNDLE, _APART)),
    ("inline", inline.inline),
    ("pool", _pooled),
    ("settle", lambda sources: settle.settle(sources, BUNDLE)),
    ("merge", lambda sources: merge.merge(sources, BUNDLE)),
    ("places", lambda sources: places.place(sources, BUNDLE)),
    ("shorten", shorten.shorten),
)
