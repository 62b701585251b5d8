"""The words around `identity`: `gagent identity show | export | import | forget`."""

import argparse
import sys
from collections.abc import Callable

from . import identity
from .announcements import Announcements
from .identity import IdentityError
from .settings import Settings
from .tls import make_context

EXAMPLES = """\
examples:
  gagent identity show                                        every identity in the default state directory
  gagent identity export heat-pump backup.json                a copy of it, with its secrets: keep it safe
  gagent identity import heat-pump backup.json                on the machine that takes the place of this one
  gagent identity forget heat-pump --cloud --config /etc/gagent.toml
"""


def add_commands(parser: argparse.ArgumentParser, options: Callable[[argparse.ArgumentParser], None]) -> None:
    """The subcommands of `parser`; `options` adds those that say where the state and the cloud are."""
    commands = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    show = commands.add_parser("show", help="who each port is to the cloud; secrets are not shown")
    show.add_argument("name", nargs="?", metavar="NAME", help="of the port (default: all)")
    export = commands.add_parser("export", help="copy an identity to a new file of mode 0600; it holds secrets")
    bring = commands.add_parser("import", help="make an exported identity that of a port")
    bring.add_argument("--force", action="store_true", help="replace an identity that is there")
    forget = commands.add_parser("forget", help="remove all that is kept for a port, and prove that it is gone")
    forget.add_argument("--cloud", action="store_true", help="first disable the device at the cloud, with its bindings")
    for command in (export, bring, forget):
        command.add_argument("name", metavar="NAME", help="of the port")
    for command in (export, bring):
        command.add_argument("file", metavar="FILE")
    for command in (show, export, bring, forget):
        options(command)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Carry out the action; the exit code."""
    try:
        return _ACTIONS[arguments.action](arguments, settings)
    except IdentityError as error:
        print("gagent: %s" % error, file=sys.stderr)
        return 1


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    found = [arguments.name] if arguments.name else identity.names(settings.state)
    for name in found:
        record = identity.load(settings.state, name)
        print(name)
        for key, value in identity.describe(record):
            print("  %-12s %s" % (key, value))
    if not found:
        print("no identities in %s" % settings.state, file=sys.stderr)
    return 0


def _export(arguments: argparse.Namespace, settings: Settings) -> int:
    identity.export_to(identity.load(settings.state, arguments.name), arguments.file)
    print("%s holds the passcode: whoever has it can be this device. Keep it safe." % arguments.file, file=sys.stderr)
    return 0


def _import(arguments: argparse.Namespace, settings: Settings) -> int:
    bring = identity.replace_by if arguments.force else identity.import_from
    record = identity.load_export(arguments.file)
    bring(record, settings.state, arguments.name)
    who = record.get("did") or record["mac"]
    print("%s is %s now; two machines that are one throw each other out" % (arguments.name, who), file=sys.stderr)
    return 0


def _forget(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.cloud:
        tls = make_context(settings.tls) if settings.api.startswith("https://") else None
        for did in identity.disable(identity.load(settings.state, arguments.name), settings.api, tls):
            print("disabled at %s: %s" % (settings.api, did))
    for name in identity.forget(settings.state, arguments.name):
        print("removed: %s" % name)
    print("nothing of %s is left in %s%s" % (arguments.name, settings.state, _but_the_bridge(arguments.name, settings)))
    return 0


def _but_the_bridge(name: str, settings: Settings) -> str:
    """What must stay until the home broker is rid of the device: no secret, but a mac in its topics."""
    announcements = Announcements(settings.state)
    announcements.load()
    if announcements.of(name) is None:
        return ""
    return ", but the list of what the bridge announced: the next `gagent run` takes that away, at the home broker too"


_ACTIONS: dict[str, Callable[[argparse.Namespace, Settings], int]] = {
    "show": _show,
    "export": _export,
    "import": _import,
    "forget": _forget,
}
