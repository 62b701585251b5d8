"""`mcu-debugger check`: a test profile on a real MCU."""

import argparse
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from ..port import open_port
from ..role_command import add_line_options, product_of
from .bench import Bench
from .port_line import PortLine
from .profile import Profile, ProfileError, load_profile
from .report import junit_xml, result_line, summary_lines
from .rules import RULES
from .run import FAIL, Result, Run

CONFORMANCE = "conformance"

_EXAMPLES = """\
examples:
  mcu-debugger check --product heatpump.json --port /dev/ttyUSB0
      every rule of the serial manual that shows from the module's side; names each that the MCU breaks
  mcu-debugger check --profile eol.toml --port /dev/ttyUSB0 --junit result.xml
      an end-of-line test of your own: set this, expect that within, between limits, ask the person
  mcu-debugger check --list
      the rules
  mcu-debugger check --product heatpump.json --port /dev/ttyUSB0 --only ack-in-time --only heartbeat
exit: 0 when nothing failed, 1 when something did, 2 when the command or the profile is wrong
disconnect the module first: two modules on one MCU talk at once
"""
_COLOURS = {"pass": "32", "FAIL": "1;31", "skip": "33"}


def add_check(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "check",
        help="test an MCU: end of line, conformance",
        description="Run a test profile on an MCU, as its module. Without --profile: conformance to the serial manual.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", metavar="FILE", default=CONFORMANCE, help="a TOML file; default: conformance")
    parser.add_argument("--port", help="a device path, a URL of pyserial, or pty")
    add_line_options(parser)
    parser.add_argument("--link", metavar="PATH", help="with --port pty: a symlink to it")
    parser.add_argument("--product", metavar="FILE", help="product definition; wins over that of the profile")
    parser.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML")
    parser.add_argument(
        "--only", metavar="RULE", action="append", choices=list(RULES), help="this rule; may come again"
    )
    parser.add_argument("--slow", action="store_true", help="also the rules that take minutes")
    parser.add_argument("--unattended", action="store_true", help="nobody is there: skip what needs a person")
    parser.add_argument("--list", action="store_true", help="name the rules and end")
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    if args.list:
        for rule in RULES.values():
            print("%-5s %-22s %s" % (rule.section, rule.id, rule.text))
        return 0
    if not args.port:
        return _complain("check: --port is missing: the serial port that the MCU is on", 2)
    try:
        profile = _profile(args)
        product = args.product or profile.product
        schema = product_of(str(product) if product else None)[1]
        if args.junit:
            # Before the test: a name that cannot be written must not cost its result.
            Path(args.junit).write_text("", encoding="utf-8")
    except ProfileError as e:
        return _complain(e, 2)
    except OSError as e:
        return _complain("--junit %s cannot be written: %s" % (args.junit, e.strerror), 2)
    results: list[Result] = []
    port = open_port(args.port, args.baud, args.link, args.framing)
    try:
        is_attended = sys.stdin.isatty() and not args.unattended
        bench = Bench(PortLine(port), schema, args.baud)
        run = Run(profile, bench, _Terminal() if is_attended else None, args.slow)
        print("%s: %d steps on %s" % (profile.name, len(profile.steps), port.name), file=sys.stderr)
        for result in _with_progress(run, profile):
            results.append(result)
            _show(result)
    finally:
        port.close()
        if args.junit:
            Path(args.junit).write_text(junit_xml(profile.name, results), encoding="utf-8")
    print("\n".join(summary_lines(results)))
    return 1 if any(result.verdict == FAIL for result in results) else 0


def _profile(args: argparse.Namespace) -> Profile:
    if args.profile == CONFORMANCE:
        with resources.as_file(resources.files(__package__) / "conformance.toml") as path:
            profile = load_profile(path)
    else:
        profile = load_profile(Path(args.profile))
    if args.only:
        steps = [step for step in profile.steps if step.kind == "rule" and step.value in args.only]
        if not steps:
            raise ProfileError("profile %s has none of the rules %s" % (args.profile, ", ".join(args.only)))
        profile = profile._replace(steps=steps)
    return profile


def _with_progress(run: Run, profile: Profile) -> Iterator[Result]:
    """The results; at a terminal a line below them says what is being tried."""
    is_shown = sys.stderr.isatty()
    for number, result in enumerate(run.results()):
        if is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        yield result
        if is_shown and number < len(profile.steps):
            step = profile.steps[number]
            sys.stderr.write("[%d/%d] %s ..." % (number + 1, len(profile.steps), step.name or step.value))
            sys.stderr.flush()


def _show(result: Result) -> None:
    line = result_line(result)
    if sys.stdout.isatty():
        size = len(result.verdict)
        line = "\x1b[%sm%s\x1b[0m%s" % (_COLOURS[result.verdict], line[:size], line[size:])
    print(line, flush=True)


class _Terminal:
    """The person at the terminal."""

    def tell(self, text: str) -> None:
        sys.stderr.write("\r\x1b[K")
        print("** %s, then press Enter" % text, file=sys.stderr)
        sys.stdin.readline()

    def ask(self, question: str) -> bool:
        sys.stderr.write("\r\x1b[K")
        print("** %s [y/n]" % question, file=sys.stderr)
        return sys.stdin.readline().strip().lower() in ("y", "yes", "j", "ja")


def _complain(what: object, code: int) -> int:
    print("mcu-debugger: %s" % what, file=sys.stderr)
    return code
