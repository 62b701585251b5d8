"""`mcu-debugger auto`: find out how fast a line is, and how its bytes are framed."""

import argparse
import select
import sys
import time

from mcu_proto.const import CMD_GET_INFO
from mcu_proto.frame import encode_frame

from .duration import DurationError, parse_duration
from .line_finder import Score, Setting, best, candidates, is_certain, score
from .port import SerialPort
from .role_command import UsageError

_EXAMPLES = """\
examples:
  mcu-debugger auto --port /dev/ttyUSB0
      listen at every speed for 2 s, likely ones first, until frames are heard
  mcu-debugger auto --port /dev/ttyUSB0 --ask --listen 500ms
      an MCU that is silent: ask it who it is at every speed (only where no module is on the line)
prints the setting that fits, like `9600 8N1`; exit 1 when none does
"""
_POLL_S = 0.02
_READ_LIMIT = 65536


def add_auto(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "auto",
        help="find baud rate and framing of a line",
        description="Find baud rate and framing of a line that speaks the protocol.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", required=True, help="a device path, or a URL of pyserial")
    parser.add_argument("--listen", default="2s", metavar="TIME", help="how long at each setting (default 2s)")
    parser.add_argument("--ask", action="store_true", help="send the handshake of a module, for an MCU that is silent")
    parser.set_defaults(run=_auto)


def _auto(args: argparse.Namespace) -> int:
    try:
        listen_s = parse_duration(args.listen) / 1000
    except DurationError as e:
        raise UsageError("--listen: %s" % e) from None
    if args.port == "pty":
        raise UsageError("--port pty has no speed; name a real port")
    found = best(_try_all(args.port, listen_s, args.ask))
    if found is None:
        print(
            "mcu-debugger: no frame was heard at any setting: is RX on the line, and is anybody talking?",
            file=sys.stderr,
        )
        return 1
    print("%d %s" % found.setting)
    return 0


def _try_all(where: str, listen_s: float, asks: bool) -> list[Score]:
    """Scores up to the first that is certain; the story goes to standard error."""
    scores: list[Score] = []
    port: SerialPort | None = None
    try:
        for setting in candidates():
            if port is None:
                port = SerialPort(where, setting.baud, setting.framing)
                port.reopen()
            if not _switch(port, setting):
                continue
            scores.append(score(setting, _heard(port, listen_s, asks)))
            print("%7d %s: %d bytes, %d good frames" % (*setting, scores[-1].heard, scores[-1].good), file=sys.stderr)
            if is_certain(scores[-1]):
                break
    finally:
        if port is not None:
            port.close()
    return scores


def _switch(port: SerialPort, setting: Setting) -> bool:
    try:
        port.set_speed(*setting)
    except (OSError, ValueError):
        # The adapter does not do this speed.
        return False
    return True


def _heard(port: SerialPort, listen_s: float, asks: bool) -> bytes:
    """What comes in that time; stops early when it is enough to judge."""
    data = b""
    end = time.monotonic() + listen_s
    if asks:
        port.write(encode_frame(CMD_GET_INFO, 0))
    while (left := end - time.monotonic()) > 0 and len(data) < _READ_LIMIT:
        descriptor = port.fileno()
        if descriptor is None:
            time.sleep(min(left, _POLL_S))
        else:
            select.select([descriptor], [], [], left)
        data += port.read()
        if is_certain(score(Setting(0, ""), data)):
            break
    return data
