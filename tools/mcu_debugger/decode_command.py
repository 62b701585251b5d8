"""`mcu-debugger decode`: hex from anywhere to words."""

import argparse
import sys

from .hexdump import decode_lines, parse_hex
from .inspector import inspect_lines
from .role_command import product_of

_EXAMPLES = """\
examples:
  mcu-debugger decode ff ff 00 07 0d 01 00 00 07 1a 36
  mcu-debugger decode --product heatpump.json ffff0006030f0000021a
  mcu-debugger decode --bytes --product heatpump.json ffff0006030f0000021a
      the frame inspector: every byte with its meaning
  grep -o 'rx .*' serial.log | cut -c4- | mcu-debugger decode -
exit: 0 when everything was good frames, 1 when not
"""


def add_decode(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "decode",
        help="hex to words",
        description="Tell in words which frames some hex bytes hold.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "hex", nargs="+", metavar="HEX", help="bytes in hex, spaces and 0x allowed; - reads standard input"
    )
    parser.add_argument("--product", metavar="FILE", help="product definition: shows attributes instead of hex")
    parser.add_argument("--bytes", action="store_true", help="the frame inspector: every byte with its meaning")
    parser.set_defaults(run=_decode)


def _decode(args: argparse.Namespace) -> int:
    text = sys.stdin.read() if args.hex == ["-"] else " ".join(args.hex)
    data = parse_hex(text)
    schema = product_of(args.product)[1]
    lines, good = decode_lines(data, schema)
    if args.bytes:
        lines = inspect_lines(data, schema)
    for line in lines:
        print(line)
    return 0 if good else 1
