"""The `mcu-debugger` command: play either end of a serial line, listen to it, test it, keep what crossed it.

Standard output is the result, standard error the story; exit 0 good, 1 failed, 2 misused.
"""

import argparse
import os
import sys

from .auto_command import add_auto
from .capture.writer import CaptureError
from .capture_command import add_capture
from .check.command import add_check
from .checksum import ChecksumError
from .codes_command import add_codes
from .crc_command import add_crc
from .decode_command import add_decode
from .flash import FlashError
from .hexdump import HexError
from .listen_command import add_bridge, add_replay, add_tap
from .module_command import add_module
from .port import PortError
from .product import ProductError
from .role_command import UsageError
from .script import ScriptError
from .sim_command import add_sim

# In the order of `--help`.
_COMMANDS = (
    add_sim,
    add_module,
    add_tap,
    add_bridge,
    add_replay,
    add_capture,
    add_decode,
    add_crc,
    add_auto,
    add_check,
    add_codes,
)

_MISUSED = (ProductError, ScriptError, HexError, ChecksumError, UsageError)
_FAILED = (PortError, CaptureError, FlashError)


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except _MISUSED as e:
        return _complain(e, 2)
    except _FAILED as e:
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
    for add in _COMMANDS:
        add(commands)
    return parser


def _complain(what: object, code: int) -> int:
    print("mcu-debugger: %s" % what, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
