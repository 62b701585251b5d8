"""`mcu-debugger codes`: QR code, bind signature, identifiers, status word."""

import argparse
import getpass
import sys
import time

from .codes import CodeError, find_kind, parse_status, qr_code, qr_text, signature, status_lines, write_image

_EXAMPLES = """\
examples:
  mcu-debugger codes qr --product-key 6f9c2d5b8e1a4073b7d4e6a1c05f3982 --did 2tqRa88FgaUS5AxgARVYug
      asks for the passcode and shows the QR code with which an app binds the device
  mcu-debugger codes qr --product-key 6f9c2d5b8e1a4073b7d4e6a1c05f3982 --mac f0fe6b000001 --output label.svg
      the code of a device that has no did yet, as a file to print (.svg or .png)
  mcu-debugger codes sign
      asks for the product secret; X-Gizwits-Timestamp and X-Gizwits-Signature of POST /app/bind_mac
  mcu-debugger codes check f0:fe:6b:00:00:01 2tqRa88FgaUS5AxgARVYug
      is it a mac, a did, a product key, and is it right? exit 1 when one is not
  mcu-debugger codes status 073a
      every bit of a module status word
secrets are asked for at a terminal, else read from the first line of standard input: an argument would stand in `ps`
"""


def add_codes(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "codes",
        help="QR code, bind signature, identifiers, status word",
        description="The small calculators that go with a device.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(required=True, metavar="WHAT")

    qr = kinds.add_parser("qr", help="the QR code with which an app binds a device")
    qr.add_argument("--product-key", required=True, metavar="KEY", help="32 hex digits")
    qr.add_argument("--did", default="", help="22 letters and digits; the passcode is asked for")
    qr.add_argument("--mac", default="", help="12 hex digits: instead of the did, or along with it")
    qr.add_argument("--output", metavar="FILE", help="a .png or .svg file, for its owner only; default: the terminal")
    qr.set_defaults(run=_qr)

    sign = kinds.add_parser("sign", help="signature of a binding by mac")
    sign.add_argument("--timestamp", type=int, metavar="SECONDS", help="Unix time; default now")
    sign.set_defaults(run=_sign)

    check = kinds.add_parser("check", help="what an identifier is and whether it is right")
    check.add_argument("text", nargs="+", metavar="TEXT", help="product keys, dids, macs, IMEIs")
    check.set_defaults(run=_check)

    status = kinds.add_parser("status", help="every bit of a module status word")
    status.add_argument("word", metavar="HEX", help="like 073a")
    status.set_defaults(run=_status)


def _qr(args: argparse.Namespace) -> int:
    try:
        passcode = _secret("passcode") if args.did else ""
        text = qr_text(args.product_key, args.did, passcode, args.mac)
        code = qr_code(text)
        if args.output:
            write_image(code, args.output)
            print("written to %s" % args.output, file=sys.stderr)
        else:
            code.terminal(out=sys.stdout, compact=True)
    except CodeError as e:
        return _complain(e)
    return 0


def _sign(args: argparse.Namespace) -> int:
    stamp = int(time.time()) if args.timestamp is None else args.timestamp
    try:
        text = signature(_secret("product secret"), stamp)
    except CodeError as e:
        return _complain(e)
    print("X-Gizwits-Timestamp: %d\nX-Gizwits-Signature: %s" % (stamp, text))
    return 0


def _check(args: argparse.Namespace) -> int:
    findings = [find_kind(text) for text in args.text]
    for text, finding in zip(args.text, findings, strict=True):
        print("%s  %s  %s: %s" % ("good" if finding.good else "BAD ", text, finding.kind, finding.about))
    return 0 if all(finding.good for finding in findings) else 1


def _status(args: argparse.Namespace) -> int:
    try:
        print("\n".join(status_lines(parse_status(args.word))))
    except CodeError as e:
        return _complain(e)
    return 0


def _secret(what: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass("%s: " % what).strip()
    return sys.stdin.readline().strip()


def _complain(error: CodeError) -> int:
    print("mcu-debugger: %s" % error, file=sys.stderr)
    return 2
