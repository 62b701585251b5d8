"""`mcu-debugger sim`: be the MCU on a line."""

import argparse

from mcu_proto.const import MODULE
from mcu_proto.errors import AttrError, LocalError
from mcu_proto.transfer import DEFAULT_PIECE, MAX_PIECE

from .bootloader import BootOptions
from .commands import CommandError
from .flash import FlashFolder, MemoryFlash
from .paced_pty import PacedPty
from .port import Port, PtyPort, open_port
from .product import ProductError, load_product
from .role_command import UsageError, add_line_options, add_view_options, play, script_of
from .session import Role, Session
from .sim_commands import COMMANDS, misbehave, parse_misbehaviour
from .simulator import FACTS, McuSimulator
from .value_text import units_of
from .view import event_line
from .waveform import WaveError, parse_waves

_EXAMPLES = """\
examples:
  mcu-debugger sim --product heatpump.json --port pty --link /tmp/mcu
      an appliance on a new pseudo-terminal; give a module /tmp/mcu as its serial port, then type `help`
  mcu-debugger sim --product heatpump.json --port /dev/ttyUSB0
      the same for a real module on a USB adapter (cross RX and TX, common ground, 3.3 V)
  mcu-debugger sim --product heatpump.json --port socket://192.168.1.7:4001 --script test.txt
      scripted, over a network serial server; exit 0 when every `expect` of the script was met
  mcu-debugger sim --product heatpump.json --port /dev/ttyUSB0 --wave 'water_in sine 20 35 60s'
      sensors that move by themselves; --waves FILE has such lines
  mcu-debugger sim --product heatpump.json --port /dev/ttyUSB0 --misbehave 'checksum 3' --misbehave 'slow 300ms'
      three wrong checksums, and everything late; `misbehave list` at the prompt has all faults
  mcu-debugger sim --product heatpump.json --port /dev/ttyUSB0 --flash mcu-flash --piece 128
      firmware that is sent to it is kept in the folder mcu-flash and boots from there at the next start

script lines (`#` begins a comment):
  set water_in 31.5 pump on          any command of the console, see `help` there
  after 2s raise alert_frost         a while after the line before
  every 5s time                      again and again
  expect online within 60s           wait for the module to be in the cloud
  expect power true within 10s       wait for the attribute to have the value
  expect version 01000002 within 5m  wait for the firmware to be installed
  quit
"""


def add_sim(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "sim",
        help="be an MCU on a serial line",
        description="Play the MCU of a product on a serial line. Type `help` when it runs.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--product", required=True, metavar="FILE", help="product definition, datapoint JSON of the Open API"
    )
    parser.add_argument("--port", required=True, help="pty, a device path, or a URL of pyserial")
    parser.add_argument("--link", metavar="PATH", help="with --port pty: a symlink to it, gone when the simulator ends")
    add_line_options(parser)
    parser.add_argument("--pace", action="store_true", help="with --port pty: bytes take as long as on a real line")
    parser.add_argument("--script", metavar="FILE", help="lines to perform and expect, see below")
    parser.add_argument("--wave", action="append", default=[], metavar="WAVE", help="an attribute that moves by itself")
    parser.add_argument("--waves", metavar="FILE", help="the same, one a line")
    parser.add_argument("--misbehave", action="append", default=[], metavar="FAULT", help="a fault from the beginning")
    parser.add_argument("--soft-ver", metavar="VERSION", default="01000001", help="software version that it has")
    parser.add_argument("--hard-ver", metavar="VERSION", default="01000001", help="hardware version that it has")
    parser.add_argument("--flash", metavar="DIR", help="keep firmware that it takes in this folder, and boot it")
    parser.add_argument(
        "--new-version", metavar="VERSION", help="version of firmware it takes; else SOFT_VER=... in it"
    )
    parser.add_argument(
        "--piece", type=_piece, default=DEFAULT_PIECE, metavar="BYTES", help="firmware pieces to ask for (default 256)"
    )
    parser.add_argument("--hex", action="store_true", help="ask for firmware as lines of HEX text")
    add_view_options(parser)
    parser.set_defaults(run=_sim)


def _sim(args: argparse.Namespace) -> int:
    definition = load_product(args.product)
    flash = FlashFolder(args.flash) if args.flash else MemoryFlash()
    boot = BootOptions(flash, args.new_version, args.piece, args.hex)
    try:
        simulator = McuSimulator(
            definition,
            hard_ver=args.hard_ver,
            soft_ver=flash.soft_ver() or args.soft_ver,
            baud=args.baud,
            boot=boot,
        )
    except LocalError as e:
        raise ProductError("product file %s: %s" % (args.product, e)) from None
    role = Role("sim", simulator, COMMANDS, event_line)
    script = script_of(args.script, simulator, role, simulator.schema, FACTS)
    if args.link and args.port != "pty":
        raise UsageError("--link goes with --port pty only; a real port has its name already")
    if args.pace and args.port != "pty":
        raise UsageError("--pace goes with --port pty only; a real line takes its time by itself")
    _order(args, simulator)
    port: Port = open_port(args.port, args.baud, args.link, args.framing)
    if isinstance(port, PtyPort) and args.pace:
        port = PacedPty(port, args.baud)
    try:
        name = definition.get("name") or simulator.schema.product_key
        title = "MCU of %s on %s%s" % (name, port.name, ", link " + args.link if args.link else "")
        session = Session(role, title, {MODULE: port}, simulator.schema, script)
        session.units = units_of(definition)
        return play(session, args)
    finally:
        port.close()


def _order(args: argparse.Namespace, simulator: McuSimulator) -> None:
    """Waveforms and faults from the beginning."""
    lines = "\n".join(args.wave)
    try:
        if args.waves:
            with open(args.waves, encoding="utf-8") as file:
                lines += "\n" + file.read()
        for wave in parse_waves(lines, simulator.schema):
            simulator.waves.play(wave, 0)
        for fault in args.misbehave:
            misbehave(simulator, parse_misbehaviour(fault.split()), 0)
    except OSError as e:
        raise UsageError("waveforms %s cannot be read: %s" % (args.waves, e.strerror)) from None
    except (WaveError, AttrError) as e:
        raise UsageError("waveforms, %s" % e) from None
    except CommandError as e:
        raise UsageError("--misbehave: %s" % e) from None


def _piece(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PIECE:
        raise argparse.ArgumentTypeError("%s is no piece size, expected 1 to %d" % (text, MAX_PIECE))
    return int(text)
