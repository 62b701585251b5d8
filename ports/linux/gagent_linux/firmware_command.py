"""`gagent firmware`: what the module runs, and its software packed as an image for the cloud to offer."""

import argparse
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import gagent
from gagent.firmware import VERSION_LENGTH
from mcu_proto import const

from .settings import Settings
from .slots import INSTALLED, Slots

EXAMPLES = """\
examples:
  gagent firmware show                            what runs, and what is in the slots
  gagent firmware pack 04020007 module.bin        this software as an image, for `localcloud ota add`
  gagent firmware remove                          back to the installed software at the next start
"""
# A zip has no times before this; a fixed one makes the same software the same image.
_TIME = (1980, 1, 1, 0, 0, 0)
_MAIN = "import sys\n\nfrom gagent_linux.__main__ import main\n\nsys.exit(main())\n"


def add_commands(parser: argparse.ArgumentParser, add_where: Callable[[argparse.ArgumentParser], None]) -> None:
    """The subcommands; `add_where` adds the flags that say where the state is."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="what runs, and what is in the slots")
    show.set_defaults(firmware=_show)
    pack = commands.add_parser("pack", help="this software as an image that the cloud can offer to gateways")
    pack.add_argument("version", help="8 characters; devices take it when it is greater than what they run")
    pack.add_argument("file", help="where to write the image")
    pack.set_defaults(firmware=_pack)
    remove = commands.add_parser("remove", help="back to the installed software at the next start")
    remove.set_defaults(firmware=_remove)
    for command in (show, pack, remove):
        add_where(command)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """The exit code of the subcommand."""
    code: int = arguments.firmware(arguments, settings)
    return code


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    slots = Slots(settings.state)
    state = slots.state()
    print(_row("installed", "", state.running == INSTALLED, False))
    for slot, version in sorted(state.versions.items()):
        print(_row("slot " + slot, "version " + version, state.running == slot, state.trial == slot))
    return 0


def _pack(arguments: argparse.Namespace, settings: Settings) -> int:
    version = arguments.version
    if len(version) != VERSION_LENGTH or not version.isascii() or not version.isalnum():
        print("gagent: version %r: expected %d letters and digits" % (version, VERSION_LENGTH), file=sys.stderr)
        return 2
    try:
        size = pack(arguments.file)
    except OSError as error:
        print("gagent: %s cannot be written: %s" % (arguments.file, error.strerror), file=sys.stderr)
        return 1
    print("%s: %d bytes, software version %s, hardware version 000LINUX" % (arguments.file, size, version))
    return 0


def _remove(arguments: argparse.Namespace, settings: Settings) -> int:
    Slots(settings.state).remove()
    print("the installed software runs from the next start on")
    return 0


def _row(place: str, version: str, runs: bool, on_trial: bool) -> str:
    mark = "runs" if runs else "on trial at the next start" if on_trial else ""
    return "  ".join([place.ljust(9), version.ljust(16), mark]).rstrip()


def pack(path: str) -> int:
    """Write this software as an image that a slot can run; its size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "__main__.py", _MAIN.encode())
        for folder in (Path(const.__file__).parent, Path(gagent.__file__).parent, Path(__file__).parent):
            for file in sorted(folder.glob("*.py")):
                _add(archive, "%s/%s" % (folder.name, file.name), file.read_bytes())
    return os.path.getsize(path)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED)
