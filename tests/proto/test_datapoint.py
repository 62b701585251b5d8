"""mcu_proto.datapoint: definitions, the layout, values both ways."""

import copy
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit import vectors

from mcu_proto.const import ACTION_READ_REPLY, ACTION_REPORT
from mcu_proto.datapoint import WRITABLE, Schema
from mcu_proto.definition import _parse_attr, compute_positions, misplaced
from mcu_proto.errors import AttrError, LocalError, RemoteError

PRODUCTS = {product.name: product for product in vectors.products()}
SCHEMAS = {name: Schema.from_definition(product.definition) for name, product in PRODUCTS.items()}


def _cases(*kinds):
    """The P0 vectors of these kinds, with the name of their product."""
    cases = []
    for name, product in PRODUCTS.items():
        for case in product.cases:
            if case.kind in kinds:
                cases.append(pytest.param(name, case, id="%s-%s" % (name, case.name)))
    return cases


@pytest.mark.parametrize("name, case", _cases("control"))
def test_control_vector_holds_in_both_directions(name, case):
    schema = SCHEMAS[name]
    assert schema.encode_control(case.values) == case.p0
    assert _plain(schema, schema.decode_control(case.p0)) == _plain(schema, case.values)


@pytest.mark.parametrize("name, case", _cases("report", "read_reply"))
def test_report_vector_holds_in_both_directions(name, case):
    schema = SCHEMAS[name]
    decoded = _plain(schema, schema.decode(case.p0))
    if not case.note.startswith("decode only"):
        action = ACTION_REPORT if case.kind == "report" else ACTION_READ_REPLY
        assert schema.encode_report(case.values, action) == case.p0
    for attr, value in _plain(schema, case.values).items():
        assert decoded[attr] == value


@pytest.mark.parametrize("name, case", _cases("read"))
def test_read_vector(name, case):
    assert SCHEMAS[name].encode_read(case.values or None) == case.p0


@pytest.mark.parametrize("name", [name for name, schema in SCHEMAS.items() if not schema.variable])
def test_positions_are_computed_as_the_platform_does(name):
    definition = copy.deepcopy(PRODUCTS[name].definition)
    for row in definition["entities"][0]["attrs"]:
        if row["data_type"] != "binary":
            del row["position"]
    if any(attr.data_type == "binary" for attr in SCHEMAS[name].attrs):
        return
    assert Schema.from_definition(definition).attrs == SCHEMAS[name].attrs


@pytest.mark.parametrize("row", vectors.conversions(), ids=lambda row: "%(raw)s=%(display)s" % row)
def test_conversion_vector_is_exact(row):
    schema = _number("uint32", ratio=row["ratio"], addition=row["addition"])
    p0 = b"\x04" + row["raw"].to_bytes(4, "big")
    assert schema.encode_report({"n": row["display"]}) == p0
    assert schema.decode(p0) == {"n": row["display"]}


@pytest.mark.parametrize("ratio, addition", [(0.1, -30), ("0.1", "-30"), (0.01, 0.5), (0.5, -10), (5, 7), (1e-3, 0)])
def test_every_step_of_a_range_survives_the_round_trip(ratio, addition):
    schema = _number("uint16", ratio=ratio, addition=addition, maximum=2000)
    for raw in range(2001):
        value = schema.decode(b"\x04" + raw.to_bytes(2, "big"))["n"]
        assert Decimal(str(value)) == raw * Decimal(str(ratio)) + Decimal(str(addition))
        assert schema.encode_report({"n": value}) == b"\x04" + raw.to_bytes(2, "big")


@given(st.decimals(-30, 50, places=3))
def test_a_value_between_two_steps_is_rounded_half_up(value):
    schema = _number("uint16", ratio=0.1, addition=-30, maximum=800)
    raw = int(((value + 30) / Decimal("0.1")).quantize(Decimal(1), ROUND_HALF_UP))
    assert schema.encode_report({"n": str(value)}) == b"\x04" + raw.to_bytes(2, "big")


@given(st.data(), st.sampled_from(sorted(SCHEMAS)))
def test_decode_undoes_encode_of_a_report(data, name):
    schema = SCHEMAS[name]
    values = data.draw(st.fixed_dictionaries({attr.name: _values(attr) for attr in schema.attrs}))
    assert schema.decode(schema.encode_report(values)) == values


@given(st.data(), st.sampled_from(sorted(SCHEMAS)))
def test_decode_undoes_encode_of_a_control(data, name):
    schema = SCHEMAS[name]
    writable = [attr for attr in schema.attrs if attr.access == "status_writable"]
    values = data.draw(st.fixed_dictionaries({}, optional={attr.name: _values(attr) for attr in writable}))
    assert schema.decode_control(schema.encode_control(values)) == values


@given(st.sampled_from(sorted(SCHEMAS)), st.binary(max_size=80))
def test_bad_p0_raises_nothing_but_remote_error(name, p0):
    for decode in (SCHEMAS[name].decode, SCHEMAS[name].decode_control):
        try:
            decode(p0)
        except RemoteError:
            pass


def test_short_report_of_a_fixed_length_product_is_refused():
    with pytest.raises(RemoteError, match=r"^dev_status of 9 bytes, 10 expected$"):
        SCHEMAS["pet_house"].decode(b"\x04" + bytes(9))


@pytest.mark.parametrize(
    "name, p0, why",
    [
        ("pet_house", b"", "action 00 is no control of this product"),
        ("pet_house", b"\x04" + bytes(10), "action 04 is no control of this product"),
        ("pet_house", b"\x11" + bytes(10), "action 11 is no control of this product"),
        ("pet_house", b"\x01" + bytes(5), "control of 6 bytes, 7 expected"),
        ("sensor_var", b"\x01\x00", "action 01 is no control of this product"),
        ("sensor_var", b"\x11", "attr_flags are cut: P0 of 1 bytes"),
    ],
)
def test_refused_control_of_the_peer_says_what_was_expected(name, p0, why):
    with pytest.raises(RemoteError, match="^%s$" % why):
        SCHEMAS[name].decode_control(p0)


@pytest.mark.parametrize(
    "name, p0, why",
    [
        ("pet_house", b"", "action 00 is no report of this product"),
        ("pet_house", b"\x01" + bytes(10), "action 01 is no report of this product"),
        ("pet_house", b"\x14" + bytes(10), "action 14 is no report of this product"),
        ("sensor_var", b"\x04" + bytes(10), "action 04 is no report of this product"),
        ("sensor_var", b"\x13", "attr_flags are cut: P0 of 1 bytes"),
    ],
)
def test_refused_report_says_what_was_expected(name, p0, why):
    with pytest.raises(RemoteError, match="^%s$" % why):
        SCHEMAS[name].decode(p0)


def test_what_is_cut_off_a_variable_report_is_left_out():
    schema = SCHEMAS["sensor_var"]
    assert schema.decode(bytes.fromhex("143f 0d 17")) == {
        "hot": True,
        "damp": False,
        "flame": True,
        "gas": True,
        "temp": 23,
    }
    assert schema.decode(bytes.fromhex("143f 0d")) == {"hot": True, "damp": False, "flame": True, "gas": True}
    assert schema.decode(bytes.fromhex("143f")) == {}


def test_what_a_report_does_not_give_is_sent_as_raw_0():
    assert SCHEMAS["pet_house"].encode_report({"Humidity": 10}) == b"\x04" + bytes(7) + b"\x0a\x00\x00"


def test_a_read_without_names_asks_for_everything():
    assert SCHEMAS["sensor_var"].encode_read() == b"\x12\x3f"
    assert SCHEMAS["sensor_var"].encode_read([]) == b"\x12\x00"
    assert SCHEMAS["pet_house"].encode_read(["LED_R"]) == b"\x02"


def test_a_ratio_below_0_turns_the_range_round():
    schema = _number("uint8", ratio=-0.5, addition=10, maximum=20)
    assert schema.encode_report({"n": 10}) == b"\x04\x00"
    assert schema.encode_report({"n": 0}) == b"\x04\x14"
    assert schema.decode(b"\x04\x01") == {"n": 9.5}
    with pytest.raises(AttrError, match=r"^attribute n: 10\.5 is not within 0 to 10$"):
        schema.encode_report({"n": 10.5})


def test_surplus_of_a_report_is_ignored():
    schema = SCHEMAS["pet_house"]
    assert schema.decode(b"\x04" + bytes(10) + b"\xff\xff") == schema.decode(b"\x04" + bytes(10))


@pytest.mark.parametrize(
    "name, value, why",
    [
        ("LED_OnOff", 2, "2 is none of 0, 1, true and false"),
        ("LED_Color", "Green", "Green is none of Customize, Yellow, Purple, Pink or their indexes"),
        ("LED_Color", 4, "4 is none of Customize, Yellow, Purple, Pink or their indexes"),
        ("LED_Color", -1, "-1 is none of Customize, Yellow, Purple, Pink or their indexes"),
        ("LED_Color", None, "None is none of Customize, Yellow, Purple, Pink or their indexes"),
        ("Motor_Speed", 6, "6 is not within -5 to 5"),
        ("Motor_Speed", -6, "-6 is not within -5 to 5"),
        ("Motor_Speed", "1e20", "1e20 is not within -5 to 5"),
        ("Motor_Speed", 10**64 - 1, "9" * 40 + " is not within -5 to 5"),
        ("Motor_Speed", "fast", "fast is no number"),
        ("Motor_Speed", None, "none is no number"),
        ("Motor_Speed", float("nan"), "nan is no number"),
        ("Motor_Speed", float("inf"), "inf is no number"),
        ("Motor_Speed", [1], "[1] is no number"),
        ("Motor_Speed", "", " is no number"),
        ("Motor_Speed", "1e", "1e is no number"),
        ("Motor_Speed", "1_0", "1_0 is no number"),
        ("Motor_Speed", "1.2.3", "1.2.3 is no number"),
        ("Motor_Speed", "1e0e0", "1e0e0 is no number"),
        ("Motor_Speed", "+-1", "+-1 is no number"),
        ("Motor_Speed", "\u00b2", "\u00b2 is no number"),
        ("Motor_Speed", "1e21", "1e21 is beyond any datapoint"),
        ("Motor_Speed", "1e-21", "1e-21 is beyond any datapoint"),
        ("Motor_Speed", "0" * 65, "0" * 40 + " is beyond any datapoint"),
        ("Motor_Speed", 10**64, "a number of more than 64 digits is beyond any datapoint"),
        ("Temperature", 20, "cannot be set, it is status_readonly"),
        ("Heater", 1, "this product has no such attribute"),
    ],
)
def test_refused_control_names_the_attribute_and_what_was_expected(name, value, why):
    with pytest.raises(AttrError) as error:
        SCHEMAS["pet_house"].encode_control({name: value})
    assert error.value.args == (name, why)
    assert str(error.value) == "attribute %s: %s" % (name, why)


@pytest.mark.parametrize(
    "value, raw",
    [("1e2", 100), ("+1.5E1", 15), ("1e-20", 0), ("0" * 63 + "7", 7), (" 7 ", 7), ("7e0", 7), ("0.7e+1", 7), (6.5, 7)],
)
def test_a_number_is_taken_in_every_form(value, raw):
    assert SCHEMAS["pet_house"].encode_report({"LED_R": value})[2] == raw


@pytest.mark.parametrize(
    "value, why",
    [
        (bytes(61), "61 bytes are too many, 60 fit"),
        (10**12, "1000000000000 is neither bytes nor hex text"),
        ("xyz", "xyz is neither bytes nor hex text"),
        ([256], "[256] is neither bytes nor hex text"),
        (1.5, "1.5 is neither bytes nor hex text"),
    ],
)
def test_refused_binary_says_why(value, why):
    with pytest.raises(AttrError) as error:
        SCHEMAS["extension60"].encode_control({"kuozhan": value})
    assert error.value.args == ("kuozhan", why)


@pytest.mark.parametrize("value", ["1122", b"\x11\x22", [0x11, 0x22], bytearray(b"\x11\x22")])
def test_binary_is_taken_in_every_form_and_padded(value):
    assert SCHEMAS["extension60"].encode_control({"kuozhan": value}) == b"\x01\x01\x11\x22" + bytes(58)


@pytest.mark.parametrize("labels, accepted", [([], 1), (["a"], 1), (["a", "b", "c"], 3)])
def test_enum_is_taken_by_its_index(labels, accepted):
    schema = Schema.from_definition(_definition("enum", enum=labels))
    for index in range(accepted):
        assert schema.encode_report({"n": index}) == bytes((4, index))
    with pytest.raises(AttrError):
        schema.encode_report({"n": accepted})


@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("attrs, flag_bytes", [(1, 1), (7, 1), (8, 1), (9, 2), (16, 2), (17, 3)])
def test_attr_flags_have_a_bit_for_each_attribute(variable, attrs, flag_bytes):
    rows = [{"id": i, "name": str(i), "type": WRITABLE, "data_type": "bool"} for i in range(attrs)]
    kind = "var_len" if variable else "standard"
    schema = Schema.from_definition({"protocolType": kind, "entities": [{"attrs": rows}]})
    values = {str(i): True for i in range(attrs)}
    flags = ((1 << attrs) - 1).to_bytes(flag_bytes, "big")
    assert schema.encode_control(values) == bytes((0x11 if variable else 0x01,)) + flags + flags
    assert schema.decode_control(schema.encode_control(values)) == values


def test_enum_beyond_its_labels_is_shown_as_its_number():
    definition = _definition("enum", enum=["a", "b", "c"])
    assert Schema.from_definition(definition).decode(b"\x04\x03") == {"n": 3}


@pytest.mark.parametrize(
    "change, why",
    [
        ({"type": "writable"}, "has type writable, expected one of status_writable, status_readonly, alert, fault"),
        ({"type": ["alert"]}, "has type ['alert'], expected one of status_writable, status_readonly, alert, fault"),
        ({"data_type": "int"}, "has data_type int, expected one of binary, bool, enum, uint16, uint32, uint8"),
        ({"data_type": []}, "has data_type [], expected one of binary, bool, enum, uint16, uint32, uint8"),
        ({"id": 3}, "has id 3, ids count from 0 without gaps"),
        ({"id": None}, "has no id"),
        ({"data_type": "binary", "position": None}, "is binary without a position: its length is unknown"),
        ({"position": {"byte_offset": 0, "bit_offset": 0, "len": 3}}, "has position len = 3, uint8 takes 1"),
        ({"position": {"byte_offset": 0, "bit_offset": 0, "len": 0}}, "has position len = 0"),
        ({"position": {"byte_offset": -1, "bit_offset": 0, "len": 1}}, "has position byte_offset = -1"),
        ({"position": {"byte_offset": 7200, "bit_offset": 0, "len": 1}}, "has position byte_offset = 7200"),
        ({"position": {"byte_offset": 0, "bit_offset": "0", "len": 1}}, "has position bit_offset = 0"),
        ({"position": {"byte_offset": 0, "len": 1}}, "has position bit_offset = None"),
        (
            {"data_type": "enum", "enum": list("abc"), "position": {"byte_offset": 0, "bit_offset": 0, "len": 1}},
            "has position len = 1, 3 labels take 2",
        ),
        ({"position": 5}, "has a position that is no object"),
        ({"data_type": "enum", "enum": 5}, "has an enum that is no list of labels"),
        ({"uint_spec": 5}, "has a uint_spec that is no object"),
        ({"uint_spec": {"ratio": "x"}}, "x is no number"),
        ({"uint_spec": {"ratio": 0}}, "has ratio 0"),
        ({"uint_spec": {"addition": "y"}}, "y is no number"),
        ({"uint_spec": {"max": "many"}}, "has the limit many, a whole raw value expected"),
        ({"uint_spec": {"min": 0.5}}, "has the limit 0.5, a whole raw value expected"),
        ({"uint_spec": {"max": float("inf")}}, "has the limit inf, a whole raw value expected"),
    ],
)
def test_definition_error_names_the_attribute(change, why):
    with pytest.raises(AttrError) as error:
        Schema.from_definition(_definition("uint8", **change))
    assert error.value.args == ("n", why)


@pytest.mark.parametrize(
    "definition, why",
    [
        (None, "a product definition is an object with product_key and entities"),
        ([], "a product definition is an object with product_key and entities"),
        ({"entities": 5}, "entities is a list with one object, which holds attrs"),
        ({"entities": [5]}, "entities is a list with one object, which holds attrs"),
        ({"entities": [{"attrs": {"a": 1}}]}, "attrs is a list of objects, one for each datapoint"),
        ({"entities": [{"attrs": [5]}]}, "attrs is a list of objects, one for each datapoint"),
        ({"entities": [{"attrs": [{"id": 7, "name": ""}]}]}, "a datapoint without a name: id 7"),
        ({"entities": [{"attrs": [{"name": 5}]}]}, "a datapoint without a name: id None"),
    ],
)
def test_definition_of_another_shape_is_refused(definition, why):
    with pytest.raises(LocalError) as error:
        Schema.from_definition(definition)
    assert error.value.args == (why,)


@pytest.mark.parametrize(
    "spec, low, high", [({}, 0, 255), ({"min": 3, "max": 9.0}, 3, 9), ({"min": -1, "max": 999}, 0, 255)]
)
def test_limits_are_those_of_the_definition_within_what_the_bytes_hold(spec, low, high):
    schema = Schema.from_definition(_definition("uint8", uint_spec=spec))
    assert schema.encode_report({"n": low}) == bytes((4, low))
    assert schema.encode_report({"n": high}) == bytes((4, high))
    assert schema.beyond_limits({"n": low - 1}) == schema.beyond_limits({"n": high + 1}) == ["n"]


@pytest.mark.parametrize("kind, position", [("bool", (7199, 0, 1)), ("bool", (0, 7199, 1)), ("binary", (0, 0, 7199))])
def test_positions_reach_as_far_as_any_p0(kind, position):
    schema = Schema.from_definition(_definition(kind, position=_position(position)))
    assert schema.attr("n").position == position


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats(allow_nan=True) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
row_keys = st.sampled_from(["id", "name", "type", "data_type", "enum", "uint_spec", "position"])


@given(st.dictionaries(row_keys, json_values), st.sampled_from(["bool", "enum", "uint16", "binary"]), st.booleans())
def test_any_definition_is_taken_or_refused_by_local_error(row, data_type, whole):
    definition = _definition(data_type, **row) if whole else {"entities": row}
    try:
        Schema.from_definition(definition)
    except LocalError:
        pass


@pytest.mark.parametrize("first, second", [((0, 0, 1), (0, 0, 1)), ((0, 0, 3), (0, 2, 1)), ((0, 9, 2), (0, 10, 1))])
def test_two_attributes_in_the_same_bits_are_refused(first, second):
    definition = _definition("enum", enum=["a"], position=_position(first))
    attrs = definition["entities"][0]["attrs"]
    attrs.append({**attrs[0], "id": 1, "name": "m", "position": _position(second)})
    with pytest.raises(AttrError, match="attribute m: has the position of n"):
        Schema.from_definition(definition)


def test_a_number_inside_a_bit_block_is_refused():
    definition = _definition("bool", position=_position((0, 9, 1)))
    attrs = definition["entities"][0]["attrs"]
    attrs.append({**attrs[0], "id": 1, "name": "m", "data_type": "uint8", "position": _position((0, 0, 1))})
    with pytest.raises(AttrError, match="attribute m: has the position of n"):
        Schema.from_definition(definition)


def test_a_bit_block_is_as_long_as_its_farthest_bit_whatever_the_order():
    definition = _definition("bool", position=_position((0, 9, 1)))
    attrs = definition["entities"][0]["attrs"]
    attrs.append({**attrs[0], "id": 1, "name": "low", "position": _position((0, 0, 1))})
    attrs.append({**attrs[0], "id": 2, "name": "m", "data_type": "uint8", "position": _position((1, 0, 1))})
    with pytest.raises(AttrError, match="attribute m: has the position of low"):
        Schema.from_definition(definition)
    attrs[2]["position"] = _position((2, 0, 1))
    assert Schema.from_definition(definition).decode(bytes.fromhex("04 0200 07")) == {"n": True, "low": False, "m": 7}


@pytest.mark.parametrize("bools, offset", [(7, 1), (8, 1), (9, 2)])
def test_a_number_may_follow_its_bit_block_at_once(bools, offset):
    rows = [{"id": i, "name": str(i), "type": WRITABLE, "data_type": "bool"} for i in range(bools)]
    rows.append({"id": bools, "name": "n", "type": WRITABLE, "data_type": "uint8"})
    schema = Schema.from_definition({"entities": [{"attrs": rows}]})
    assert schema.attr("n").position == (offset, 0, 1)
    assert schema.encode_report({"n": 7}) == b"\x04" + bytes(offset) + b"\x07"


def test_a_position_that_differs_from_the_platforms_wins_and_is_told():
    definition = _definition("uint8", position=_position((3, 0, 1)))
    schema = Schema.from_definition(definition)
    assert schema.encode_report({"n": 7}) == b"\x04\x00\x00\x00\x07"
    assert misplaced(schema.attrs) == ["n"]
    assert misplaced(SCHEMAS["everything_fixed"].attrs) == []


def test_values_beyond_the_limits_are_shown_and_told():
    schema = SCHEMAS["pet_house"]
    values = schema.decode(b"\x04" + bytes((1, 255, 0, 0, 11, 0, 0, 0, 0, 0)))
    assert values["Motor_Speed"] == 6
    assert schema.beyond_limits(values) == ["LED_R", "Motor_Speed"]
    assert schema.beyond_limits(schema.decode(b"\x04" + bytes(10))) == []


# A definition as a platform would make it: attributes in the order of access and type, up to 128 of them.
kinds = st.sampled_from(["bool", "enum", "uint8", "uint16", "uint32", "binary"])
accesses = st.sampled_from(["status_writable", "status_readonly", "alert", "fault"])


@st.composite
def definitions(draw):
    variable = draw(st.booleans())
    pairs = draw(st.lists(st.tuples(accesses, kinds), max_size=draw(st.sampled_from([3, 20, 128]))))
    order = ["bool", "enum", "uint8", "uint16", "uint32", "binary"]
    groups = ["status_writable", "status_readonly", "alert", "fault"]
    pairs.sort(key=lambda pair: (0 if variable else groups.index(pair[0]), order.index(pair[1])))
    rows = []
    for i, (access, kind) in enumerate(pairs):
        row = {"id": i, "name": "attr%d" % i, "type": access, "data_type": kind}
        if kind == "enum":
            row["enum"] = ["label%d" % n for n in range(draw(st.integers(1, 40)))]
        elif kind == "binary":
            row["position"] = {"byte_offset": 0, "bit_offset": 0, "len": draw(st.integers(1, 4)), "unit": "byte"}
        elif kind != "bool":
            ratio = draw(st.sampled_from([1, 2, 0.1, 0.5, 0.01, "0.25"]))
            row["uint_spec"] = {"ratio": ratio, "addition": draw(st.sampled_from([0, -30, 7, -0.5]))}
        rows.append(row)
    if not variable:
        # A binary has no length without a position, so all of them get the platform's.
        attrs = compute_positions([_parse_attr(row) for row in rows])
        for row, attr in zip(rows, attrs, strict=True):
            row["position"] = _position(attr.position)
    return {"protocolType": "var_len" if variable else "standard", "entities": [{"attrs": rows}]}


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(definitions(), st.randoms(use_true_random=False))
def test_any_product_decodes_what_it_encodes(definition, rng):
    schema = Schema.from_definition(definition)
    values = {attr.name: _any_value(attr, rng) for attr in schema.attrs if not schema.variable or rng.random() < 0.7}
    assert schema.decode(schema.encode_report(values)) == values
    control = {attr.name: values[attr.name] for attr in schema.attrs if attr.access == WRITABLE and attr.name in values}
    assert schema.decode_control(schema.encode_control(control)) == control
    assert misplaced(schema.attrs) == [] or schema.variable


def _any_value(attr, rng):
    if attr.data_type == "bool":
        return bool(rng.randrange(2))
    if attr.data_type == "enum":
        return rng.choice(attr.spec)
    if attr.data_type == "binary":
        return rng.randbytes(attr.position[2])
    raw = rng.randint(attr.spec.low, attr.spec.high)
    return _shown(raw * attr.spec.ratio + attr.spec.addition, attr.spec.unit)


def test_definition_with_a_name_twice_is_refused():
    definition = _definition("bool")
    attrs = definition["entities"][0]["attrs"]
    attrs.append({**attrs[0], "id": 1})
    with pytest.raises(AttrError, match=r"^attribute n: is defined twice$"):
        Schema.from_definition(definition)


def test_definition_with_an_id_twice_is_refused():
    definition = _definition("bool", position=_position((0, 0, 1)))
    attrs = definition["entities"][0]["attrs"]
    attrs.append({**attrs[0], "position": None})
    with pytest.raises(AttrError, match=r"^attribute n: has id 0, "):
        Schema.from_definition(definition)


@pytest.mark.parametrize("more", [{}, {"entities": [{"attrs": [{"name": "n"}]}]}])
def test_transparent_product_has_no_attributes(more):
    schema = Schema.from_definition({"protocolType": "custom", "product_key": "k", **more})
    assert (schema.product_key, schema.attrs) == ("k", ())


def test_definition_without_a_product_key_is_taken():
    assert Schema.from_definition({}).product_key == ""


def test_product_without_attributes_reports_nothing():
    schema = Schema.from_definition({})
    assert schema.encode_report({}) == b"\x04"
    assert schema.decode(b"\x04") == {}


def test_attributes_of_a_product_of_variable_length_have_sizes_and_no_places():
    schema = Schema.from_definition(PRODUCTS["sensor_var"].definition)
    assert [attr.position for attr in schema.attrs] == [(0, 0, 1)] * 6


def test_a_schema_of_attributes_is_of_fixed_length_unless_said_otherwise():
    assert Schema("k", SCHEMAS["pet_house"].attrs).encode_read() == b"\x02"


def _definition(kind, **row):
    attr = {"id": 0, "name": "n", "type": "status_writable", "data_type": kind, **row}
    return {"protocolType": "standard", "entities": [{"attrs": [attr]}]}


def _position(position):
    return dict(zip(("byte_offset", "bit_offset", "len"), position, strict=True))


def _number(data_type, ratio, addition, maximum=2**32 - 1):
    spec = {"min": 0, "max": maximum, "ratio": ratio, "addition": addition}
    return Schema.from_definition(_definition(data_type, uint_spec=spec))


def _values(attr):
    if attr.data_type == "bool":
        return st.booleans()
    if attr.data_type == "enum":
        return st.sampled_from(attr.spec)
    if attr.data_type == "binary":
        return st.binary(min_size=attr.position[2], max_size=attr.position[2])
    scale = attr.spec
    return st.integers(scale.low, scale.high).map(lambda raw: _shown(raw * scale.ratio + scale.addition, scale.unit))


def _shown(n, unit):
    return n // unit if n % unit == 0 else n / unit


def _plain(schema, values):
    """Values as raw comparable things: labels as indexes, binaries as padded hex."""
    out = {}
    for name, value in values.items():
        attr = schema.attr(name)
        if attr.data_type == "enum" and isinstance(value, str):
            value = attr.spec.index(value)
        if attr.data_type == "binary":
            text = value.hex() if isinstance(value, bytes) else value
            value = text.ljust(2 * attr.position[2], "0")
        out[name] = value
    return out
