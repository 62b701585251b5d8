"""`mcu-debugger crc`: checksums of bytes, and which checksum a frame ends with."""

import argparse
import sys

from .checksum import Algorithm, ChecksumError, algorithm, algorithms, of_polynomial, unstuffed, which
from .hexdump import parse_hex
from .view import table_lines

_EXAMPLES = """\
examples:
  mcu-debugger crc 00 05 07 1a 00 00
      the byte sum of the protocol, from len to the end of the payload: 26
  mcu-debugger crc --name modbus 01 03 00 00 00 0a
  mcu-debugger crc --poly 0x11021 --init 0xffff 31 32 33 34 35 36 37 38 39
      any CRC: polynomial with its leading 1, --reflected, --xor
  mcu-debugger crc --which ff ff 00 05 07 1a 00 00 26
      which checksum is this? every known one, from every start, in both byte orders; exit 1 when none fits
  mcu-debugger crc --list
"""


def add_crc(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "crc",
        help="checksums",
        description="Compute a checksum, or find out which one a frame has.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("hex", nargs="*", metavar="HEX", help="bytes in hex; - reads standard input")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--name", default="sum8", help="which one, see --list (default sum8)")
    kind.add_argument("--poly", type=_number, metavar="NUMBER", help="a CRC by its polynomial")
    kind.add_argument("--which", action="store_true", help="which checksum do these bytes end with?")
    kind.add_argument("--list", action="store_true", help="all that are known by name")
    parser.add_argument("--init", type=_number, default=0, metavar="NUMBER", help="with --poly: where it begins")
    parser.add_argument("--xor", type=_number, default=0, metavar="NUMBER", help="with --poly: xored at the end")
    parser.add_argument("--reflected", action="store_true", help="with --poly: least significant bit first")
    parser.set_defaults(run=_crc)


def _crc(args: argparse.Namespace) -> int:
    if args.list:
        for line in table_lines(("name", "bytes", ""), [(a.name, str(a.size), a.about) for a in algorithms()]):
            print(line)
        return 0
    data = parse_hex(sys.stdin.read() if args.hex == ["-"] else " ".join(args.hex))
    if not data:
        raise ChecksumError("expected bytes in hex")
    if args.which:
        return _which(data)
    chosen = (
        algorithm(args.name) if args.poly is None else of_polynomial(args.poly, args.init, args.reflected, args.xor)
    )
    print(_value(chosen, data))
    return 0


def _which(data: bytes) -> int:
    plain = unstuffed(data)
    matches = list(which(plain))
    for match in matches:
        order = "" if match.algorithm.size == 1 else ", %s byte first" % ("high" if match.order == "big" else "low")
        print(
            "%s over bytes %d to %d%s"
            % (match.algorithm.name, match.start, len(plain) - match.algorithm.size - 1, order)
        )
    if not matches:
        print("mcu-debugger: no known checksum fits the end of these %d bytes" % len(plain), file=sys.stderr)
    return 0 if matches else 1


def _value(chosen: Algorithm, data: bytes) -> str:
    return chosen.compute(data).to_bytes(chosen.size, "big").hex(" ")


def _number(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError("%s is no number, expected one like 0x11021" % text)
    return number
