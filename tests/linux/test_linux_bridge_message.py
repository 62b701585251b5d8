"""What is said on the home broker: states, events, refusals, and which sets are taken."""

import json

import pytest
from gagent_linux.home_message import MAX_SET, Refusal, build_error, build_event, build_state, parse_set
from hypothesis import given
from hypothesis import strategies as st
from testkit.repository import ROOT

from mcu_proto.datapoint import Schema

SCHEMA = Schema.from_definition(json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text()))
UTC = 1767225600.25


def test_a_state_has_every_value_and_the_time():
    values = {"power": True, "mode": "heat", "target_temp": 45.5, "timer": 7, "week_program": b"\x01\xff"}
    assert json.loads(build_state(values, UTC)) == {
        "power": True,
        "mode": "heat",
        "target_temp": 45.5,
        "timer": 7,
        "week_program": "01ff",
        "timestamp": "2026-01-01T00:00:00.250Z",
    }


@pytest.mark.parametrize("utc", [0.0, 1.5, 1704067199.0])
def test_a_clock_that_was_never_set_gives_no_time(utc):
    assert json.loads(build_state({}, utc)) == {"timestamp": None}


def test_an_attribute_called_timestamp_stands_beside_the_time():
    assert json.loads(build_state({"timestamp": 5}, UTC)) == {"timestamp_": 5, "timestamp": "2026-01-01T00:00:00.250Z"}


def test_an_event_is_one_alert_or_fault_with_the_time():
    event = json.loads(build_event("alert_frost", True, UTC))
    assert event == {"attr": "alert_frost", "value": True, "timestamp": "2026-01-01T00:00:00.250Z"}


def test_a_good_set_is_one_control_of_all_its_attributes():
    p0, refusals = parse_set(
        SCHEMA, b'{"power": true, "mode": "cool", "fan": 2, "target_temp": 45.5, "week_program": "01"}'
    )
    assert refusals == []
    assert SCHEMA.decode_control(p0) == {
        "power": True,
        "mode": "cool",
        "fan": "medium",
        "target_temp": 45.5,
        "week_program": b"\x01" + bytes(6),
    }


# A set -> (attribute, words of the refusal).
REFUSED = [
    ('{"power": 2}', "power", "none of 0, 1"),
    ('{"mode": "boil"}', "mode", "none of heat, cool"),
    ('{"mode": 5}', "mode", "none of heat, cool"),
    ('{"target_temp": 65.5}', "target_temp", "not within -10 to 65"),
    ('{"target_temp": "warm"}', "target_temp", "no number"),
    ('{"target_temp": null}', "target_temp", "no number"),
    ('{"target_temp": 1e999}', "target_temp", "no number"),
    ('{"week_program": "0102030405060708"}', "week_program", "too many"),
    ('{"week_program": {"a": 1}}', "week_program", "neither bytes nor hex"),
    ('{"pump": true}', "pump", "cannot be set"),
    ('{"alert_frost": false}', "alert_frost", "cannot be set"),
    ('{"nosuch": 1}', "nosuch", "no such attribute"),
    ("{}", None, "names no attribute"),
    ("[1]", None, "expected a JSON object"),
    ("power", None, "not JSON"),
    (" " * (MAX_SET + 1), None, "at most %d" % MAX_SET),
    (json.dumps({str(n): n for n in range(23)}), None, "23 attributes, the product has 22"),
]


@pytest.mark.parametrize(("payload", "attr", "words"), REFUSED)
def test_a_bad_set_is_refused_with_the_reason(payload, attr, words):
    p0, refusals = parse_set(SCHEMA, payload.encode())
    assert p0 == b""
    assert [refusal.attr for refusal in refusals] == [attr]
    assert words in refusals[0].error


def test_every_bad_attribute_of_a_set_is_named():
    refusals = parse_set(SCHEMA, b'{"power": 9, "eco": true, "timer": -1, "pump": 1}')[1]
    assert [refusal.attr for refusal in refusals] == ["power", "timer", "pump"]


@pytest.mark.parametrize("value", [None, 5, "text", [1], {"a": 1}, "\ud800"])
def test_an_error_gives_the_value_back(value):
    error = json.loads(build_error(Refusal("x", value, "why")))
    assert error == {"attr": "x", "value": "?" if value == "\ud800" else value, "error": "why"}


def test_an_error_gives_a_long_value_back_shortened():
    assert len(build_error(Refusal("x", ["y" * 9] * 999, "why"))) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([attr.name for attr in SCHEMA.attrs]) | st.text(max_size=5)


@given(st.dictionaries(NAMES, JSON, max_size=5))
def test_a_set_is_a_control_or_refused_and_nothing_else(values):
    p0, refusals = parse_set(SCHEMA, json.dumps(values).encode())
    assert bool(p0) != bool(refusals)
    for refusal in refusals:
        json.loads(build_error(refusal))


@given(st.binary(max_size=100))
def test_no_bytes_are_too_strange_for_a_set(payload):
    p0, refusals = parse_set(SCHEMA, payload)
    assert bool(p0) != bool(refusals)
