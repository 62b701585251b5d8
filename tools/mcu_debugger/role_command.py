"""What the commands that play a role on a line share: options, the choice of a view, the recording, the end."""

import argparse
import sys

from mcu_proto.datapoint import Schema

from .capture.writer import CaptureWriter
from .console import Console
from .port import PtyPort, SerialPort
from .printer import JsonPrinter, LinePrinter
from .product import load_product
from .screen import open_screen
from .script import ScriptError, ScriptRun, parse_script
from .session import Role, Session

# Whoever is at the far end of each line.
Lines = dict[int | None, PtyPort | SerialPort]


class UsageError(Exception):
    """Options that do not go together; the text says why."""


def add_view_options(parser: argparse.ArgumentParser) -> None:
    """How it is shown and kept."""
    parser.add_argument("--plain", action="store_true", help="lines instead of the full screen")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    parser.add_argument("-v", action="count", default=0, dest="verbosity", help="show frames; -vv: their bytes too")
    parser.add_argument("--capture", metavar="FILE", help="record what crosses the line (.gz: compressed)")
    parser.add_argument(
        "--rotate", type=_size, default=0, metavar="SIZE", help="begin a new file after so much, like 100M"
    )
    parser.add_argument(
        "--keep", type=_keep, default=0, metavar="N", help="keep only so many older files (default: all)"
    )


def add_line_options(parser: argparse.ArgumentParser) -> None:
    """How the line is."""
    parser.add_argument("--baud", type=speed, default=9600, help="speed of the line (default 9600)")
    parser.add_argument("--framing", type=framing, default="8N1", help="data bits, parity, stop bits (default 8N1)")


def speed(text: str) -> int:
    """A baud rate."""
    if not text.isdecimal() or not 50 <= int(text) <= 12_000_000:
        raise argparse.ArgumentTypeError("%s is no speed, expected one like 9600" % text)
    return int(text)


def framing(text: str) -> str:
    """Data bits, parity, stop bits."""
    if len(text) != 3 or text[0] not in "5678" or text[1].upper() not in "NEOMS" or text[2] not in "12":
        raise argparse.ArgumentTypeError("%s is no framing, expected one like 8N1" % text)
    return text.upper()


def product_of(path: str | None) -> tuple[dict | None, Schema | None]:
    """(definition, schema) of a product file, None without one."""
    if path is None:
        return None, None
    definition = load_product(path)
    return definition, Schema.from_definition(definition)


def script_of(path: str | None, player: object, role: Role, schema: Schema | None, facts: tuple) -> ScriptRun | None:
    """The script in the file, ready to run; ScriptError names the line that cannot work."""
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return ScriptRun(parse_script(file.read(), schema, role.commands, facts), player)
    except OSError as e:
        raise ScriptError("script %s cannot be read: %s" % (path, e.strerror)) from None
    except UnicodeDecodeError:
        raise ScriptError("script %s is not text" % path) from None
    except ScriptError as e:
        raise ScriptError("script %s, %s" % (path, e)) from None


def play(session: Session, args: argparse.Namespace) -> int:
    """Run the session in the view that the options and the terminal ask for; the exit code."""
    writer = None
    if args.capture:
        writer = CaptureWriter(args.capture, session.title, args.rotate, args.keep)
        writer.open()
        session.record(writer)
    try:
        if _wants_full_screen(args):
            # Loaded here: a pipe never pays for it.
            from .ui import run_ui

            return run_ui(session)
        return Console(session, _printer(session, args), _stdin(session)).run()
    finally:
        if writer is not None:
            writer.close()
            if writer.error:
                print("mcu-debugger: %s" % writer.error, file=sys.stderr)


def _wants_full_screen(args: argparse.Namespace) -> bool:
    if args.plain or args.json or args.verbosity or getattr(args, "script", None):
        return False
    return sys.stdout.isatty() and sys.stdin is not None and sys.stdin.isatty()


def _printer(session: Session, args: argparse.Namespace) -> LinePrinter | JsonPrinter:
    if args.json:
        return JsonPrinter(sys.stdout)
    # Who only listens came for the frames.
    verbosity = max(args.verbosity, 0 if session.role in ("sim", "module") else 1)
    return LinePrinter(open_screen(sys.stdout), session.schema, verbosity)


def _stdin(session: Session) -> int | None:
    if not session.commands or sys.stdin is None or sys.stdin.closed:
        return None
    return sys.stdin.fileno()


def _keep(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("%s is no number of files, expected one like 10" % text)
    return int(text)


def _size(text: str) -> int:
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in _SIZES else (text, "")
    if not number.isdecimal() or int(number) == 0:
        raise argparse.ArgumentTypeError("%s is no size, expected one like 100M" % text)
    return int(number) * _SIZES[unit]


_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
