"""`mcu-debugger tap`, `bridge` and `replay`: listen to a line, sit in the middle of it, play it again."""

import argparse
import sys

from mcu_proto.const import MCU, MODULE

from .bridge import Bridge, bridge_line
from .bridge_rules import RuleError, parse_rule
from .capture.load import load_capture
from .listen_commands import BRIDGE_COMMANDS, TAP_COMMANDS
from .port import open_port
from .replay import Replay
from .role_command import Lines, UsageError, add_line_options, add_view_options, play, product_of
from .session import Role, Session
from .tap import Tap
from .value_text import units_of

_TAP_EXAMPLES = """\
examples:
  mcu-debugger tap --module /dev/ttyUSB0 --mcu /dev/ttyUSB1 --product heatpump.json --capture line.jsonl.gz
      two adapters, the RX of each on one line: what the module sends, what the MCU sends, merged by time
  mcu-debugger tap --port /dev/ttyUSB0 --json | jq 'select(.kind == "bad")'
      one adapter on a wire that carries both (RX on both TX over diodes): the commands tell who speaks
"""

_BRIDGE_EXAMPLES = """\
examples:
  mcu-debugger bridge --module /dev/ttyUSB0 --mcu /dev/ttyUSB1 --product heatpump.json
      cut the line between them, one adapter to each end; everything passes unchanged and is shown
  mcu-debugger bridge --module /dev/ttyUSB0 --mcu /dev/ttyUSB1 \\
        --rule 'drop cmd 06 times 2' --rule 'delay 300ms from mcu'
      lose two acks of reports, and make the MCU slow

rules: ACTION [VALUE] [CONDITION VALUE ...], the first that applies decides; in their direction frames pass when whole
  drop | corrupt | cut | twice | delay TIME | replace HEX
  from module|mcu    cmd XX    action XX    chance N%    nth N    times N
"""

_REPLAY_EXAMPLES = """\
examples:
  mcu-debugger replay line.jsonl.gz --port /dev/ttyUSB0 --from mcu
      to a module: everything the MCU sent, with the pauses it had
  mcu-debugger replay line.jsonl --port pty --link /tmp/mcu --from mcu --speed 10
      ten times as fast; 0 leaves all pauses out
"""


def add_tap(commands: argparse._SubParsersAction) -> None:
    parser = _parser(commands, "tap", "listen to a line", "Listen to a line and say nothing.", _TAP_EXAMPLES)
    parser.add_argument("--module", metavar="PORT", help="adapter whose RX hears what the module sends")
    parser.add_argument("--mcu", metavar="PORT", help="adapter whose RX hears what the MCU sends")
    parser.add_argument("--port", help="one adapter that hears both")
    _finish(parser, _tap)


def add_bridge(commands: argparse._SubParsersAction) -> None:
    about = "Pass everything between module and MCU, show it, and meddle with it by rule."
    parser = _parser(commands, "bridge", "sit between module and MCU", about, _BRIDGE_EXAMPLES)
    parser.add_argument("--module", required=True, metavar="PORT", help="adapter that the module is on")
    parser.add_argument("--mcu", required=True, metavar="PORT", help="adapter that the MCU is on")
    parser.add_argument("--rule", action="append", default=[], metavar="RULE", help="meddle, see below")
    _finish(parser, _bridge)


def add_replay(commands: argparse._SubParsersAction) -> None:
    parser = _parser(commands, "replay", "play a capture to a port", "Play a capture to a port.", _REPLAY_EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="capture, or anything that `capture import` takes")
    parser.add_argument("--port", required=True, help="pty, a device path, or a URL of pyserial")
    parser.add_argument("--link", metavar="PATH", help="with --port pty: a symlink to it, gone at the end")
    parser.add_argument("--from", choices=("module", "mcu", "both"), default="both", dest="whose", help="whose bytes")
    parser.add_argument("--speed", type=_factor, default=1.0, help="2: twice as fast, 0: no pauses (default 1)")
    _finish(parser, _replay)


def _parser(
    commands: argparse._SubParsersAction, name: str, short: str, about: str, epilog: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=short, description=about, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def _finish(parser: argparse.ArgumentParser, run: object) -> None:
    add_line_options(parser)
    parser.add_argument("--product", metavar="FILE", help="product definition: shows attributes instead of hex")
    add_view_options(parser)
    parser.set_defaults(run=run)


def _tap(args: argparse.Namespace) -> int:
    where: dict[int | None, str | None] = {None: args.port} if args.port else {MODULE: args.module, MCU: args.mcu}
    if (args.port is None) == (args.module is None or args.mcu is None):
        raise UsageError("tap: expected --module PORT and --mcu PORT, or --port PORT for one adapter that hears both")
    role = Role("tap", Tap(), TAP_COMMANDS, lambda event: "")
    return _on_lines(role, "listening to", where, args)


def _bridge(args: argparse.Namespace) -> int:
    try:
        rules = [parse_rule(rule.split()) for rule in args.rule]
    except RuleError as e:
        raise UsageError("--rule: %s" % e) from None
    # A view in another thread must not keep the line waiting: a byte in is a byte out.
    sys.setswitchinterval(0.0005)
    role = Role("bridge", Bridge(rules), BRIDGE_COMMANDS, bridge_line)
    return _on_lines(role, "bridge between", {MODULE: args.module, MCU: args.mcu}, args)


def _replay(args: argparse.Namespace) -> int:
    if args.link and args.port != "pty":
        raise UsageError("--link goes with --port pty only; a real port has its name already")
    senders = {"module": (MODULE,), "mcu": (MCU,), "both": (MODULE, MCU, None)}[args.whose]
    player = Replay(load_capture(args.file), senders, args.speed)
    to = {"module": MCU, "mcu": MODULE, "both": None}[args.whose]
    definition, schema = product_of(args.product)
    port = open_port(args.port, args.baud, args.link, args.framing)
    try:
        title = "%s to %s%s" % (args.file, port.name, ", link " + args.link if args.link else "")
        session = Session(Role("replay", player, TAP_COMMANDS, lambda event: ""), title, {to: port}, schema)
        session.units = units_of(definition or {})
        result = play(session, args)
    finally:
        port.close()
    print("mcu-debugger: %d chunks played" % player.played, file=sys.stderr)
    return result


def _on_lines(role: Role, verb: str, where: dict, args: argparse.Namespace) -> int:
    definition, schema = product_of(args.product)
    lines: Lines = {}
    try:
        for sender, path in where.items():
            lines[sender] = open_port(path, args.baud, None, args.framing)
        title = "%s %s" % (verb, " and ".join(port.name for port in lines.values()))
        session = Session(role, title, lines, schema)
        session.units = units_of(definition or {})
        return play(session, args)
    finally:
        for port in lines.values():
            port.close()


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = -1.0
    if not 0 <= factor <= 1000:
        raise argparse.ArgumentTypeError("%s is no speed, expected a number like 0.5, 1 or 10" % text)
    return factor
