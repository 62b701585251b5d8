"""The `mcu-debugger` command: be an MCU on a serial line, or read frames aloud.

Standard output is the result, standard error the story; exit 0 good, 1 failed, 2 misused.
"""

import argparse
import os
import sys

from mcu_proto.datapoint import Schema
from mcu_proto.errors import LocalError

from .console import Console
from .hexdump import HexError, decode_lines, parse_hex
from .port import PortError, open_port
from .product import ProductError, load_product
from .screen import open_screen
from .script import ScriptError, ScriptRun, parse_script
from .simulator import McuSimulator

_SIM_EXAMPLES = """\
examples:
  mcu-debugger sim --product heatpump.json --port pty --link /tmp/mcu
      an appliance on a new pseudo-terminal; give a module /tmp/mcu as its serial port, then type `help`
  mcu-debugger sim --product heatpump.json --port /dev/ttyUSB0
      the same for a real module on a USB adapter (cross RX and TX, common ground, 3.3 V)
  mcu-debugger sim --product heatpump.json --port socket://192.168.1.7:4001 --script test.txt
      scripted, over a network serial server; exit 0 when every `expect` of the script was met

script lines (`#` begins a comment):
  set water_in 31.5 pump on          any command of the console, see `help` there
  after 2s raise alert_frost         a while after the line before
  every 5s time                      again and again
  expect online within 60s           wait for the module to be in the cloud
  expect power true within 10s       wait for the attribute to have the value
  quit
"""

_DECODE_EXAMPLES = """\
examples:
  mcu-debugger decode ff ff 00 07 0d 01 00 00 07 1a 36
  mcu-debugger decode --product heatpump.json ffff0006030f0000021a
  grep -o 'rx .*' serial.log | cut -c4- | mcu-debugger decode -
exit: 0 when everything was good frames, 1 when not
"""


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except (ProductError, ScriptError, HexError) as e:
        return _complain(e, 2)
    except PortError as e:
        return _complain(e, 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has seen enough; keep the interpreter's last flush from failing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mcu-debugger", description="Tools for the serial line of a module and an MCU."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    sim = commands.add_parser(
        "sim",
        help="be an MCU on a serial line",
        description="Play the MCU of a product on a serial line. Type `help` when it runs.",
        epilog=_SIM_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sim.add_argument(
        "--product", required=True, metavar="FILE", help="product definition, datapoint JSON of the Open API"
    )
    sim.add_argument("--port", required=True, help="pty, a device path, or a URL of pyserial")
    sim.add_argument("--baud", type=int, default=9600, help="speed of the line (default 9600)")
    sim.add_argument("--link", metavar="PATH", help="with --port pty: a symlink to it, gone when the simulator ends")
    sim.add_argument("--script", metavar="FILE", help="lines to perform and expect, see below")
    sim.add_argument("--plain", action="store_true", help="plain lines, no colour and no prompt, even on a terminal")
    sim.set_defaults(run=_sim)

    decode = commands.add_parser(
        "decode",
        help="hex to words",
        description="Tell in words which frames some hex bytes hold.",
        epilog=_DECODE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    decode.add_argument(
        "hex", nargs="+", metavar="HEX", help="bytes in hex, spaces and 0x allowed; - reads standard input"
    )
    decode.add_argument("--product", metavar="FILE", help="product definition: shows attributes instead of hex")
    decode.set_defaults(run=_decode)
    return parser


def _sim(args: argparse.Namespace) -> int:
    definition = load_product(args.product)
    try:
        simulator = McuSimulator(definition, baud=args.baud)
    except LocalError as e:
        raise ProductError("product file %s: %s" % (args.product, e)) from None
    script = ScriptRun(_load_script(args.script, simulator.schema), simulator) if args.script else None
    if args.link and args.port != "pty":
        return _complain("--link goes with --port pty only; a real port has its name already", 2)
    if args.baud < 1:
        return _complain("--baud is %d, expected a speed like 9600" % args.baud, 2)
    port = open_port(args.port, args.baud, args.link)
    try:
        screen = open_screen(sys.stdout, args.plain)
        name = definition.get("name") or simulator.schema.product_key
        greeting = "MCU of %s on %s%s" % (name, port.name, ", link " + args.link if args.link else "")
        stdin = sys.stdin.fileno() if sys.stdin is not None and not sys.stdin.closed else None
        return Console(simulator, port, screen, script, stdin).run(greeting)
    finally:
        port.close()


def _decode(args: argparse.Namespace) -> int:
    text = sys.stdin.read() if args.hex == ["-"] else " ".join(args.hex)
    schema = Schema.from_definition(load_product(args.product)) if args.product else None
    lines, good = decode_lines(parse_hex(text), schema)
    for line in lines:
        print(line)
    return 0 if good else 1


def _load_script(path: str, schema: Schema) -> list:
    try:
        with open(path, encoding="utf-8") as file:
            return parse_script(file.read(), schema)
    except OSError as e:
        raise ScriptError("script %s cannot be read: %s" % (path, e.strerror)) from None
    except UnicodeDecodeError:
        raise ScriptError("script %s is not text" % path) from None
    except ScriptError as e:
        raise ScriptError("script %s, %s" % (path, e)) from None


def _complain(what: object, code: int) -> int:
    print("mcu-debugger: %s" % what, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
