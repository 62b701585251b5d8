"""`localcloud cert`: a certificate for the listeners with TLS."""

import argparse
import sys
from typing import Any

from .certificate import fingerprint, make_certificate
from .command_line import command
from .settings import Settings


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """The subcommand, below `localcloud`."""
    cert = command(
        commands.add_parser,
        "Make a certificate for HTTPS, MQTT and WebSocket with TLS; the first time also the authority that signs it. "
        "Prints the authority's file, which apps and devices are to trust.",
        "localcloud cert cloud.example.org 192.168.1.10\n"
        "  localcloud cert api.gizwits.com m2m.gizwits.com usapi.gizwits.com euapi.gizwits.com",
        name="cert",
        parents=[shared],
    )
    cert.add_argument("hosts", nargs="+", metavar="HOST", help="host names and addresses it is for, of all regions")
    cert.set_defaults(command=_make)


def _make(args: argparse.Namespace, settings: Settings) -> None:
    files = make_certificate(settings.data_dir, args.hosts)
    print(files.ca)
    print("certificate for %s, SHA-256 %s" % (", ".join(args.hosts), fingerprint(files.certificate)), file=sys.stderr)
    print("a cloud that runs takes it after a restart", file=sys.stderr)
