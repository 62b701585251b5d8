"""`mcu-debugger module`: be the module on a line, to test an MCU with no cloud and no Wi-Fi."""

import argparse
import time

from mcu_proto.const import MCU

from .commands import CommandError
from .duration import DurationError, parse_duration
from .module_commands import COMMANDS, parse_status
from .module_lines import module_line
from .module_player import FACTS, ModulePlayer
from .port import open_port
from .role_command import UsageError, add_line_options, add_view_options, play, product_of, script_of
from .session import Role, Session
from .value_text import units_of

_EXAMPLES = """\
examples:
  mcu-debugger module --product heatpump.json --port /dev/ttyUSB0
      shake hands with the MCU there, then type `help`: set power on, read, status cloud, firmware new.bin ...
  mcu-debugger module --port /dev/ttyUSB0 --status cloud --tz 60
      any MCU, its P0 in hex; it is told at once that we are in the cloud, and the time of UTC+1
  mcu-debugger module --product heatpump.json --port /dev/ttyUSB0 --script upgrade.txt
      scripted; exit 0 when every `expect` of the script was met

script lines (`#` begins a comment):
  expect ready within 10s            the MCU answered the handshake
  set power on target_temp 41.5      any command of the console, see `help` there
  expect power true within 2s        the MCU reported it
  firmware new.bin
  expect sent within 5m              every piece was taken
  expect version 01000002 within 60s the MCU came back with it
  quit
"""


def add_module(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "module",
        help="be the module on a serial line",
        description="Play the module on a serial line. Type `help` when it runs.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--product", metavar="FILE", help="product definition: attributes by name")
    parser.add_argument("--port", required=True, help="pty, a device path, or a URL of pyserial")
    parser.add_argument("--link", metavar="PATH", help="with --port pty: a symlink to it, gone at the end")
    add_line_options(parser)
    parser.add_argument("--script", metavar="FILE", help="lines to perform and expect, see below")
    parser.add_argument("--status", metavar="WORD", default="off", help="module status at the beginning (default off)")
    parser.add_argument("--heartbeat", metavar="TIME", default="55s", help="silence before a heartbeat, 0s: none")
    parser.add_argument("--tz", type=int, default=0, metavar="MINUTES", help="time zone for the MCU, east of UTC")
    parser.add_argument("--no-time", action="store_true", help="tell the MCU that the time is not known")
    add_view_options(parser)
    parser.set_defaults(run=_module)


def _module(args: argparse.Namespace) -> int:
    definition, schema = product_of(args.product)
    if args.link and args.port != "pty":
        raise UsageError("--link goes with --port pty only; a real port has its name already")
    try:
        status = parse_status([args.status], schema)
        heartbeat = parse_duration(args.heartbeat)
    except (CommandError, DurationError) as e:
        raise UsageError(str(e)) from None
    utc = (lambda: 0) if args.no_time else (lambda: int(time.time()))
    player = ModulePlayer(schema, utc, tz_minutes=args.tz, baud=args.baud, heartbeat=heartbeat, status=status)
    role = Role("module", player, COMMANDS, module_line)
    script = script_of(args.script, player, role, schema, FACTS)
    port = open_port(args.port, args.baud, args.link, args.framing)
    try:
        name = " for %s" % (definition.get("name") or schema.product_key) if definition and schema else ""
        title = "module%s on %s%s" % (name, port.name, ", link " + args.link if args.link else "")
        session = Session(role, title, {MCU: port}, schema, script)
        session.units = units_of(definition or {})
        return play(session, args)
    finally:
        port.close()
