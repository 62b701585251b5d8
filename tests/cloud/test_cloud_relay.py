import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from localcloud import relay
from testkit.cloud_running import LAMP

from gagent import wire
from mcu_proto.datapoint import Schema
from mcu_proto.errors import AttrError, RemoteError

SCHEMA = Schema.from_definition(LAMP)
STATE = {"power": True, "mode": "warm", "level": 12.5, "scene": "00000001", "heat": 0}


def _p0(action: int) -> bytes:
    return bytes(SCHEMA.encode_report({**STATE, "scene": b"\0\0\0\1"}, action))


@pytest.mark.parametrize("cmd", [wire.CLOUD_REPORT, wire.CLOUD_CONTROL, wire.CLOUD_CONTROL_ACK])
@pytest.mark.parametrize("action", [3, 4])
def test_the_state_is_read_from_every_envelope_that_carries_one(cmd, action):
    assert relay.state_of(SCHEMA, wire.encode(cmd, _p0(action), 7)) == STATE


@pytest.mark.parametrize(
    ("cmd", "p0"), [(wire.CLOUD_REPORT, b""), (wire.CLOUD_REPORT, b"\x06abc"), (wire.CLOUD_COMMAND, _p0(4))]
)
def test_envelopes_without_a_state_have_none(cmd, p0):
    assert relay.state_of(SCHEMA, wire.encode(cmd, p0)) == {}


@given(st.binary(max_size=80))
def test_whatever_a_device_sends_is_a_state_or_a_remote_error(payload):
    try:
        assert isinstance(relay.state_of(SCHEMA, payload), dict)
    except RemoteError:
        pass


@given(st.binary(max_size=20))
def test_whatever_p0_a_device_sends_is_a_state_or_a_remote_error(p0):
    try:
        assert set(relay.state_of(SCHEMA, wire.encode(wire.CLOUD_REPORT, p0))) in ({*STATE}, set())
    except RemoteError:
        pass


def test_bools_are_shown_as_the_product_wants_them():
    assert relay.shown(STATE, "number") == {**STATE, "power": 1}
    assert type(relay.shown(STATE, "number")["power"]) is int
    assert relay.shown(STATE, "literal") == STATE


def test_a_control_is_the_p0_of_the_serial_manual_in_an_envelope_without_sn():
    p0 = relay.control_p0(SCHEMA, {"power": True, "level": 1}, "hex")
    assert p0.hex() == "01" + "05" + "01" + "02" + "00000000"
    assert relay.command(p0).hex() == "00000003" + "0b" + "000090" + p0.hex()


_text = st.text("0123456789abcdef+-.= \u6444", max_size=9)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*STATE, "nothing"]), _json), st.sampled_from(["hex", "base64"]))
def test_whatever_an_app_asks_for_is_a_p0_or_an_attr_error(attrs, coding):
    try:
        assert relay.control_p0(SCHEMA, attrs, coding)[0] == 1
    except AttrError:
        pass


@given(_json, st.sampled_from(["hex", "base64"]))
def test_whatever_raw_an_app_sends_is_a_p0_or_an_attr_error(raw, coding):
    try:
        assert 0 < len(relay.raw_p0(raw, coding)) <= relay.MAX_CONTROL
    except AttrError:
        pass


def test_a_client_id_has_the_23_characters_that_modules_keep():
    assert re.fullmatch(r"usr[0-9]{20}", relay.new_client())
    assert relay.new_client() != relay.new_client()
