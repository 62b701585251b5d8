"""`localcloud backup` and `localcloud restore`: the whole cloud in one file, and back."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from .app import open_cloud_store
from .command_line import command
from .settings import Settings


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """The subcommands, below `localcloud`."""
    backup = command(
        commands.add_parser,
        "Write the whole cloud, its database and certificate, to one file; the cloud may run meanwhile. "
        "The file holds passcodes and secrets: keep it as safe as the data directory.",
        "localcloud backup cloud.zip\n  localcloud backup --config /etc/localcloud.toml /mnt/cloud-$(date +%F).zip",
        name="backup",
        parents=[shared],
    )
    backup.set_defaults(command=_backup)
    restore = command(
        commands.add_parser,
        "Fill a new data directory, or an empty database, from a backup. "
        "Also the way from SQLite to PostgreSQL: back up, set database_url, restore.",
        "localcloud restore cloud.zip --data ./new-cloud\n  localcloud restore cloud.zip --config postgresql.toml",
        name="restore",
        parents=[shared],
    )
    restore.set_defaults(command=_restore)
    for parser in (backup, restore):
        parser.add_argument("file", type=Path, metavar="FILE", help="the backup, a zip")


def _backup(args: argparse.Namespace, settings: Settings) -> None:
    print("reading the database ...", file=sys.stderr)
    with contextlib.closing(open_cloud_store(settings)) as store:
        _tell(store.write_backup(settings.data_dir, args.file))
    print("backup in %s, %d bytes" % (args.file, args.file.stat().st_size), file=sys.stderr)


def _restore(args: argparse.Namespace, settings: Settings) -> None:
    print("reading %s ..." % args.file, file=sys.stderr)
    with contextlib.closing(open_cloud_store(settings)) as store:
        _tell(store.restore_backup(settings.data_dir, args.file))
    print("restored into %s" % settings.data_dir, file=sys.stderr)


def _tell(counts: dict[str, int]) -> None:
    for table, rows in counts.items():
        print("%s %d" % (table, rows))
