"""`localcloud console` and `localcloud doctor`: the operator's password, and what keeps others from this cloud."""

import argparse
import contextlib
import getpass
import sys
from typing import Any

from . import console_login, doctor
from .app import open_cloud_store
from .catalog import CatalogError
from .command_line import command
from .errors import ApiError
from .settings import Settings


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """The subcommands, below `localcloud`."""
    consoles = commands.add_parser("console", help="the web console")
    consoles = consoles.add_subparsers(required=True, metavar="COMMAND")
    password = command(
        consoles.add_parser,
        "Set the password of the operator's pages in the web console, asked for or read from the first line of stdin. "
        "Whoever was logged in there with an older one is out.",
        "localcloud console password\n  localcloud console password < password-file",
        name="password",
        parents=[shared],
    )
    password.set_defaults(command=_password)
    examine = command(
        commands.add_parser,
        "Look at this cloud from outside, and say what keeps appliances, apps and people from it, and what to do. "
        "Changes nothing. Exit status 1 when something certainly fails.",
        "localcloud doctor\n  localcloud doctor --config /etc/localcloud.toml",
        name="doctor",
        parents=[shared],
    )
    examine.add_argument("--host", dest="http_host", help="where the cloud listens, as told to `run`")
    examine.add_argument("--http-port", type=int, metavar="PORT", help="HTTP port, as told to `run`")
    examine.add_argument("--mqtt-port", type=int, metavar="PORT", help="MQTT port, as told to `run`")
    examine.add_argument("--ws-port", type=int, metavar="PORT", help="WebSocket port, as told to `run`")
    examine.set_defaults(command=_doctor)


def _password(args: argparse.Namespace, settings: Settings) -> None:
    # Never an argument: every user of the machine could read it there.
    if sys.stdin.isatty():
        password = getpass.getpass("operator password: ")
        if getpass.getpass("once more: ") != password:
            raise CatalogError("the two are not the same")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    with contextlib.closing(open_cloud_store(settings)) as store:
        try:
            console_login.set_password(store, password)
        except ApiError as error:
            raise CatalogError(error.detail or "") from None
    print("the operator's pages of the console open with it", file=sys.stderr)


def _doctor(args: argparse.Namespace, settings: Settings) -> None:
    is_bad = False
    for finding in doctor.examine(settings):
        is_bad |= finding.state == doctor.BAD
        print(doctor.describe(finding), flush=True)
    if is_bad:
        raise SystemExit(1)
