"""The `gagent` command. Exit codes: 0 good, 1 failed, 2 misused; those of `status` stand in its help."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable

from . import doctor, firmware_command, identity_command, launcher
from .control_socket import NotAllowed, ask
from .finding import describe as describe_finding
from .log import open_log
from .redactor import Redactor
from .service import Service
from .settings import DEFAULT_API, DEFAULT_BAUD, Settings, SettingsError, default_state, load_settings, make_settings
from .status import describe, exit_code
from .systemd import ServiceManager

_EXAMPLES = """\
examples:
  gagent run --port /dev/ttyUSB0                              one MCU, the local cloud on this machine
  gagent run --port /dev/ttyUSB0 --api http://192.168.1.10:8000 -v
  gagent run --port socket://192.168.1.40:4001                an MCU behind a serial server
  gagent run --config /etc/gagent.toml                        many MCUs
  gagent check --config /etc/gagent.toml                      what would run, without running it
  gagent status                                               what runs, and how it is
  gagent doctor --port /dev/ttyUSB0                           which layer fails, and what to do
  gagent identity show                                        who the devices are
"""

_RUN_EXAMPLES = (
    """\
The identity of each port (mac, did, passcode) is kept in DIR/NAME.json and made at the first start.
A port that is not there is waited for, and one that goes away is opened again when it returns.
Stop it with Ctrl-C or SIGTERM; SIGHUP reads the settings file again and touches only the ports that changed.

"""
    + _EXAMPLES
)

_STATUS_EXIT = "exit code: 0 every port is on line, 1 one is not, 2 no process runs in that state directory"
_DOCTOR_EXIT = """\
A port that a running gagent serves is not touched: that process is asked. Nothing is registered or changed.
exit code: 0 every layer works, 1 one fails
"""
# Any: what has no serial port of its own needs none in its flags.
_NO_PORT = "/dev/null"


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

    def load() -> Settings:
        return make_settings(arguments.config, flags)

    settings = load()
    is_slot = launcher.SLOT in os.environ
    code = None if is_slot else launcher.launch(settings.state, sys.argv[1:])
    if code is not None:
        return code
    code = asyncio.run(_serve(settings, load, arguments.verbose))
    if code == launcher.RESTART and not is_slot:
        # In the same process: a service manager knows it by its number.
        os.execv(sys.executable, [sys.executable, "-m", __package__, *sys.argv[1:]])  # noqa: S606
    return code


async def _serve(settings: Settings, load: Callable[[], Settings], verbosity: int) -> int:
    redactor = Redactor(settings.log_format)
    logger = open_log(verbosity, redactor)
    return await Service(settings, load, ServiceManager(os.environ), logger, redactor, os.environ).run()


def _check(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    print("%s is good: %d port%s" % (arguments.config, len(settings.ports), "s" if len(settings.ports) > 1 else ""))
    print("api         %s" % settings.api)
    mqtt_port = "port %d" % settings.mqtt_port if settings.mqtt_port else "port as the cloud says"
    print("mqtt        %s, %s" % ("TLS" if settings.mqtt_tls else "no TLS", mqtt_port))
    print("state       %s" % settings.state)
    print("tz_minutes  %d" % settings.tz_minutes)
    print("log_format  %s" % settings.log_format)
    print("metrics     %s" % ("%s:%d" % settings.metrics if settings.metrics else "off"))
    firmware = settings.firmware
    limit = "up to %d bytes, signatures %s" % (firmware.max_size, firmware.signatures)
    print("firmware    %s" % (limit if firmware.max_size else "none is taken"))
    print("bridge      %s" % ("%s:%d" % (settings.bridge.host, settings.bridge.port) if settings.bridge else "off"))
    for port in settings.ports:
        print(
            "port        %s: %s at %d baud, mac %s, uplink %s"
            % (port.name, port.port, port.baud, port.mac or "made at first start", port.uplink)
        )
    return 0


def _status(arguments: argparse.Namespace) -> int:
    state = _whereabouts(arguments).state
    try:
        processes = ask(state)
    except NotAllowed as error:
        print("gagent: %s: run this as root, or as the user that runs gagent" % error, file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps({"processes": processes}, indent=1))
    elif processes:
        print("\n\n".join(describe(process) for process in processes))
    else:
        print("gagent: no process runs in %s" % state, file=sys.stderr)
    return exit_code(processes)


def _doctor(arguments: argparse.Namespace) -> int:
    flags = {key: getattr(arguments, key) for key in ("port", "baud", "name", "api", "state")}
    settings = make_settings(arguments.config, flags)
    is_good = True
    for port in settings.ports:
        print("%s: %s" % (port.name, port.port))
        for finding in doctor.examine(settings, port, arguments.definition):
            print(describe_finding(finding), flush=True)
            is_good = is_good and finding.is_good()
    return 0 if is_good else 1


def _identity(arguments: argparse.Namespace) -> int:
    return identity_command.run(arguments, _whereabouts(arguments))


def _firmware(arguments: argparse.Namespace) -> int:
    return firmware_command.run(arguments, _whereabouts(arguments))


def _whereabouts(arguments: argparse.Namespace) -> Settings:
    """Where state and cloud are, by flags or file, for commands that need no port."""
    flags = {"state": arguments.state, "api": getattr(arguments, "api", None)}
    if arguments.config is None:
        flags["port"] = _NO_PORT
    return make_settings(arguments.config, flags)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gagent",
        description="Be the connectivity module of MCU appliances: serial line on one side, cloud on the other.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = _add(commands, "run", _run, "run the agents until Ctrl-C or SIGTERM", _RUN_EXAMPLES)
    _add_port_options(run)
    run.add_argument(
        "-v", "--verbose", action="count", default=0, help="-v: frames and effects in words; -vv: and in hex"
    )
    check = _add(commands, "check", _check, "validate a settings file and show what it says", "")
    check.add_argument("--config", metavar="FILE", required=True, help="settings file (TOML)")
    status = _add(commands, "status", _status, "how the ports of the running processes are", _STATUS_EXIT)
    _add_where(status)
    status.add_argument("--json", action="store_true", help="everything, for programs")
    examine = _add(commands, "doctor", _doctor, "name the layer that fails, and what to do", _DOCTOR_EXIT)
    _add_port_options(examine)
    examine.add_argument(
        "--definition", metavar="FILE", default="", help="a datapoint definition to hold against the MCU"
    )
    who = _add(
        commands,
        "identity",
        _identity,
        "who the ports are to the cloud: show, export, import, forget",
        identity_command.EXAMPLES,
    )
    identity_command.add_commands(who, _add_where_and_api)
    what = "what software the module runs: show, pack, remove"
    firmware_command.add_commands(_add(commands, "firmware", _firmware, what, firmware_command.EXAMPLES), _add_where)
    return parser


def _add(
    commands: argparse._SubParsersAction, name: str, command: Callable, text: str, epilog: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=command)
    return parser


def _add_port_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", metavar="PATH_OR_URL", help="serial port; with --config: instead of the file's ports")
    parser.add_argument("--baud", type=int, metavar="N", help="speed of the serial port (default %d)" % DEFAULT_BAUD)
    parser.add_argument("--name", metavar="NAME", help="name of the port in log and state (default: from its path)")
    _add_where_and_api(parser)


def _add_where_and_api(parser: argparse.ArgumentParser) -> None:
    _add_where(parser)
    parser.add_argument("--api", metavar="URL", help="the cloud's device API (default %s)" % DEFAULT_API)


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="settings file (TOML); flags go before it")
    parser.add_argument("--state", metavar="DIR", help="where identities are kept (default here: %s)" % default_state())


if __name__ == "__main__":
    sys.exit(main())
