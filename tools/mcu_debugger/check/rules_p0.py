"""Rules of read, control and transparent data. Serial manual, chapters 5.1, 5.2 and 6."""

from mcu_proto import const as c
from mcu_proto.datapoint import DATA_TYPES, Scale

from ..value_text import limits, shown
from .attributes import (
    control,
    control_until_read,
    decode,
    expect_values,
    other_value,
    read_reply,
    read_values,
    schema_of,
    writable,
)
from .bench import Bench
from .rule import ACTIVE, Rule
from .verdict import Broken, NotSeen

# A report that follows a control at once.
_REPORT_WITHIN = 1000
_QUIET = 500


def _read(bench: Bench) -> str:
    p0 = read_reply(bench)
    expected = c.ACTION_VAR_READ_REPLY if schema_of(bench).variable else c.ACTION_READ_REPLY
    if p0[0] != expected:
        raise Broken("the reply has action %02x, expected %02x" % (p0[0], expected))
    return "%d attributes" % len(decode(bench, p0))


def dev_status_wrong(bench: Bench, p0: bytes) -> str:
    """What is wrong with the size and the padding of a dev_status, "" when nothing is."""
    schema = schema_of(bench)
    if schema.variable:
        return ""
    wanted = len(schema.encode_report({}))
    if len(p0) != wanted:
        return "P0 of %d bytes, expected the action and a dev_status of %d" % (len(p0), wanted - 1)
    used = 0
    for attr in schema.attrs:
        used |= int.from_bytes(_all_ones(bench, attr.name), "big")
    surplus = int.from_bytes(p0[1:], "big") & ~used
    return "padding bits are set: %0*x" % (2 * (wanted - 1), surplus) if surplus else ""


def _all_ones(bench: Bench, name: str) -> bytes:
    """dev_status with every bit of one attribute set."""
    schema = schema_of(bench)
    attr = schema.attr(name)
    offset, bit, size = attr.position
    whole = len(schema.encode_report({})) - 1
    if DATA_TYPES[attr.data_type] != 0:
        return bytes(offset) + b"\xff" * size + bytes(whole - offset - size)
    block = max(a.position[1] + a.position[2] for a in schema.attrs if a.position[0] == offset and _is_packed(a))
    end = offset + (block + 7) // 8
    return (((1 << size) - 1) << bit << 8 * (whole - end)).to_bytes(whole, "big")


def _is_packed(attr: object) -> bool:
    return DATA_TYPES[attr.data_type] == 0  # type: ignore[attr-defined]


def _read_layout(bench: Bench) -> str:
    wrong = dev_status_wrong(bench, read_reply(bench))
    if wrong:
        raise Broken(wrong)
    return ""


def _read_values_legal(bench: Bench) -> str:
    beyond = schema_of(bench).beyond_limits(read_values(bench))
    if beyond:
        raise Broken("beyond what the product allows: %s" % ", ".join(beyond))
    return ""


def _control_ack(bench: Bench) -> str:
    attr = writable(bench)[0]
    ack = control(bench, {attr.name: read_values(bench)[attr.name]})
    if ack.item.payload:
        raise Broken("the ack of a control has %d bytes of payload, expected none" % len(ack.item.payload))
    return "after %d ms" % ack.rtt


def _control_effective(bench: Bench) -> str:
    failed = []
    attrs = writable(bench)
    before = read_values(bench)
    for attr in attrs:
        try:
            control_until_read(bench, {attr.name: other_value(attr, before[attr.name])})
        except Broken as e:
            failed.append(str(e))
        control(bench, {attr.name: before[attr.name]})
    if failed:
        raise Broken("; ".join(failed[:5]))
    return "%d attributes" % len(attrs)


def _control_reported(bench: Bench) -> str:
    attr = writable(bench)[0]
    before = read_values(bench)[attr.name]
    wanted = other_value(attr, before)
    bench.listen(_QUIET)
    mark = bench.mark()
    control(bench, {attr.name: wanted})
    begin = bench.now()
    found = bench.wait(lambda heard: _reports(bench, heard.item, attr.name) == wanted, _REPORT_WITHIN, mark)
    control(bench, {attr.name: before})
    if found is None:
        raise Broken("no report with %s within %d ms of its control" % (attr.name, _REPORT_WITHIN))
    return "after %d ms" % max(0, found.at - begin)


def _control_one_report(bench: Bench) -> str:
    attrs = writable(bench)[:2]
    if len(attrs) < 2:
        raise NotSeen("the product has one writable attribute only")
    before = read_values(bench)
    bench.listen(_QUIET)
    mark = bench.mark()
    control(bench, {attr.name: other_value(attr, before[attr.name]) for attr in attrs})
    bench.listen(_REPORT_WITHIN)
    reports = {(each.item.sn, each.item.payload) for each in bench.frames(mark, c.CMD_P0_UP)}
    control(bench, {attr.name: before[attr.name] for attr in attrs})
    if len(reports) != 1:
        raise Broken("%d reports after a control of two attributes, expected one" % len(reports))
    return ""


def _reports(bench: Bench, item: object, name: str) -> object:
    if getattr(item, "cmd", None) != c.CMD_P0_UP:
        return None
    payload = item.payload  # type: ignore[attr-defined]
    return decode(bench, payload).get(name) if payload[:1] in (b"\x04", b"\x14") else None


def _control_flags(bench: Bench) -> str:
    attrs = writable(bench)
    if len(attrs) < 2 or schema_of(bench).variable:
        raise NotSeen("needs a product of fixed length with two writable attributes")
    before = read_values(bench)
    first, second = attrs[0], attrs[1]
    wanted = other_value(first, before[first.name])
    values = {first.name: wanted, second.name: other_value(second, before[second.name])}
    p0 = bytearray(schema_of(bench).encode_control(values))
    # Both values are there, the flag of the second is not.
    p0[1 : 1 + (len(attrs) + 7) // 8] = (1).to_bytes((len(attrs) + 7) // 8, "big")
    bench.ask(c.CMD_P0_DOWN, bytes(p0))
    expect_values(bench, {first.name: wanted, second.name: before[second.name]})
    control(bench, {first.name: before[first.name]})
    return ""


def _control_nothing(bench: Bench) -> str:
    writable(bench)
    before = read_values(bench)
    control(bench, {})
    bench.listen(_QUIET)
    after = read_values(bench)
    changed = [attr.name for attr in writable(bench) if after[attr.name] != before[attr.name]]
    if changed:
        raise Broken("a control that flags nothing changed %s" % ", ".join(changed))
    return ""


def _control_zero(bench: Bench) -> str:
    attr = next((each for each in writable(bench) if limits(each)[0] == 0 and limits(each)[1] > 0), None)
    if attr is None:
        raise NotSeen("no writable attribute may be zero")
    before = read_values(bench)[attr.name]
    control_until_read(bench, {attr.name: shown(attr, limits(attr)[1])})
    control_until_read(bench, {attr.name: shown(attr, 0)})
    control(bench, {attr.name: before})
    return attr.name


def _control_limits(bench: Bench) -> str:
    attrs = [attr for attr in writable(bench) if isinstance(attr.spec, Scale)]
    if not attrs:
        raise NotSeen("no writable attribute is a number")
    before = read_values(bench)
    for attr in attrs:
        for raw in limits(attr):
            control_until_read(bench, {attr.name: shown(attr, raw)})
        control(bench, {attr.name: before[attr.name]})
    return ", ".join(attr.name for attr in attrs)


def _transparent(bench: Bench) -> str:
    ack = bench.ask(c.CMD_P0_DOWN, bytes((c.ACTION_TRANSPARENT_DOWN,)) + b"\x11\x22\xff\x55").item
    if ack.payload:
        raise Broken("the ack has %d bytes of payload, expected none" % len(ack.payload))
    return ""


def _garbage(bench: Bench) -> str:
    for p0 in (b"", b"\x7e", b"\x01", b"\x01\xff", bytes(40)):
        bench.send(c.CMD_P0_DOWN, p0)
        bench.listen(_QUIET)
        try:
            bench.ask(c.CMD_HEARTBEAT)
        except Broken:
            raise Broken("dead after P0 '%s': a heartbeat gets no ack" % p0.hex(" ")) from None
    return ""


P0_RULES = (
    Rule("read", "5.2", "a read is answered in its ack, with action 03 (13)", ACTIVE, _read),
    Rule("dev-status", "6.2", "dev_status has its exact length, padding bits are 0", ACTIVE, _read_layout),
    Rule("values-legal", "6.5", "every value is one that the product allows", ACTIVE, _read_values_legal),
    Rule("control-ack", "5.2", "a control is acked by an empty 04", ACTIVE, _control_ack),
    Rule("control-effective", "5.2", "a control changes every writable attribute", ACTIVE, _control_effective),
    Rule("control-reported", "5.3", "a changed writable attribute is reported at once", ACTIVE, _control_reported),
    Rule("control-one-report", "5.3", "a control of several attributes brings one report", ACTIVE, _control_one_report),
    Rule("control-flags", "6.3", "what is not flagged is not changed", ACTIVE, _control_flags),
    Rule("control-nothing", "6.3", "a control that flags nothing changes nothing", ACTIVE, _control_nothing),
    Rule("control-zero", "6.3", "a zero that is flagged is a command", ACTIVE, _control_zero),
    Rule("control-limits", "6.5", "the least and the greatest value are taken", ACTIVE, _control_limits),
    Rule("transparent", "5.1", "transparent data is acked by an empty 04", ACTIVE, _transparent),
    Rule("p0-garbage", "5.1", "P0 that means nothing does no harm", ACTIVE, _garbage),
)
