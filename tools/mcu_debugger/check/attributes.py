"""The attributes of the MCU under test: read them, control them, compare them. Serial manual, chapters 5 and 6."""

from mcu_proto import const as c
from mcu_proto.datapoint import WRITABLE, Attr, Scale, Schema
from mcu_proto.errors import AttrError, RemoteError

from ..value_text import limits, shown
from ..view import value_text
from .bench import Bench, Heard
from .verdict import Broken, NotSeen

# What was controlled shows in a read after this: MCUs ack first and apply then.
APPLY_WITHIN = 2000


def schema_of(bench: Bench) -> Schema:
    """The product's schema; NotSeen without one."""
    if bench.schema is None:
        raise NotSeen("needs the product definition: name it by --product or in the profile")
    if not bench.schema.attrs:
        raise NotSeen("the product has no datapoints")
    return bench.schema


def writable(bench: Bench) -> list[Attr]:
    """Its writable attributes, at least one; NotSeen else."""
    attrs = [attr for attr in schema_of(bench).attrs if attr.access == WRITABLE]
    if not attrs:
        raise NotSeen("the product has no writable attribute")
    return attrs


def read_reply(bench: Bench) -> bytes:
    """P0 of the answer to a read."""
    ack = bench.ask(c.CMD_P0_DOWN, schema_of(bench).encode_read())
    if not ack.item.payload:
        raise Broken("a read was answered by an empty 04, expected action 03 and dev_status")
    return ack.item.payload


def read_values(bench: Bench) -> dict:
    """The attributes as the MCU reads them out."""
    return decode(bench, read_reply(bench))


def decode(bench: Bench, p0: bytes) -> dict:
    """The attributes of a report or a read reply; Broken when it cannot be one."""
    try:
        return schema_of(bench).decode(p0)
    except RemoteError as e:
        raise Broken("P0 %s: %s" % (p0.hex(" ")[:60], e)) from None


def control(bench: Bench, values: dict) -> Heard:
    """Set attributes; the ack."""
    try:
        p0 = schema_of(bench).encode_control(values)
    except AttrError as e:
        raise Broken(str(e)) from None
    return bench.ask(c.CMD_P0_DOWN, p0)


def control_until_read(bench: Bench, values: dict) -> None:
    """Set attributes and read until they are; Broken when they never are."""
    control(bench, values)
    expect_values(bench, values)


def expect_values(bench: Bench, values: dict) -> None:
    """Read until the attributes have these values; Broken when they never have."""
    until = bench.now() + APPLY_WITHIN
    while True:
        got = read_values(bench)
        wrong = [name for name in values if not is_same(schema_of(bench).attr(name), got.get(name), values[name])]
        if not wrong:
            return
        if bench.now() >= until:
            name = wrong[0]
            raise Broken("%s is %s, expected %s" % (name, value_text(got.get(name)), value_text(values[name])))
        bench.listen(100)


def is_same(attr: Attr, got: object, wanted: object) -> bool:
    """Equal; for a number with a fractional step, up to one step: generated MCU code truncates."""
    if not isinstance(attr.spec, Scale) or not isinstance(got, int | float) or not isinstance(wanted, int | float):
        return got == wanted
    scale = attr.spec
    step = 0 if scale.ratio % scale.unit == 0 else abs(scale.ratio) / scale.unit
    return abs(got - wanted) <= step * 1.001


def other_value(attr: Attr, value: object) -> object:
    """A legal value that differs from `value` by more than a step."""
    low, high = limits(attr)
    candidates = [shown(attr, low), shown(attr, high)]
    return next((each for each in candidates if not is_same(attr, each, value)), value)
