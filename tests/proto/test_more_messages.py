"""mcu_proto.transaction and mcu_proto.subdevice: the payloads of 23, 25, 53, 55 and of P0 71 to 73."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit import vectors

from mcu_proto import subdevice
from mcu_proto.const import ACTION_SUBDEVICE_DOWN, ACTION_SUBDEVICE_UP
from mcu_proto.errors import RemoteError
from mcu_proto.message import parse_env
from mcu_proto.transaction import (
    Check,
    CheckResult,
    Download,
    DownloadResult,
    Offer,
    build_transaction,
    parse_transaction,
)

FRAMES = {vector.name: vector for vector in vectors.frames()}
KEY = "p" * 32

texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)
shorts = st.binary(max_size=255)
lists = {
    subdevice.parse_states: (subdevice.build_states, st.lists(st.tuples(shorts, st.integers(0, 1)), max_size=5)),
    subdevice.parse_data: (
        lambda items: subdevice.build_data(ACTION_SUBDEVICE_DOWN, items),
        st.lists(st.tuples(shorts, shorts), max_size=5),
    ),
}


@pytest.mark.parametrize(
    "name, item",
    [
        ("ota_transaction_check", Check(KEY, "d" * 22, "03010100", "03030001", 1)),
        ("ota_transaction_result_needed", CheckResult(1)),
        ("ota_transaction_download_failed", DownloadResult(1)),
    ],
)
def test_transaction_vector_holds_in_both_directions(name, item):
    payload = FRAMES[name].payload
    parsed = parse_transaction(payload)
    assert type(parsed) is type(item)
    assert build_transaction(parsed) == payload


@pytest.mark.parametrize(
    "item, payload",
    [
        (Check("k", "d", "h", "s", 0), b"\x01k" + bytes(31) + b"d" + bytes(31) + b"h" + bytes(7) + b"s" + bytes(8)),
        (CheckResult(0), b"\x02\x00"),
        (Offer("0302", "http://x"), b"\x020302" + bytes(4) + b"\x00\x08http://x"),
        (Download("http://x"), b"\x03\x00\x08http://x"),
        (DownloadResult(0), b"\x04\x00"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layout_of_every_transaction(item, payload):
    assert build_transaction(item) == payload
    assert parse_transaction(payload) == item


@given(
    st.builds(Check, texts, texts, texts, texts, st.integers(0, 1))
    | st.builds(Download, texts)
    | st.builds(CheckResult, st.integers(0, 1))
    | st.builds(Offer, texts, texts)
    | st.builds(DownloadResult, st.integers(0, 1))
)
def test_parse_undoes_build_of_a_transaction(item):
    assert parse_transaction(build_transaction(item)) == item


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x01" + bytes(80), b"\x02", b"\x02" + bytes(8), b"\x03\x00", b"\x03\x00\x09abc", b"\x04", b"\x09\x00"],
)
def test_transaction_that_is_cut_or_unknown_is_refused(payload):
    with pytest.raises(RemoteError):
        parse_transaction(payload)


def test_registration_vector_holds_in_both_directions():
    payload = FRAMES["subdev_register_two"].payload
    item = subdevice.parse_registration(payload)
    assert (len(item.devices), item.is_reset, item.attrs) == (2, 0, 0)
    assert subdevice.build_registration(item) == payload


def test_layout_of_a_registration_result():
    payload = b"\x03tag\x00\x02" + b"\x02m1\x0250\x00\x04did1" + b"\x02m2\x0251\x01\x00"
    item = subdevice.RegistrationResult(b"tag", 0, [(b"m1", b"50", 0, b"did1"), (b"m2", b"51", 1, b"")])
    assert subdevice.build_registration_result(item) == payload
    assert subdevice.parse_registration_result(payload) == item


def test_states_vector_holds_in_both_directions():
    p0 = FRAMES["subdev_online_sync"].payload
    assert subdevice.parse_states(p0) == [(b"0001", 1), (b"0002", 0)]
    assert subdevice.build_states([(b"0001", 1), (b"0002", 0)]) == p0


@pytest.mark.parametrize(
    "name, action, data",
    [("subdev_control", ACTION_SUBDEVICE_DOWN, "010101"), ("subdev_report", ACTION_SUBDEVICE_UP, "0401")],
)
def test_data_vector_holds_in_both_directions(name, action, data):
    p0 = FRAMES[name].payload
    items = [(b"0001", bytes.fromhex(data))]
    assert subdevice.parse_data(p0) == items
    assert subdevice.build_data(action, items) == p0


@pytest.mark.parametrize("parse", list(lists), ids=lambda f: f.__name__)
@given(st.data())
def test_parse_undoes_build_of_a_list(parse, data):
    build, items = lists[parse]
    drawn = data.draw(items)
    assert parse(build(drawn)) == drawn


@given(
    shorts,
    shorts,
    st.integers(0, 2**64 - 1),
    shorts,
    st.integers(0, 1),
    st.lists(st.tuples(shorts, shorts), max_size=4),
    st.integers(0, 255),
    shorts,
)
def test_parse_undoes_build_of_a_registration(key, secret, attrs, arg, is_reset, devices, result, did):
    item = subdevice.Registration(key, secret, attrs, arg, is_reset, devices)
    assert subdevice.parse_registration(subdevice.build_registration(item)) == item
    answer = subdevice.RegistrationResult(arg, result, [(mac, mesh, result, did) for mac, mesh in devices])
    assert subdevice.parse_registration_result(subdevice.build_registration_result(answer)) == answer


@pytest.mark.parametrize("name", ["subdev_register_two", "subdev_online_sync", "subdev_control"])
def test_list_that_is_cut_anywhere_is_refused(name):
    parse = {
        "subdev_register_two": subdevice.parse_registration,
        "subdev_online_sync": subdevice.parse_states,
        "subdev_control": subdevice.parse_data,
    }[name]
    payload = FRAMES[name].payload
    for size in range(len(payload)):
        with pytest.raises(RemoteError):
            parse(payload[:size])


@given(st.binary(max_size=120))
def test_parsers_raise_nothing_but_remote_error(payload):
    for parse in (
        parse_transaction,
        subdevice.parse_registration,
        subdevice.parse_registration_result,
        subdevice.parse_states,
        subdevice.parse_data,
    ):
        try:
            parse(payload)
        except RemoteError:
            pass


@pytest.mark.parametrize(
    "data, env",
    [
        (b"", {}),
        (b"cfgMode=1&apName0=John", {"cfgMode": "1", "apName0": "John"}),
        (b"a=1&&=2&b&c=&d=x=y", {"a": "1", "c": "", "d": "x=y"}),
        ("apName=Wärme".encode(), {"apName": "Wärme"}),
        (b"a=\xff\xfe&b=2", {"b": "2"}),
    ],
)
def test_environment_of_device_info(data, env):
    assert parse_env(data) == env
