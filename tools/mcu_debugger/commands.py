"""What a line typed at the simulator, or written in a script, does. Pure: a line is checked first, performed later.

`COMMANDS` is the whole list; `help` prints it.
"""

import shlex
from collections import namedtuple
from collections.abc import Callable

from mcu_proto.const import (
    CMD_BINDABLE,
    CMD_CONFIG_MODE,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_PRODUCTION_TEST,
    CMD_RESET_MODULE,
    CMD_RESTART_MODULE,
    CONFIG_AIRLINK,
    CONFIG_SOFTAP,
)
from mcu_proto.datapoint import Attr, Schema
from mcu_proto.errors import AttrError

from .simulator import McuSimulator
from .view import ATTR_COLUMNS, attr_rows, value_text

# A table for the screen; the other output of a command is plain lines.
Table = namedtuple("Table", ("columns", "rows"))
# A checked line: perform it with `call.run(simulator, call.argument, now)`, which gives (effects, outputs).
Call = namedtuple("Call", ("name", "run", "argument"))
# One row of COMMANDS; `check(words, schema)` gives the argument for `run` or raises CommandError.
Command = namedtuple("Command", ("usage", "about", "check", "run"))

QUIT = "quit"

_BOOLS = {"true": 1, "on": 1, "1": 1, "false": 0, "off": 0, "0": 0}
_MODES = {"softap": CONFIG_SOFTAP, "airlink": CONFIG_AIRLINK}


class CommandError(Exception):
    """A line that means nothing; the text says what was expected."""


def parse_command(line: str, schema: Schema) -> Call:
    """The line as something to perform; CommandError when it cannot work with this product."""
    try:
        words = shlex.split(line)
    except ValueError as e:
        raise CommandError("%s: close the quotation mark" % e) from None
    if not words:
        raise CommandError("nothing to do")
    command = COMMANDS.get(words[0])
    if command is None:
        raise CommandError("unknown command %s, expected one of %s" % (words[0][:40], ", ".join(COMMANDS)))
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


def _parse_value(attr: Attr, text: str) -> str | int:
    if attr.data_type == "bool":
        return _BOOLS.get(text.lower(), text)
    if attr.data_type == "enum" and text not in attr.spec and text.isdecimal():
        return int(text)
    return text


def _no_words(words: list[str], schema: Schema) -> None:
    if words:
        raise CommandError("expected nothing after it, got %s" % words[0][:40])


def _one_name(words: list[str], schema: Schema) -> str | None:
    if len(words) > 1:
        raise CommandError("expected one NAME or none")
    return schema.attr(words[0]).name if words else None


def _one_alarm(words: list[str], schema: Schema) -> str:
    alarms = [attr.name for attr in schema.attrs if attr.access in ("alert", "fault")]
    if len(words) != 1 or words[0] not in alarms:
        raise CommandError("expected one of %s" % (", ".join(alarms) or "the product's alerts, it has none"))
    return words[0]


def _one_mode(words: list[str], schema: Schema) -> int:
    mode = words[0].lower() if len(words) == 1 else ""
    if words and mode not in _MODES:
        raise CommandError("expected one of %s" % ", ".join(_MODES))
    return _MODES.get(mode, CONFIG_AIRLINK)


def _set(simulator: McuSimulator, values: dict, now: int) -> tuple:
    return simulator.set(values, now), []


def _get(simulator: McuSimulator, name: str | None, now: int) -> tuple:
    values = simulator.values
    return [], ["%s %s" % (each, value_text(values[each])) for each in ([name] if name else values)]


def _attrs(simulator: McuSimulator, argument: object, now: int) -> tuple:
    return [], [Table(ATTR_COLUMNS, attr_rows(simulator.schema, simulator.values))]


def _raise(simulator: McuSimulator, name: str, now: int) -> tuple:
    return simulator.set({name: True}, now), []


def _clear(simulator: McuSimulator, name: str, now: int) -> tuple:
    return simulator.set({name: False}, now), []


def _config(simulator: McuSimulator, mode: int, now: int) -> tuple:
    return simulator.request(CMD_CONFIG_MODE, bytes((mode,)), now), []


def _help(simulator: McuSimulator, argument: object, now: int) -> tuple:
    return [], [Table(("command", ""), [(command.usage, command.about) for command in COMMANDS.values()])]


def _quit(simulator: McuSimulator, argument: object, now: int) -> tuple:
    return [], []


def _asks(cmd: int, payload: bytes = b"") -> Callable:
    """A command that is one request to the module."""
    return lambda simulator, argument, now: (simulator.request(cmd, payload, now), [])


COMMANDS = {
    "set": Command("set NAME VALUE [NAME VALUE ...]", "change attributes as the appliance would", parse_values, _set),
    "get": Command("get [NAME]", "values now", _one_name, _get),
    "attrs": Command("attrs", "every attribute: access, type, range, value", _no_words, _attrs),
    "raise": Command("raise ALERT", "set an alert or a fault", _one_alarm, _raise),
    "clear": Command("clear ALERT", "take it back", _one_alarm, _clear),
    "config": Command("config [softap|airlink]", "send the module looking for a network", _one_mode, _config),
    "reset": Command("reset", "make the module forget its network and its owner", _no_words, _asks(CMD_RESET_MODULE)),
    "restart": Command("restart", "restart the module", _no_words, _asks(CMD_RESTART_MODULE)),
    "bindable": Command("bindable", "open the module's binding window", _no_words, _asks(CMD_BINDABLE)),
    "time": Command("time", "ask for the network time", _no_words, _asks(CMD_GET_TIME)),
    "info": Command("info", "ask the module who it is", _no_words, _asks(CMD_GET_MODULE_INFO, b"\x00")),
    "test": Command("test", "start the production test", _no_words, _asks(CMD_PRODUCTION_TEST)),
    "help": Command("help", "this list", _no_words, _help),
    QUIT: Command(QUIT, "end", _no_words, _quit),
}
