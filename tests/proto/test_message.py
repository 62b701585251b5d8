"""mcu_proto.message, mcu_message and module_info: the payloads of the basic commands, from both ends."""

import calendar
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit import vectors

from mcu_proto import mcu_message, message, module_info
from mcu_proto.errors import LocalError, RemoteError

FRAMES = {vector.name: vector for vector in vectors.frames()}
DEVICE_INFO = [name for name in FRAMES if name.startswith("device_info_v")]

ascii_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)
hex_key = st.text("0123456789abcdef", min_size=32, max_size=32)
versions = st.tuples(ascii_text, ascii_text, ascii_text, ascii_text)


@pytest.mark.parametrize("name", DEVICE_INFO)
def test_device_info_vector_holds_in_both_directions(name):
    payload = FRAMES[name].payload
    info = message.parse_device_info(payload)
    assert info.product_key and info.protocol_ver == "00000004"
    assert mcu_message.build_device_info(info) == payload


@pytest.mark.parametrize(
    "name, attr, secret, data",
    [
        ("device_info_v1", None, None, None),
        ("device_info_v2", 0x180, None, None),
        ("device_info_v3_sdk", 2, "fedcba9876543210fedcba9876543210", None),
        ("device_info_v4_empty_data", 2, "fedcba9876543210fedcba9876543210", b""),
        ("device_info_v4_with_env_data", 0, "b561bd2698fa4d9487f556c789ffa5cd", b"cfgMode=1&apName0=John"),
    ],
)
def test_layout_of_device_info_is_told_by_its_length(name, attr, secret, data):
    info = message.parse_device_info(FRAMES[name].payload)
    assert (info.device_attr, info.product_secret, info.data) == (attr, secret, data)


@given(
    versions,
    hex_key,
    st.integers(0, 65535),
    st.sampled_from([1, 2, 3, 4]),
    st.integers(0, 2**64 - 1),
    hex_key,
    st.binary(max_size=80),
)
def test_parse_undoes_build_of_device_info(versions, key, timeout, layout, attr, secret, data):
    tail = [attr if layout > 1 else None, secret if layout > 2 else None, data if layout > 3 else None]
    info = message.DeviceInfo(*versions, key, timeout, *tail)
    assert message.parse_device_info(mcu_message.build_device_info(info)) == info


@pytest.mark.parametrize("size, layout", [(66, 1), (73, 1), (74, 2), (105, 2), (106, 3), (107, 3)])
def test_device_info_between_two_layouts_is_the_shorter(size, layout):
    payload = FRAMES["device_info_v4_empty_data"].payload[:size]
    info = message.parse_device_info(payload)
    assert [info.device_attr, info.product_secret, info.data].count(None) == 4 - layout


def test_device_info_takes_what_is_there_of_cut_data():
    payload = FRAMES["device_info_v4_with_env_data"].payload[:-4]
    assert message.parse_device_info(payload).data == b"cfgMode=1&apName0="


@pytest.mark.parametrize(
    "payload", [b"", bytes(65), bytes(66), b"0" * 32 + b"no product key is like this!!!!!" + bytes(2)]
)
def test_device_info_that_cannot_be_used_is_refused(payload):
    with pytest.raises(RemoteError, match="device info"):
        message.parse_device_info(payload)


def test_text_loses_its_padding_and_what_cannot_be_printed():
    payload = bytearray(FRAMES["device_info_v1"].payload)
    payload[16:24] = b"1.0\x00\x00\x00  "
    payload[24:32] = b"\xfe2\x07\x000001"
    info = message.parse_device_info(payload)
    assert (info.hard_ver, info.soft_ver) == ("1.0", "?2??0001")


@given(st.integers(0, 65535))
def test_module_status_goes_both_ways(status):
    assert mcu_message.parse_module_status(message.build_module_status(status)) == status


@pytest.mark.parametrize("name", [name for name in FRAMES if name.startswith("wifi_status_0")])
def test_module_status_vector(name):
    assert mcu_message.parse_module_status(FRAMES[name].payload) == int(name[-4:], 16)
    assert message.build_module_status(int(name[-4:], 16)) == FRAMES[name].payload


def test_network_time_vectors():
    utc = 1566985983
    assert message.build_network_time(utc, 480) == FRAMES["time_reply"].payload
    assert mcu_message.parse_network_time(FRAMES["time_reply"].payload) == (2019, 8, 28, 17, 53, 3, utc)
    assert mcu_message.parse_network_time(FRAMES["time_reply_short"].payload) == (2019, 8, 28, 17, 53, 3, None)


def test_unknown_time_is_all_zero():
    assert message.build_network_time(0, 480) == bytes(11)


@pytest.mark.parametrize(
    "utc, date",
    [
        (1, (1970, 1, 1)),
        (951_782_400, (2000, 2, 29)),
        (951_868_800, (2000, 3, 1)),
        (1_709_251_199, (2024, 2, 29)),
        (1_735_689_599, (2024, 12, 31)),
        (4_107_542_400, (2100, 3, 1)),
        (2**32 - 1, (2106, 2, 7)),
    ],
)
def test_network_time_knows_leap_years(utc, date):
    assert mcu_message.parse_network_time(message.build_network_time(utc, 0))[:3] == date


@given(st.integers(1, 2**32 - 1), st.integers(-12 * 60, 14 * 60))
def test_network_time_is_the_calendar_of_the_c_library(utc, tz_minutes):
    local = utc + 60 * tz_minutes
    if local < 0:
        return
    expected = time.gmtime(local)
    got = mcu_message.parse_network_time(message.build_network_time(utc, tz_minutes))
    assert got[:6] == tuple(expected[:6])
    assert calendar.timegm((*got[:6], 0, 0, 0)) - 60 * tz_minutes == got.utc == utc


@pytest.mark.parametrize(
    "name, build",
    [("module_info_wifi", module_info.build_module_info), ("module_info_cellular", module_info.build_cellular_info)],
)
def test_module_info_vector_holds_in_both_directions(name, build):
    info = module_info.parse_module_info(FRAMES[name].payload)
    assert build(info) == FRAMES[name].payload


@pytest.mark.parametrize("name, mode", [("config_softap", 1), ("config_airlink", 2), ("config_direct", 4)])
def test_config_mode_vector_holds_in_both_directions(name, mode):
    config = message.parse_config_mode(FRAMES[name].payload)
    assert config.mode == mode
    assert mcu_message.build_config_mode(config) == FRAMES[name].payload


def test_config_mode_ignores_newer_texts():
    payload = FRAMES["config_direct"].payload
    assert message.parse_config_mode(payload + b"\x05UTC+8\x00") == message.parse_config_mode(payload)


@pytest.mark.parametrize(
    "parse, payload",
    [
        (message.parse_config_mode, b""),
        (message.parse_config_mode, b"\x04\x09short"),
        (mcu_message.parse_module_status, b"\x00"),
        (mcu_message.parse_network_time, bytes(6)),
        (module_info.parse_module_info, b""),
        (module_info.parse_module_info, b"\x01" + bytes(63)),
        (module_info.parse_module_info, b"\x02"),
        (module_info.parse_module_info, b"\x02" + bytes(80) + b"\x01\x05"),
        (message.parse_illegal, b""),
    ],
)
def test_cut_payload_is_refused(parse, payload):
    with pytest.raises(RemoteError):
        parse(payload)


@given(st.binary(max_size=150))
def test_parsers_raise_nothing_but_remote_error(payload):
    for parse in (
        message.parse_device_info,
        message.parse_config_mode,
        mcu_message.parse_module_status,
        mcu_message.parse_network_time,
        module_info.parse_module_info,
        message.parse_illegal,
    ):
        try:
            parse(payload)
        except RemoteError as error:
            assert len(str(error)) < 200


def test_text_too_long_for_its_field_is_our_own_mistake():
    info = message.parse_device_info(FRAMES["device_info_v1"].payload)
    with pytest.raises(LocalError, match="9 bytes in a field of 8"):
        mcu_message.build_device_info(info._replace(hard_ver="123456789"))


def test_illegal_notice_vectors():
    assert message.parse_illegal(FRAMES["mcu_says_unknown_cmd"].payload) == 2
    assert message.parse_illegal(FRAMES["module_says_checksum_error"].payload) == 1
