"""What a line typed at a role, or written in its script, does. Pure: a line is checked first, performed later.

Each role has a table of `Command`; here is what they share. `help` prints the table.
"""

import shlex
from collections import namedtuple

from mcu_proto.datapoint import Attr, Schema
from mcu_proto.errors import AttrError

from .hexdump import HexError, parse_hex

# A table for the screen; the other output of a command is plain lines.
Table = namedtuple("Table", ("columns", "rows"))
# A checked line: perform it with `call.run(player, call.argument, now)`, which gives (effects, outputs).
Call = namedtuple("Call", ("name", "run", "argument"))
# One row of a table; `check(words, schema)` gives the argument for `run` or raises CommandError.
Command = namedtuple("Command", ("usage", "about", "check", "run"))

QUIT = "quit"

_BOOLS = {"true": 1, "on": 1, "1": 1, "false": 0, "off": 0, "0": 0}


class CommandError(Exception):
    """A line that means nothing; the text says what was expected."""


def parse_command(line: str, schema: Schema | None, commands: dict[str, Command]) -> Call:
    """The line as something to perform; CommandError when it cannot work with this product."""
    try:
        words = shlex.split(line)
    except ValueError as e:
        raise CommandError("%s: close the quotation mark" % e) from None
    if not words:
        raise CommandError("nothing to do")
    command = commands.get(words[0])
    if command is None:
        raise CommandError("unknown command %s, expected one of %s" % (words[0][:40], ", ".join(commands)))
    try:
        argument = command.check(words[1:], schema)
    except (CommandError, AttrError) as e:
        raise CommandError("%s: %s" % (words[0], e)) from None
    return Call(words[0], command.run, argument)


def parse_values(words: list[str], schema: Schema) -> dict:
    """NAME VALUE NAME VALUE ... as values of the schema; CommandError or AttrError when one is refused."""
    if not words or len(words) % 2:
        raise CommandError("expected NAME VALUE [NAME VALUE ...]")
    values = {}
    for name, text in zip(words[::2], words[1::2], strict=True):
        values[name] = _parse_value(schema.attr(name), text)
        schema.encode_report({name: values[name]})
    return values


def no_words(words: list[str], schema: Schema | None) -> None:
    if words:
        raise CommandError("expected nothing after it, got %s" % words[0][:40])


def hex_words(words: list[str], schema: Schema | None) -> bytes:
    """The bytes of hex, at least one."""
    try:
        data = parse_hex(" ".join(words))
    except HexError as e:
        raise CommandError(str(e)) from None
    if not data:
        raise CommandError("expected bytes in hex")
    return data


def quit_command() -> Command:
    """Every role ends the same way; whoever performs it looks for its name."""
    return Command(QUIT, "end", no_words, lambda player, argument, now: ([], []))


def help_command(commands: dict[str, Command]) -> Command:
    """The table that the role has then."""
    return Command(
        "help",
        "this list",
        no_words,
        lambda player, argument, now: ([], [Table(("command", ""), [(c.usage, c.about) for c in commands.values()])]),
    )


def _parse_value(attr: Attr, text: str) -> str | int:
    if attr.data_type == "bool":
        return _BOOLS.get(text.lower(), text)
    if attr.data_type == "enum" and text not in attr.spec and text.isdecimal():
        return int(text)
    return text
