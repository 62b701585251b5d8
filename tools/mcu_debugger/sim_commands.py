"""What may be typed at the simulated MCU, and written in its scripts. See `commands`."""

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
from mcu_proto.datapoint import Schema
from mcu_proto.link import SendSerial

from .bootloader import FAULTS
from .commands import (
    QUIT,
    Command,
    CommandError,
    Table,
    help_command,
    hex_words,
    no_words,
    parse_values,
    quit_command,
)
from .duration import DurationError, parse_duration
from .mischief import KINDS
from .note_command import note_command
from .simulator import McuSimulator
from .view import ATTR_COLUMNS, attr_rows, value_text
from .waveform import USAGE, Wave, WaveError, parse_wave

_MODES = {"softap": CONFIG_SOFTAP, "airlink": CONFIG_AIRLINK}


def parse_misbehaviour(words: list[str], schema: Schema | None = None) -> tuple:
    """(name, value) of a fault: NAME [FRAMES], slow TIME, reboot TIME, or a fault of the firmware transfer [BYTES]."""
    if not words or len(words) > 2:
        raise CommandError("expected NAME [VALUE], see `misbehave list`")
    if words == ["list"]:
        return "list", None
    name = words[0]
    if name in KINDS and KINDS[name].value == "time":
        try:
            return name, parse_duration(words[1] if len(words) == 2 else "")
        except DurationError as e:
            raise CommandError("%s: %s" % (name, e)) from None
    if name not in KINDS and name not in FAULTS:
        raise CommandError("unknown fault %s, expected one of %s" % (name[:40], ", ".join([*KINDS, *FAULTS])))
    if len(words) == 1:
        return name, None
    if not words[1].isdecimal() or (name in KINDS and words[1] == "0"):
        raise CommandError("%s: expected a number of %s" % (name, "frames" if name in KINDS else "bytes"))
    return name, int(words[1])


def misbehave(simulator: McuSimulator, fault: tuple, now: int) -> tuple:
    """Order a fault."""
    name, value = fault
    if name == "list":
        rows = [(kind, about.value, about.about) for kind, about in KINDS.items()]
        return [], [Table(("fault", "value", ""), rows + [(name, "bytes", about) for name, about in FAULTS.items()])]
    if name in KINDS:
        simulator.mischief.order(name, value, now)
        return [], []
    if simulator.bootloader is None:
        return [], ["? this MCU has no bootloader"]
    simulator.bootloader.order(name, value or 0)
    return [], []


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


def _one_wave(words: list[str], schema: Schema) -> "Wave | str":
    if len(words) == 2 and words[1] == "off":
        return schema.attr(words[0]).name
    try:
        return parse_wave(words, schema)
    except WaveError as e:
        raise CommandError(str(e)) from None


def _set(simulator: McuSimulator, values: dict, now: int) -> tuple:
    # Who sets a value by hand does not want it overwritten in a second.
    simulator.waves.stop(values)
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


def _wave(simulator: McuSimulator, wave: "Wave | str", now: int) -> tuple:
    if isinstance(wave, str):
        simulator.waves.stop([wave])
    else:
        simulator.waves.play(wave, now)
    return [], []


def _config(simulator: McuSimulator, mode: int, now: int) -> tuple:
    return simulator.request(CMD_CONFIG_MODE, bytes((mode,)), now), []


def _behave(simulator: McuSimulator, argument: object, now: int) -> tuple:
    simulator.mischief.end()
    return [], []


def _asks(cmd: int, payload: bytes = b"") -> Callable:
    """A command that is one request to the module."""
    return lambda simulator, argument, now: (simulator.request(cmd, payload, now), [])


COMMANDS = {
    "set": Command("set NAME VALUE [NAME VALUE ...]", "change attributes as the appliance would", parse_values, _set),
    "get": Command("get [NAME]", "values now", _one_name, _get),
    "attrs": Command("attrs", "every attribute: access, type, range, value", no_words, _attrs),
    "raise": Command("raise ALERT", "set an alert or a fault", _one_alarm, _raise),
    "clear": Command("clear ALERT", "take it back", _one_alarm, _clear),
    "wave": Command("wave " + USAGE + "; wave NAME off", "let an attribute move by itself", _one_wave, _wave),
    "config": Command("config [softap|airlink]", "send the module looking for a network", _one_mode, _config),
    "reset": Command("reset", "make the module forget its network and its owner", no_words, _asks(CMD_RESET_MODULE)),
    "restart": Command("restart", "restart the module", no_words, _asks(CMD_RESTART_MODULE)),
    "bindable": Command("bindable", "open the module's binding window", no_words, _asks(CMD_BINDABLE)),
    "time": Command("time", "ask for the network time", no_words, _asks(CMD_GET_TIME)),
    "info": Command("info", "ask the module who it is", no_words, _asks(CMD_GET_MODULE_INFO, b"\x00")),
    "test": Command("test", "start the production test", no_words, _asks(CMD_PRODUCTION_TEST)),
    "reboot": Command(
        "reboot", "switch the MCU off and on", no_words, lambda simulator, argument, now: (simulator.restart(now), [])
    ),
    "misbehave": Command(
        "misbehave NAME [VALUE]; misbehave list", "do something wrong from now on", parse_misbehaviour, misbehave
    ),
    "behave": Command("behave", "do nothing wrong any more", no_words, _behave),
    "raw": Command(
        "raw HEX", "send bytes as they are", hex_words, lambda simulator, data, now: ([SendSerial(data)], [])
    ),
}
COMMANDS["note"] = note_command()
COMMANDS["help"] = help_command(COMMANDS)
COMMANDS[QUIT] = quit_command()
