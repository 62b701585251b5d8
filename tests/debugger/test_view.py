"""Frames, attributes and events as text."""

import json

import pytest
from mcu_debugger.hexdump import HexError, decode_lines, parse_hex
from mcu_debugger.mcu_events import Controlled, Ignored, StatusChanged
from mcu_debugger.view import attr_rows, event_line, frame_lines, range_text, status_text, table_lines, value_text
from testkit.repository import ROOT

from mcu_proto.const import CMD_CONFIG_MODE, CMD_P0_DOWN, CMD_P0_UP, CONFIG_DIRECT, FAIL_NO_ACK
from mcu_proto.datapoint import Schema
from mcu_proto.frame import BadFrame, Frame
from mcu_proto.link import Acked, Failed, Illegal
from mcu_proto.mcu_message import build_config_mode, build_device_info
from mcu_proto.message import ConfigMode, DeviceInfo

PRODUCT = json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text())
SCHEMA = Schema.from_definition(PRODUCT)
SECRET = "00112233445566778899aabbccddeeff"


def test_control_shows_the_attributes_it_flags():
    p0 = SCHEMA.encode_control({"power": 1, "target_temp": 41.5})
    assert frame_lines(Frame(CMD_P0_DOWN, 13, 0, p0), SCHEMA) == [
        "03 P0 to MCU  sn 13",
        "   control",
        "     power = true",
        "     target_temp = 41.5",
    ]


def test_report_shows_every_attribute():
    lines = frame_lines(Frame(CMD_P0_UP, 1, 0, SCHEMA.encode_report({"mode": "cool"})), SCHEMA)
    assert lines[1] == "   report"
    assert len(lines) == 2 + len(SCHEMA.attrs)
    assert "     mode = cool" in lines


def test_p0_without_a_product_shows_hex():
    assert frame_lines(Frame(CMD_P0_DOWN, 13, 0, b"\x01\x02\xff"))[1:] == ["   control: 02 ff"]


def test_payload_that_cannot_be_parsed_shows_hex_and_the_reason():
    lines = frame_lines(Frame(CMD_P0_UP, 1, 0, b"\x04\x01"), SCHEMA)
    assert lines[1] == "   payload 04 01"
    assert lines[2].startswith("   not understood: ")


@pytest.mark.parametrize("cmd", range(256))
def test_no_command_or_payload_breaks_the_view(cmd):
    for payload in (b"", b"\x00", b"\x01\xff", bytes(range(74)), b"\x14\x01", b"\x05\x01"):
        assert frame_lines(Frame(cmd, 1, 0, payload), SCHEMA)[0].startswith("%02x " % cmd)
        assert frame_lines(Frame(cmd, 1, 1, payload))


def test_secrets_are_not_shown():
    info = DeviceInfo("00000004", "00000002", "1", "1", PRODUCT["product_key"], 0, 2, SECRET, b"apPwd=hunter22")
    config = build_config_mode(ConfigMode(CONFIG_DIRECT, b"home", b"hunter22", b""))
    text = "\n".join(frame_lines(Frame(2, 0, 0, build_device_info(info))) + frame_lines(Frame(9, 0, 0, config)))
    assert PRODUCT["product_key"] in text
    assert "home" in text
    assert "hunter22" not in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0x0000, "nothing"),
        (0x0005, "SoftAP, configuring"),
        (0x071A, "station, bindable, router, signal 7 of 7"),
        (0x0F3A, "station, bindable, router, cloud, app, signal 7 of 7"),
    ],
)
def test_status_word_reads_as_words(status, text):
    assert status_text(status) == text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Controlled({"power": True, "week_program": b"\x01\xff"}), "control: power true  week_program 01ff"),
        (StatusChanged(0x0022), "module status 0022: station, cloud"),
        (Ignored(b"\x77", "why"), "ignored: why (77)"),
        (Acked(CMD_CONFIG_MODE, None), "the module enters network configuration"),
        (Failed(CMD_P0_UP, FAIL_NO_ACK), "no luck with 05 P0 from MCU: no ack after 3 sends"),
        (Illegal(BadFrame(1, 7, 3)), "bad frame: wrong checksum, cmd 07 heartbeat, sn 3"),
        (Illegal(BadFrame(2, 0x11, 3)), "the module calls our frame with sn 3 illegal: unknown command"),
        (object(), ""),
    ],
)
def test_event_is_one_line(event, text):
    assert event_line(event) == text


def test_attribute_table_has_access_type_range_and_value():
    rows = attr_rows(SCHEMA, SCHEMA.decode(SCHEMA.encode_report({"target_temp": 41.5})))
    assert rows[6] == ("6", "target_temp", "writable", "uint8", "-10 to 65, step 0.5", "41.5")
    assert rows[0][4] == "true, false"
    assert range_text(SCHEMA.attr("fan")) == "auto, low, medium, high"
    assert range_text(SCHEMA.attr("week_program")) == "7 bytes as hex"
    assert table_lines(("a", "bb"), [("ccc", "d")]) == ["a    bb", "ccc  d"]


def test_value_reads_as_set_takes_it():
    assert [value_text(value) for value in (True, False, 31.5, "cool", 5, b"\x00\xff")] == [
        "true",
        "false",
        "31.5",
        "cool",
        "5",
        "00ff",
    ]


def test_hex_is_taken_as_people_paste_it():
    assert parse_hex("ff FF 0x00 05,0x07:1a\n0 0 26;") == bytes.fromhex("ffff0005071a000026")
    assert parse_hex("") == b""


@pytest.mark.parametrize("text", ["xyz", "ff fg", "fff"])
def test_text_that_is_no_hex_is_refused(text):
    with pytest.raises(HexError):
        parse_hex(text)


@pytest.mark.parametrize(
    ("data", "good", "last"),
    [
        ("ffff0005071a000026", True, "07 heartbeat  sn 26"),
        ("00ffff0005071a000026ffff0005081a000027", True, "08 heartbeat ack  sn 26"),
        ("ffff0005071a000027", False, "-- bad frame: wrong checksum, cmd 07 heartbeat, sn 26"),
        ("ffff0005071a", False, "-- the last frame is not complete"),
        ("0102", False, "-- no frame in these 2 bytes: one begins with ff ff"),
    ],
)
def test_decode_tells_every_frame_and_whether_all_was_good(data, good, last):
    lines, verdict = decode_lines(bytes.fromhex(data))
    assert (verdict, lines[-1]) == (good, last)
