"""What may be typed at the module, and written in its scripts. See `commands`."""

from mcu_proto.const import ACTION_SUBDEVICE_DOWN, ACTION_TRANSPARENT_DOWN, CMD_HEARTBEAT, CMD_P0_DOWN, CMD_RESTART_MCU
from mcu_proto.datapoint import Schema
from mcu_proto.link import SendSerial
from mcu_proto.names import STATUS_NAMES
from mcu_proto.subdevice import build_data

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
from .module_player import ModulePlayer
from .module_upgrade import Image, image_of
from .note_command import note_command
from .view import ATTR_COLUMNS, attr_rows, status_text, value_text

_STATES = {
    "off": 0x0000,
    "softap": 0x0005,
    "airlink": 0x0004,
    "station": 0x0002,
    "router": 0x0712,
    "cloud": 0x0732,
    "bindable": 0x073A,
    "app": 0x0F3A,
    "test": 0x1002,
}
# The largest firmware that is worth typing for: 16-bit piece numbers of the largest pieces.
_MAX_FILE = 32 * 1024 * 1024


def load_image(path: str) -> Image:
    """The file as an image, BIN or HEX by its first byte; CommandError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as e:
        raise CommandError("%s cannot be read: %s" % (path, e.strerror)) from None
    if not data:
        raise CommandError("%s is empty" % path)
    if len(data) > _MAX_FILE:
        raise CommandError("%s has more than %d bytes: that is no firmware" % (path, _MAX_FILE))
    return image_of(data)


def parse_status(words: list[str], schema: Schema | None) -> int:
    """A status word: four hex digits, or a state by its name."""
    if len(words) != 1:
        raise CommandError("expected four hex digits or one of %s" % ", ".join(_STATES))
    if words[0] in _STATES:
        return _STATES[words[0]]
    try:
        status = int(words[0], 16)
    except ValueError:
        status = -1
    if not 0 <= status <= 0xFFFF:
        raise CommandError("expected four hex digits or one of %s" % ", ".join(_STATES))
    return status


def _needs(schema: Schema | None) -> Schema:
    if schema is None:
        raise CommandError("attributes need --product FILE; p0 HEX goes without")
    return schema


def _control(words: list[str], schema: Schema | None) -> bytes:
    return _needs(schema).encode_control(parse_values(words, _needs(schema)))


def _read(words: list[str], schema: Schema | None) -> bytes:
    if schema is None:
        return b"\x02"
    return schema.encode_read([schema.attr(word).name for word in words] if words else None)


def _attr_names(words: list[str], schema: Schema | None) -> list[str]:
    return [_needs(schema).attr(word).name for word in words]


def _one_file(words: list[str], schema: Schema | None) -> Image:
    if len(words) != 1:
        raise CommandError("expected one FILE")
    return load_image(words[0])


def _sub_device(words: list[str], schema: Schema | None) -> bytes:
    if len(words) < 2:
        raise CommandError("expected MESHID and the sub-device's P0 in hex")
    return build_data(ACTION_SUBDEVICE_DOWN, [(words[0].encode(), hex_words(words[1:], schema))])


def _get(player: ModulePlayer, names: list[str], now: int) -> tuple:
    values = player.values
    missing = [name for name in names if name not in values]
    if missing:
        return [], ["%s is not known yet, `read` asks" % name for name in missing]
    return [], ["%s %s" % (each, value_text(values[each])) for each in (names or values)]


def _attrs(player: ModulePlayer, argument: object, now: int) -> tuple:
    if player.schema is None:
        return [], ["? attributes need --product FILE"]
    known = {attr.name: player.values.get(attr.name, "?") for attr in player.schema.attrs}
    return [], [Table(ATTR_COLUMNS, attr_rows(player.schema, known))]


def _status(player: ModulePlayer, status: int, now: int) -> tuple:
    return player.set_status(status, now), ["status %04x: %s" % (status, status_text(status))]


def _states(player: ModulePlayer, argument: object, now: int) -> tuple:
    rows = [(name, "%04x" % word, status_text(word)) for name, word in _STATES.items()]
    bits = [("", "%04x" % bit, name) for bit, name in STATUS_NAMES.items()]
    return [], [Table(("state", "word", ""), rows + bits + [("", "0700", "signal level, 0 to 7")])]


def _p0(player: ModulePlayer, p0: bytes, now: int) -> tuple:
    return player.request(CMD_P0_DOWN, p0, now), []


def _firmware(player: ModulePlayer, image: Image, now: int) -> tuple:
    return player.send_firmware(image, now), []


def _offer(player: ModulePlayer, image: Image, now: int) -> tuple:
    player.offer = image
    return [], ["offered: %d bytes, md5 %s" % (len(image.data), image.md5.decode())]


COMMANDS = {
    "set": Command("set NAME VALUE [NAME VALUE ...]", "control the appliance as an app would", _control, _p0),
    "read": Command("read [NAME ...]", "ask for the state", _read, _p0),
    "get": Command("get [NAME ...]", "values as last reported", _attr_names, _get),
    "attrs": Command("attrs", "every attribute: access, type, range, value", no_words, _attrs),
    "p0": Command("p0 HEX", "send this P0, its action first", hex_words, _p0),
    "transparent": Command(
        "transparent HEX",
        "send bytes that are no attributes",
        lambda words, schema: bytes((ACTION_TRANSPARENT_DOWN,)) + hex_words(words, schema),
        _p0,
    ),
    "status": Command("status WORD|STATE", "tell the MCU another module status", parse_status, _status),
    "states": Command("states", "module states and bits by name", no_words, _states),
    "heartbeat": Command(
        "heartbeat", "send one now", no_words, lambda p, argument, now: (p.request(CMD_HEARTBEAT, b"", now), [])
    ),
    "hello": Command(
        "hello",
        "start over, with the handshake",
        no_words,
        lambda p, argument, now: (p.restart("asked for", 0, now), []),
    ),
    "restart-mcu": Command(
        "restart-mcu",
        "ask the MCU to restart",
        no_words,
        lambda p, argument, now: (p.request(CMD_RESTART_MCU, b"", now), []),
    ),
    "firmware": Command("firmware FILE", "send a firmware file, BIN or HEX, to the MCU", _one_file, _firmware),
    "stop": Command("stop", "stop sending it", no_words, lambda p, argument, now: (p.stop_firmware(now), [])),
    "offer": Command("offer FILE", "what an MCU finds that looks for firmware by itself", _one_file, _offer),
    "subdevice": Command("subdevice MESHID HEX", "send a P0 to a device behind the MCU", _sub_device, _p0),
    "raw": Command("raw HEX", "send bytes as they are", hex_words, lambda p, data, now: ([SendSerial(data)], [])),
}
COMMANDS["note"] = note_command()
COMMANDS["help"] = help_command(COMMANDS)
COMMANDS[QUIT] = quit_command()
