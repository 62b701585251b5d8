"""`localcloud user` and `localcloud code`: add people, take out or erase what is stored about one, read their codes."""

import argparse
import contextlib
import datetime
import getpass
import sys
import time
from typing import Any

from . import catalog
from .app import open_cloud_store
from .command_line import command
from .settings import Settings
from .store.backup import as_json
from .store.store import Store
from .store.users import User


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """The subcommands, below `localcloud`."""
    users = commands.add_parser("user", help="add users; export or erase what is stored about one")
    users = users.add_subparsers(required=True, metavar="COMMAND")
    add = command(
        users.add_parser,
        "Add a user with a name and a password, asked for or read from the first line of stdin. Prints the uid.",
        "localcloud user add anna\n  localcloud user add anna < password-file",
        name="add",
        parents=[shared],
    )
    add.add_argument("username", metavar="NAME", help="what the user logs in with")
    add.set_defaults(command=_add)
    export = command(
        users.add_parser,
        "Print everything that is stored about a person as lines of JSON, a row each, with its table. "
        "Without passwords, tokens and codes. Records of a device are among it when nobody else is bound to it.",
        "localcloud user export anna > anna.jsonl\n  localcloud user export +14246531234",
        name="export",
        parents=[shared],
    )
    export.set_defaults(command=_export)
    erase = command(
        users.add_parser,
        "Erase everything that is stored about a person, for good. Without --yes it only says how much that is.",
        "localcloud user erase anna\n  localcloud user erase anna --yes",
        name="erase",
        parents=[shared],
    )
    erase.add_argument("--yes", action="store_true", help="do it")
    erase.set_defaults(command=_erase)
    for parser in (export, erase):
        parser.add_argument("name", metavar="NAME", help="user name, phone, e-mail address or uid")

    codes = commands.add_parser("code", help="verification codes and links that were not sent")
    codes = codes.add_subparsers(required=True, metavar="COMMAND")
    listed = command(
        codes.add_parser,
        "List the codes and links that people wait for, the newest first: time, kind, phone or address, code. "
        "Only a cloud without a sender keeps them.",
        "localcloud code list",
        name="list",
        parents=[shared],
    )
    listed.set_defaults(command=_code_list)


def _add(args: argparse.Namespace, settings: Settings) -> None:
    # Never an argument: every user of the machine could read it there.
    if sys.stdin.isatty():
        password = getpass.getpass("password of %s: " % args.username)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    with contextlib.closing(open_cloud_store(settings)) as store:
        print(catalog.add_user(store, args.username, password))


def _export(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        for table, row in store.people.export(_find(store, args.name)):
            print(as_json({"table": table, **row}))


def _erase(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        user = _find(store, args.name)
        counts = store.people.count(user)
        if args.yes:
            store.people.erase(user)
    for table, rows in counts.items():
        print("%s %d" % (table, rows))
    print("erased" if args.yes else "nothing is erased yet: add --yes to erase these rows", file=sys.stderr)


def _code_list(args: argparse.Namespace, settings: Settings) -> None:
    with contextlib.closing(open_cloud_store(settings)) as store:
        for sent in store.codes.sent(time.time()):
            at = datetime.datetime.fromtimestamp(sent.at).isoformat(" ", "seconds")
            print("%s %s %s %s" % (at, sent.kind, sent.address, sent.code))


def _find(store: Store, name: str) -> User:
    user = store.users.by_name(name) or store.users.get(name)
    if user is None:
        raise catalog.CatalogError("there is no user with the name, phone, address or uid %s" % name)
    return user
