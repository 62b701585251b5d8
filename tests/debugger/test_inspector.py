"""The frame inspector: every byte has a row, every row says what the manual says, nothing breaks it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcu_debugger.inspector import MASK, inspect, inspect_frame, inspect_lines, row_hex, row_lines, wire_of
from mcu_debugger.inspector_payloads import PAYLOADS
from mcu_debugger.value_text import units_of
from testkit.repository import ROOT

from mcu_proto import const as c
from mcu_proto.datapoint import Schema
from mcu_proto.frame import Frame, FrameDecoder, encode_frame
from mcu_proto.mcu_message import build_config_mode, build_device_info
from mcu_proto.message import ConfigMode, DeviceInfo

PRODUCT = json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text())
SCHEMA = Schema.from_definition(PRODUCT)
VECTORS = json.loads((ROOT / "tests" / "vectors" / "mcu_frames.json").read_text())
PRODUCTS = json.loads((ROOT / "tests" / "vectors" / "datapoints.json").read_text())["products"]
SECRET = "00112233445566778899aabbccddeeff"


def told(wire, schema=None):
    """{name: meaning} of the rows."""
    return {row.name: row.meaning for row in inspect(bytes.fromhex(wire), schema)}


def bytes_of(rows):
    return b"".join(row.data for row in rows if row.data)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_byte_of_every_vector_has_a_row_and_the_checksum_is_right(vector):
    wire = bytes.fromhex(vector["wire_hex"])
    rows = inspect(wire)
    hidden = any(row.data == b"" for row in rows)
    assert hidden or bytes_of(rows) == wire
    assert rows[-1][2:4] == ("checksum", "right")
    assert "surplus" not in [row.name for row in rows]


def test_stuffed_bytes_stay_in_their_row_and_offsets_do_not_count_them():
    rows = inspect(bytes.fromhex("ffff0005 07 ff55 0000 0b"))
    assert [(row.offset, row_hex(row), row.name) for row in rows] == [
        (0, "ff ff", "header"),
        (2, "00 05", "length"),
        (4, "07", "cmd"),
        (5, "ff 55", "sn"),
        (6, "00 00", "flags"),
        (8, "0b", "checksum"),
    ]


def test_wrong_checksum_says_what_was_expected():
    assert told("ffff0005071a000027")["checksum"] == "WRONG: 26 expected"


@pytest.mark.parametrize(
    ("wire", "name", "meaning"),
    [
        ("ffff00070d040000073a59", "bits 8-10", "7  signal level, 0 to 7"),
        ("ffff00070d040000073a59", "bit 5", "1  cloud"),
        ("ffff0006120700000221", "code", "unknown command"),
        ("ffff00061109000001 21", "code", "wrong checksum"),
        ("ffff0005 63 01 0000 69", "cmd", "unknown command"),
        ("ffff0003", "length", "3: impossible, the least is 5"),
        ("ffff0007250000000 2012f".replace(" ", ""), "found", "an update was found"),
        ("ffff00061d0000000124", "cut", "1 more bytes expected in the payload"),
        ("ffff00051d00000122", "flags", "a line of HEX text"),
        ("ffff00051d00000424", "flags", "0004 unknown"),
        ("ffff000507", "missing", "1 more bytes expected here"),
        ("0102", "noise", "no frame: one begins with ff ff"),
        ("01ffff0005071a000026", "noise", "before the header"),
        ("ffff0005071a000026aa", "surplus", "after the end of the frame"),
    ],
)
def test_a_field_says_what_the_manual_says(wire, name, meaning):
    assert told(wire)[name] == meaning


def test_control_tells_flags_and_marks_what_is_not_flagged():
    rows = inspect_frame(Frame(c.CMD_P0_DOWN, 1, 0, SCHEMA.encode_control({"power": 1, "target_temp": 12.5})), SCHEMA)
    lines = [(row.name, row.meaning) for row in rows]
    assert ("bit 6", "1  target_temp") in lines
    assert ("bit 0", "power = true") in lines
    assert ("bits 4-6", "mode = heat (0) (not flagged, ignored)") in lines
    assert ("target_temp", "12.5 (raw 45)") in lines


def test_report_tells_every_attribute_once_with_its_value():
    values = {"mode": "cool", "water_in": 31.5, "energy": 12.34, "fault_sensor": 1}
    text = "\n".join(row_lines(inspect_frame(Frame(c.CMD_P0_UP, 1, 0, SCHEMA.encode_report(values)), SCHEMA)))
    for attr in SCHEMA.attrs:
        assert text.count(" %s" % attr.name) == 1
    for part in ("mode = cool (1)", "31.5 (raw 615)", "12.34 (raw 1234)", "fault_sensor = true"):
        assert part in text


def test_raw_value_beyond_the_definition_is_marked():
    p0 = bytearray(SCHEMA.encode_report({}))
    p0[3] = 0xFF
    rows = inspect_frame(Frame(c.CMD_P0_UP, 1, 0, bytes(p0)), SCHEMA)
    assert [row.meaning for row in rows if row.name == "target_temp"] == ["117.5 (raw 255), out of range"]


def test_variable_length_report_tells_what_is_there():
    product = next(each for each in PRODUCTS if each["name"] == "sensor_var")
    schema = Schema.from_definition(product["definition"])
    rows = inspect_frame(Frame(c.CMD_P0_UP, 1, 0, bytes.fromhex("14140117")), schema)
    assert [(row.name, row.meaning) for row in rows if row.depth][:2] == [("bit 2", "1  flame"), ("bit 4", "1  temp")]
    assert ("bit 0", "flame = true") in [(row.name, row.meaning) for row in rows]


def test_secrets_are_named_and_not_shown():
    info = DeviceInfo("00000004", "00000002", "1", "1", PRODUCT["product_key"], 0, 2, SECRET, b"apPwd=hunter22")
    config = build_config_mode(ConfigMode(c.CONFIG_DIRECT, b"home", b"hunter22", b""))
    rows = inspect_frame(Frame(2, 0, 0, build_device_info(info))) + inspect_frame(Frame(9, 0, 0, config))
    text = "\n".join(row_lines(rows))
    for secret in (SECRET.encode(), b"hunter22"):
        assert secret not in bytes_of(rows)
        assert secret.decode() not in text
    assert text.count(MASK) == 3
    assert "'home'" in text


@given(st.binary(max_size=120))
def test_no_bytes_break_it_and_none_is_left_out(data):
    rows = inspect(data, SCHEMA)
    assert any(row.data == b"" for row in rows) or bytes_of(rows) == data
    row_lines(rows)


@given(st.sampled_from(sorted(PAYLOADS)), st.binary(max_size=200), st.integers(0, 3))
def test_no_payload_breaks_it_and_none_is_left_out(cmd, payload, flags):
    wire = encode_frame(cmd, 1, payload, flags)
    rows = inspect(wire, SCHEMA)
    assert any(row.data == b"" for row in rows) or bytes_of(rows) == wire
    assert rows[-1][2:4] == ("checksum", "right")


@given(st.binary(max_size=1200))
def test_wire_of_a_frame_is_what_the_decoder_takes(payload):
    frame = Frame(5, 255, 0xFF01, payload)
    assert FrameDecoder().feed(wire_of(frame)) == [frame]


def test_stream_is_told_frame_by_frame_with_what_is_between_and_behind():
    lines = inspect_lines(bytes.fromhex("aabb ffff0005071a000026 ffff0005081a000027 ffff0005"))
    assert [line[55:].split()[0] for line in lines if line.startswith("   0")] == [
        "noise",
        "header",
        "header",
        "header",
    ]
    assert lines.count("") == 3
    assert lines[-1].strip().startswith("missing")


def test_unit_comes_from_the_definition_then_from_the_name():
    units = units_of(PRODUCT)
    assert units["target_temp"] == "°C"
    assert "timer" not in units
    row = {"name": "timer", "data_type": "uint8", "unit": "min"}
    assert units_of({"entities": [{"attrs": [row]}]}) == {"timer": "min"}
