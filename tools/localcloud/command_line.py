"""What the subcommands of `localcloud` share: parsers that teach."""

import argparse
from typing import Any


def command(make: Any, what: str, examples: str, **options: Any) -> argparse.ArgumentParser:
    """A parser that teaches, made by `make`: `what` in its help, examples below."""
    if make is not argparse.ArgumentParser:
        options["help"] = what
    parser: argparse.ArgumentParser = make(
        description=what,
        epilog="examples:\n  " + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    return parser


def listing(commands: Any, what: str, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of a subcommand `list`."""
    parser: argparse.ArgumentParser = commands.add_parser("list", help=what, description=what, parents=parents)
    return parser
