"""The repository as files: where it begins, what is ours, what is text."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# Where packages live.
PACKAGE_FOLDERS = (".", "ports/linux", "ports/micropython", "tools")

_MADE_BY_TOOLS = {"build", "dist", "state", "__pycache__", "node_modules"}


def packages() -> dict[str, Path]:
    """Import name -> folder of every top-level package of ours."""
    found = {}
    for folder in PACKAGE_FOLDERS:
        for init in sorted((ROOT / folder).glob("*/__init__.py")):
            found[init.parent.name] = init.parent
    return found


def sources(folder: Path) -> list[Path]:
    """Every Python file of a folder, as paths."""
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def chip_sources() -> list[Path]:
    """Every Python file that may run on a chip: not `names.py`, for people, nor what builds or imitates firmware."""
    port = ROOT / "ports" / "micropython"
    found = [sources(folder) for folder in (ROOT / "mcu_proto", ROOT / "gagent", port / "gagent_upy", port / "board")]
    return [path for paths in found for path in paths if path.name != "names.py"]


def text_files() -> Iterator[tuple[Path, str]]:
    """(path, text) of every text file a clone would have."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        hidden = [part for part in inside if part.startswith(".") and part not in (".ci", ".gitignore", ".github")]
        if hidden or _MADE_BY_TOOLS.intersection(inside) or inside[0].endswith(".egg-info") or not path.is_file():
            continue
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
