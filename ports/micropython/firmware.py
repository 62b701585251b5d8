"""Builds what goes onto a board, in every form that its profile knows (`make firmware`).

    python ports/micropython/firmware.py [--out build/firmware] [PROFILE ...]

    <profile>/mpy/          boot.py, main.py, .mpy files, package.json: mpremote mip install --target=/ .../package.json
    <profile>/app.romfs     the .mpy files as an image of read-only flash: mpremote romfs deploy app.romfs
    <profile>/board/        what goes beside it: mpremote cp boot.py main.py loader.mpy :
    <profile>/app.files     the .mpy files as one image for `localcloud ota add`, as app.romfs is one
    <profile>/littlefs.img  the file system as a whole: esptool write-flash ADDRESS littlefs.img
    <profile>/freeze/       sources and manifest.py: make BOARD=... FROZEN_MANIFEST=.../manifest.py

README.md has the steps for each board.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import archive
import chip_tree
from chip_tree import BOOT_FILES, LOADER, ROOT, FirmwareError
from profiles import FREEZE, LITTLEFS, MPY, PROFILES, ROMFS, Profile

_BLOCK = "4096"
_MANIFEST = '''"""For a firmware with gagent in it: make BOARD=... FROZEN_MANIFEST=<this file>"""

include("$(PORT_DIR)/boards/manifest.py")
%s
'''


def build(name: str, out: Path) -> list[tuple[str, int]]:
    """Everything of one profile under `out`, which is made anew; what was made and its bytes."""
    profile = PROFILES[name]
    shutil.rmtree(out, ignore_errors=True)
    tree = out / "mpy"
    texts = chip_tree.small(chip_tree.files_of(name))
    apart = (*BOOT_FILES, LOADER)
    sizes = chip_tree.compile_texts({at: text for at, text in texts.items() if at not in apart}, tree)
    made = [("%d files of bytecode" % len(sizes), sum(sizes.values()))]
    if ROMFS in profile.forms:
        made.append(_romfs(tree, out / "app.romfs", profile))
        _board(texts, out / "board")
    if MPY in profile.forms:
        made.append(_archive(tree, out / "app.files"))
    _board(texts, tree)
    if LITTLEFS in profile.forms:
        made.append(_littlefs(tree, out / "littlefs.img", profile))
    if MPY in profile.forms:
        made.append(_package(tree))
    else:
        shutil.rmtree(tree)
    if profile.shims:
        made.append(_shims(chip_tree.PORT / profile.shims, out))
    if FREEZE in profile.forms:
        made.append(_freeze(texts, out / "freeze"))
    return made


def _board(texts: dict[str, str], folder: Path) -> None:
    """What stays as it is when the rest is upgraded."""
    chip_tree.compile_texts({LOADER: texts[LOADER]}, folder)
    _write(folder, {at: texts[at] for at in BOOT_FILES})


def _archive(tree: Path, out: Path) -> tuple[str, int]:
    return out.name, out.write_bytes(archive.pack(tree))


def _romfs(tree: Path, image: Path, profile: Profile) -> tuple[str, int]:
    _run("mpremote", "romfs", "--no-mpy", "--output", str(image), "build", str(tree))
    return _fits(image, profile.romfs_bytes)


def _littlefs(tree: Path, image: Path, profile: Profile) -> tuple[str, int]:
    size = str(profile.littlefs_bytes)
    _run("littlefs-python", "create", str(tree), str(image), "--block-size", _BLOCK, "--fs-size", size)
    return image.name, image.stat().st_size


def _package(tree: Path) -> tuple[str, int]:
    """What `mip` reads; addresses are relative to it, so that the folder can be served from anywhere."""
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    package = tree / "package.json"
    package.write_text(json.dumps({"urls": [[name, name] for name in names], "version": version}, indent=1) + "\n")
    return package.name, package.stat().st_size


def _shims(folder: Path, out: Path) -> tuple[str, int]:
    """In an image of their own: their code costs no heap, as that of a firmware does not."""
    tree = out / "shims"
    texts = {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.py"))}
    chip_tree.compile_texts(texts, tree)
    image = out / "shims.romfs"
    _run("mpremote", "romfs", "--no-mpy", "--output", str(image), "build", str(tree))
    shutil.rmtree(tree)
    return image.name, image.stat().st_size


def _freeze(texts: dict[str, str], folder: Path) -> tuple[str, int]:
    _write(folder / "sources", texts)
    packages = sorted({name.split("/")[0] for name in texts if "/" in name})
    lines = ['package("%s", base_path="sources", opt=3)' % package for package in packages]
    lines += ['module("%s", base_path="sources", opt=3)' % name for name in texts if "/" not in name]
    manifest = folder / "manifest.py"
    manifest.write_text(_MANIFEST % "\n".join(lines))
    return "%s/%s" % (folder.name, manifest.name), manifest.stat().st_size


def _write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _fits(image: Path, limit: int) -> tuple[str, int]:
    size = image.stat().st_size
    if limit and size > limit:
        raise FirmwareError("%s has %d bytes, the partition of this profile has %d" % (image, size, limit))
    return image.name, size


def _run(command: str, *arguments: str) -> None:
    result = subprocess.run([chip_tree.tool(command), *arguments], capture_output=True, text=True)
    if result.returncode:
        raise FirmwareError("%s failed: %s" % (command, (result.stderr or result.stdout).strip()))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [--out DIR] [PROFILE ...]",
    )
    parser.add_argument("profiles", nargs="*", metavar="PROFILE", help="one of: " + ", ".join(PROFILES))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "firmware", help="where to (build/firmware)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.profiles if name not in PROFILES]
    if unknown:
        parser.error("no profile %s; there are: %s" % (unknown[0], ", ".join(PROFILES)))
    try:
        for name in arguments.profiles or PROFILES:
            # Ten seconds each.
            print("building %s ..." % name, file=sys.stderr, flush=True)
            made = build(name, arguments.out / name)
            print("%s: %s" % (arguments.out / name, ", ".join("%s %d" % item for item in made)))
    except FirmwareError as error:
        print("firmware: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
