"""The `gagent` command: `run` the agents, `check` their settings. Exit codes: 0 good, 1 failed, 2 misused."""

import argparse
import asyncio
import sys

from .gateway import Gateway
from .log import Redactor, open_log
from .settings import DEFAULT_API, DEFAULT_BAUD, Settings, SettingsError, default_state, load_settings, make_settings

_EXAMPLES = """\
examples:
  gagent run --port /dev/ttyUSB0                              one MCU, the local cloud on this machine
  gagent run --port /dev/ttyUSB0 --api http://192.168.1.10:8080 -v
  gagent run --port socket://192.168.1.40:4001                an MCU behind a serial server
  gagent run --config /etc/gagent.toml                        many MCUs
  gagent check --config /etc/gagent.toml                      what would run, without running it
"""

_RUN_EXAMPLES = (
    """\
The identity of each port (mac, did, passcode) is kept in DIR/NAME.json and made at the first start.
A port that is not there is waited for, and one that goes away is opened again when it returns.
Stop it with Ctrl-C or SIGTERM.

"""
    + _EXAMPLES
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv`; the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except SettingsError as error:
        print("gagent: %s" % error, file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    flags = {key: getattr(arguments, key) for key in ("port", "baud", "name", "api", "state")}
    settings = make_settings(arguments.config, flags)
    return 0 if asyncio.run(_serve(settings, arguments.verbose)) else 1


async def _serve(settings: Settings, verbosity: int) -> bool:
    redactor = Redactor()
    return await Gateway(settings, open_log(verbosity, redactor), redactor).run()


def _check(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    print("%s is good: %d port%s" % (arguments.config, len(settings.ports), "s" if len(settings.ports) > 1 else ""))
    print("api         %s" % settings.api)
    print("state       %s" % settings.state)
    print("tz_minutes  %d" % settings.tz_minutes)
    for port in settings.ports:
        print(
            "port        %s: %s at %d baud, mac %s"
            % (port.name, port.port, port.baud, port.mac or "made at first start")
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gagent",
        description="Be the connectivity module of MCU appliances: serial line on one side, cloud on the other.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run the agents until Ctrl-C or SIGTERM",
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.set_defaults(command=_run)
    run.add_argument("--config", metavar="FILE", help="settings file (TOML); the flags below go before it")
    run.add_argument("--port", metavar="PATH_OR_URL", help="serial port; with --config: instead of the file's ports")
    run.add_argument("--baud", type=int, metavar="N", help="speed of the serial port (default %d)" % DEFAULT_BAUD)
    run.add_argument("--name", metavar="NAME", help="name of the port in log and state (default: from its path)")
    run.add_argument("--api", metavar="URL", help="the cloud's device API (default %s)" % DEFAULT_API)
    run.add_argument("--state", metavar="DIR", help="where identities are kept (default here: %s)" % default_state())
    run.add_argument(
        "-v", "--verbose", action="count", default=0, help="-v: frames and effects in words; -vv: and in hex"
    )
    check = commands.add_parser("check", help="validate a settings file and show what it says")
    check.set_defaults(command=_check)
    check.add_argument("--config", metavar="FILE", required=True, help="settings file (TOML)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
