"""Fuzz targets of payloads and definitions: a parser raises its one error or gives what survives a round trip."""

import json
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from testkit import vectors

from mcu_proto import mcu_message, message, module_info, subdevice, transaction, transfer
from mcu_proto.const import ACTION_REPORT, ACTION_SUBDEVICE_UP, MAX_PAYLOAD
from mcu_proto.datapoint import ACCESS, DATA_TYPES, WRITABLE, Schema, decimal
from mcu_proto.errors import AttrError, LocalError, RemoteError

from .script import Script

SCHEMAS = [Schema.from_definition(product.definition) for product in vectors.products()]
# Floats are exact up to here: a larger shown value may be rounded when it is printed.
_EXACT = 10**15


def _build_module_info(item):
    if isinstance(item, module_info.ModuleInfo):
        return module_info.build_module_info(item)
    return module_info.build_cellular_info(item)


# (parser, builder of what it gave, or None). The order is part of the corpus: append only.
PARSERS = (
    (message.parse_device_info, mcu_message.build_device_info),
    (message.parse_config_mode, None),
    (message.parse_illegal, None),
    (message.parse_env, None),
    (mcu_message.parse_module_status, message.build_module_status),
    (mcu_message.parse_network_time, None),
    (module_info.parse_module_info, _build_module_info),
    (transaction.parse_transaction, transaction.build_transaction),
    (subdevice.parse_registration, subdevice.build_registration),
    (subdevice.parse_registration_result, subdevice.build_registration_result),
    (subdevice.parse_states, subdevice.build_states),
    (subdevice.parse_data, lambda items: subdevice.build_data(ACTION_SUBDEVICE_UP, items)),
    (transfer.parse_announce, lambda item: transfer.build_announce(*item)),
    (transfer.parse_ready, lambda item: transfer.build_ready(*item)),
)


def messages(data):
    """Every parser of one payload, chosen by the first byte: RemoteError, or an item that survives build and parse."""
    script = Script(data)
    parse, build = script.pick(PARSERS)
    try:
        item = parse(data[1:])
    except RemoteError:
        return
    if build is not None:
        assert parse(build(item)) == item


def p0(data):
    """P0 of a vector product, chosen by the first byte: RemoteError, or values that survive encode and decode."""
    _check_p0(Script(data).pick(SCHEMAS), data[1:])


def values(data):
    """JSON values for a vector product, chosen by the first byte: AttrError, or a control that decodes."""
    schema = Script(data).pick(SCHEMAS)
    asked = _json(data[1:])
    if not isinstance(asked, dict):
        return
    try:
        control = schema.encode_control(asked)
    except LocalError:
        return
    assert set(schema.decode_control(control)) == set(asked)


def number(data):
    """Decimal text: refused, or exactly what the standard library makes of it."""
    text = data.decode("latin-1")
    try:
        n, unit = decimal("x", text)
    except AttrError:
        return
    try:
        assert Fraction(n, unit) == Fraction(Decimal(text.strip()))
    except InvalidOperation:
        raise AssertionError("%r is taken as %d / %d" % (text, n, unit)) from None


def definition(data):
    """Any JSON as a definition: LocalError, or a schema that reads P0 of its own size."""
    try:
        schema = Schema.from_definition(_json(data))
    except LocalError as error:
        assert len(str(error)) < 500 + 2 * len(data)
        return
    _check_schema(schema, b"")


def layout(data):
    """A definition built by a script, mostly a good one, then P0 of its size."""
    script = Script(data)
    rows = []
    kind = script.pick(("standard", "var_len"))
    for i in range(script.number() % 24):
        data_type = script.pick(sorted(DATA_TYPES))
        row = {"id": i, "name": "a%d" % i, "type": script.pick(ACCESS), "data_type": data_type}
        if data_type == "enum":
            row["enum"] = [str(n) for n in range(script.number())]
        elif data_type == "binary":
            place = {"byte_offset": script.number(), "bit_offset": 0, "len": script.number() % 32}
            row["position"] = place
        elif data_type != "bool":
            row["uint_spec"] = {
                "min": script.pick((0, 0, 1, -3, 100)),
                "max": script.pick((255, 100, 65535, 4294967295, 10**12)),
                "ratio": script.pick((1, 0.1, "0.01", 5, -2, "1e-3", 7.5, 0.3)),
                "addition": script.pick((0, -30, 0.5, "-0.05", 100)),
            }
        rows.append(row)
    try:
        schema = Schema.from_definition({"product_key": "k", "protocolType": kind, "entities": [{"attrs": rows}]})
    except LocalError:
        return
    _check_schema(schema, script.take(MAX_PAYLOAD))


def _check_schema(schema, filling):
    size = len(schema.encode_report({}))
    # What a definition of n attributes can ask for: each of them at the end of the largest offset.
    assert size <= 1 + (len(schema.attrs) + 7) // 8 + 16 * MAX_PAYLOAD
    head = schema.encode_report({})[:1]
    for fill in (filling, b"", b"\xff" * (size - 1)):
        _check_p0(schema, head + fill.ljust(size - 1, b"\x00"))

    for attr in schema.attrs:
        for value in (-1, 0, 1 << 32, 0.05, -2.5, "7e19"):
            try:
                schema.encode_report({attr.name: value})
            except LocalError:
                continue


def _check_p0(schema, data):
    _check_control(schema, data)
    try:
        got = schema.decode(data)
    except RemoteError:
        return
    good = _encodable(schema, got)
    assert _subset(schema.decode(schema.encode_report(good, ACTION_REPORT)), good) == good
    sent = {name: value for name, value in good.items() if schema.attr(name).access == WRITABLE}
    assert schema.decode_control(schema.encode_control(sent)) == sent


def _check_control(schema, data):
    try:
        got = schema.decode_control(data)
    except RemoteError:
        return
    good = _encodable(schema, got)
    assert schema.decode_control(schema.encode_control(good)) == good


def _encodable(schema, got):
    """The values that the definition allows and a label or a float can tell."""
    beyond = schema.beyond_limits(got)
    return {name: value for name, value in got.items() if name not in beyond and _is_told(schema.attr(name), value)}


def _is_told(attr, value):
    if attr.data_type == "enum":
        return len(set(attr.spec)) == len(attr.spec)
    if not isinstance(value, float):
        return True
    return abs(value) * attr.spec.unit < _EXACT


def _subset(whole, part):
    return {name: whole[name] for name in part}


def _json(data):
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
