"""A line observed: slices of a stream, requests paired with acks, repetitions, silence, bounds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcu_debugger.observer import (
    ANSWER_WITHIN_US,
    EARLY_US,
    NOISE_US,
    SILENCE_US,
    Observer,
    Unanswered,
    sender_of,
)
from mcu_debugger.redaction import redacted
from mcu_debugger.slicer import NOISE_LINE, FrameSlicer
from testkit import captures
from testkit.repository import ROOT

from mcu_proto.const import (
    BAD_CHECKSUM,
    CMD_CONFIG_MODE,
    CMD_GET_INFO,
    CMD_HEARTBEAT,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    CONFIG_DIRECT,
    MCU,
    MODULE,
)
from mcu_proto.datapoint import Schema
from mcu_proto.frame import BadFrame, Frame, FrameDecoder, encode_frame
from mcu_proto.mcu_message import build_config_mode, build_device_info
from mcu_proto.message import ConfigMode, DeviceInfo, build_module_status

PRODUCT = json.loads((ROOT / "tools" / "demo" / "heatpump.json").read_text())
SCHEMA = Schema.from_definition(PRODUCT)
SECRET = "00112233445566778899aabbccddeeff"

FRAMES = st.builds(
    lambda cmd, sn, payload: encode_frame(cmd, sn, bytes(payload)),
    st.integers(0, 255),
    st.sampled_from((0, 1, 0x55, 0xFF)),
    st.lists(st.sampled_from((0, 1, 0x55, 0xFF)), max_size=40),
)
PIECES = st.one_of(
    FRAMES,
    FRAMES.map(lambda frame: frame[: len(frame) // 2]),
    FRAMES.map(lambda frame: frame[:-1] + bytes((frame[-1] ^ 1,))),
    st.lists(st.sampled_from((0, 0x55, 0xFF, 0x41)), max_size=12).map(bytes),
)
STREAMS = st.lists(PIECES, max_size=6).map(b"".join)


@given(STREAMS, st.lists(st.integers(1, 9), min_size=1))
def test_slices_are_what_the_decoder_says_however_the_stream_is_cut(stream, sizes):
    slicer = FrameSlicer()
    slices = []
    at = n = 0
    while at < len(stream):
        size = sizes[n % len(sizes)]
        slices += slicer.feed(stream[at : at + size])
        at += size
        n += 1
    items = [each.item for each in slices if each.item is not None]
    assert items == FrameDecoder().feed(stream)


@given(STREAMS)
def test_slices_of_one_read_join_to_the_stream(stream):
    slicer = FrameSlicer()
    assert b"".join(each.wire for each in slicer.feed(stream) + slicer.flush()) == stream


@given(STREAMS)
def test_a_slice_alone_means_what_it_meant_in_the_stream(stream):
    for wire, item in FrameSlicer().feed(stream):
        if isinstance(item, Frame):
            assert FrameDecoder().feed(wire) == [item]


def test_noise_behind_a_stuffed_frame_is_not_part_of_it():
    frame = encode_frame(CMD_HEARTBEAT, 0xFF)
    slices = FrameSlicer().feed(frame + b"ok\r\n" + frame)
    assert [wire for wire, _ in slices] == [frame, b"ok\r\n", frame]


def test_stuffing_of_a_checksum_that_comes_in_the_next_read_is_no_noise():
    frame = encode_frame(CMD_HEARTBEAT, 0xF3)
    assert frame.endswith(b"\xff\x55")
    slicer = FrameSlicer()
    slices = slicer.feed(frame[:-1]) + slicer.feed(frame[-1:]) + slicer.flush()
    assert [type(item) for _, item in slices] == [Frame]


def test_noise_is_told_in_lines_and_does_not_pile_up():
    slices = FrameSlicer().feed(b"x" * 1000)
    assert len(slices) == 1000 // NOISE_LINE
    assert all(len(wire) == NOISE_LINE and item is None for wire, item in slices)


class Line:
    """An observer with a clock in milliseconds."""

    def __init__(self, schema=SCHEMA):
        self.observer = Observer(schema)
        self.now = 0
        self.seen = []

    def says(self, sender, data, after=1):
        self.now += after
        new = self.observer.feed(self.now * 1000, sender, data)
        self.seen += new
        return new[-1] if new else None

    def wait(self, us):
        self.now += us // 1000
        new = self.observer.handle_timeout(self.now * 1000)
        self.seen += new
        return new


@pytest.fixture
def line():
    return Line()


def test_ack_is_paired_with_its_request_and_timed(line):
    asked = line.says(MODULE, encode_frame(CMD_HEARTBEAT, 7))
    acked = line.says(MCU, encode_frame(CMD_HEARTBEAT + 1, 7), after=12)
    assert (acked.answers, acked.rtt_us) == (asked.number, 12_000)
    assert list(line.observer.counts.round_trips) == [12_000]


@pytest.mark.parametrize(("cmd", "sn", "sender"), [(0x08, 8, MCU), (0x0A, 7, MCU), (0x08, 7, MODULE)])
def test_ack_of_something_else_is_paired_with_nothing(line, cmd, sn, sender):
    line.says(MODULE, encode_frame(CMD_HEARTBEAT, 7))
    assert line.says(sender, encode_frame(cmd, sn)).answers == 0


def test_repetition_names_the_first_sending_and_is_timed_from_the_last(line):
    first = line.says(MCU, encode_frame(CMD_P0_UP, 3, b"\x06x"))
    again = line.says(MCU, encode_frame(CMD_P0_UP, 3, b"\x06x"), after=200)
    assert again.repeats == first.number
    acked = line.says(MODULE, encode_frame(CMD_P0_UP + 1, 3), after=5)
    assert (acked.answers, acked.rtt_us) == (first.number, 5000)
    assert line.observer.counts.repeats == 1


def test_repetition_after_a_lost_ack_is_seen_too(line):
    first = line.says(MCU, encode_frame(CMD_P0_UP, 3, b"\x06x"))
    line.says(MODULE, encode_frame(CMD_P0_UP + 1, 3))
    assert line.says(MCU, encode_frame(CMD_P0_UP, 3, b"\x06x"), after=200).repeats == first.number


def test_same_number_with_another_content_is_a_new_request(line):
    line.says(MCU, encode_frame(CMD_P0_UP, 3, b"\x06x"))
    assert line.says(MCU, encode_frame(CMD_P0_UP, 3, b"\x06y"), after=200).repeats == 0


def test_request_that_nobody_answers_is_told_once(line):
    first = line.says(MODULE, encode_frame(CMD_HEARTBEAT, 7))
    line.says(MODULE, encode_frame(CMD_HEARTBEAT, 7), after=200)
    assert line.wait(ANSWER_WITHIN_US - 1000) == []
    (told,) = line.wait(1000)
    assert told.item == Unanswered(first.number, CMD_HEARTBEAT, 7, 2)
    assert line.observer.next_timeout() is None
    assert line.observer.counts.unanswered == 1


def test_complaint_ends_the_request_it_names(line):
    asked = line.says(MCU, encode_frame(0x2B, 9))
    refused = line.says(MODULE, encode_frame(0x11, 9, b"\x02"))
    assert refused.answers == asked.number
    assert line.wait(ANSWER_WITHIN_US) == []
    assert line.observer.counts.complaints == 1


def test_ack_that_was_read_before_its_request_leaves_nothing_open(line):
    """Two adapters have two latencies."""
    line.says(MCU, encode_frame(CMD_HEARTBEAT + 1, 7))
    line.says(MODULE, encode_frame(CMD_HEARTBEAT, 7), after=EARLY_US // 2000)
    assert line.wait(ANSWER_WITHIN_US) == []


def test_reports_and_controls_are_decoded_and_the_newest_state_is_kept(line):
    report = line.says(MCU, encode_frame(CMD_P0_UP, 0, SCHEMA.encode_report({"power": 1, "water_in": 31.5})))
    assert (report.values["power"], report.values["water_in"]) == (True, 31.5)
    control = line.says(MODULE, encode_frame(CMD_P0_DOWN, 0, SCHEMA.encode_control({"target_temp": 41.5})))
    assert control.values == {"target_temp": 41.5}
    # A control is a wish, no state.
    assert line.observer.values["target_temp"] != 41.5
    assert line.observer.values["water_in"] == 31.5


def test_status_word_and_device_info_are_kept(line):
    line.says(MODULE, encode_frame(CMD_MODULE_STATUS, 0, build_module_status(0x073A)))
    info = DeviceInfo("00000004", "00000002", "1", "2", PRODUCT["product_key"], 0, 2, None, None)
    line.says(MCU, encode_frame(CMD_GET_INFO + 1, 0, build_device_info(info)))
    assert line.observer.status == 0x073A
    assert line.observer.info.soft_ver == "2"


@pytest.mark.parametrize("payload", [b"", b"\x04", b"\x04\x01", b"\x77" * 9, b"\x01\xff"])
def test_p0_that_means_nothing_has_no_values(line, payload):
    assert line.says(MCU, encode_frame(CMD_P0_UP, 0, payload)).values is None


def test_bad_frames_and_noise_are_counted_with_their_bytes(line):
    wrong = bytearray(encode_frame(CMD_HEARTBEAT, 7))
    wrong[-1] ^= 1
    bad = line.says(MODULE, b"boot\r\n" + bytes(wrong))
    assert bad.item == BadFrame(BAD_CHECKSUM, CMD_HEARTBEAT, 7)
    assert bad.wire == bytes(wrong)
    assert line.seen[0].item is None
    assert line.seen[0].wire == b"boot\r\n"
    assert line.observer.counts.bad == {BAD_CHECKSUM: 1}
    assert line.observer.counts.noise_bytes == 6


def test_half_a_frame_is_told_after_a_second_and_noise_sooner(line):
    line.says(MODULE, encode_frame(CMD_HEARTBEAT, 7)[:6])
    assert line.wait(SILENCE_US - 1000) == []
    (half,) = line.wait(1000)
    assert half.item is None
    assert len(half.wire) == 6
    line.says(MODULE, b"\xff")
    assert line.wait(NOISE_US) == []
    assert isinstance(line.says(MODULE, encode_frame(CMD_HEARTBEAT, 7)[1:]).item, Frame)
    line.says(MODULE, b"hello")
    assert [seen.wire for seen in line.wait(NOISE_US)] == [b"hello"]


def test_line_that_carries_both_is_told_apart_by_commands():
    line = Line()
    for sender, data in ((MODULE, encode_frame(CMD_HEARTBEAT, 7)), (MCU, encode_frame(CMD_HEARTBEAT + 1, 7))):
        assert line.says(None, data).sender == sender
    assert line.seen[-1].rtt_us == 1000
    assert line.observer.counts.frames == [1, 1]


@pytest.mark.parametrize("name", ["02-warm-start-and-heartbeats", "04-control", "06-reports", "11-mcu-ota"])
def test_sender_of_every_recorded_frame_is_known_from_its_command(name):
    decoders = {captures.TO_MCU: (MODULE, FrameDecoder()), captures.TO_AGENT: (MCU, FrameDecoder())}
    for write in captures.serial(name):
        sender, decoder = decoders[write.direction]
        for frame in decoder.feed(write.data):
            if isinstance(frame, Frame):
                assert sender_of(frame) == sender


def test_observer_of_a_line_where_nothing_is_answered_stays_small():
    line = Line()
    for n in range(5000):
        line.says(MODULE, encode_frame(CMD_HEARTBEAT, n & 0xFF, b"%d" % n))
    assert sum(len(asked) for asked in line.observer._asked) <= 16
    assert line.observer.counts.unanswered >= 4900


def test_secrets_are_taken_out_of_the_bytes_and_the_frame_stays_one():
    info = DeviceInfo("00000004", "00000002", "1", "1", PRODUCT["product_key"], 0, 2, SECRET, b"apPwd=hunter22")
    config = build_config_mode(ConfigMode(CONFIG_DIRECT, b"home", b"hunter22", b"aa"))
    for cmd, payload in ((CMD_GET_INFO + 1, build_device_info(info)), (CMD_CONFIG_MODE, config)):
        wire = encode_frame(cmd, 5, payload)
        (frame,) = FrameDecoder().feed(wire)
        shown = redacted(frame, wire)
        assert b"hunter22" not in shown
        assert SECRET.encode() not in shown
        (again,) = FrameDecoder().feed(shown)
        assert (again.cmd, again.sn, len(again.payload)) == (cmd, 5, len(payload))
        damaged = wire[:-1] + bytes((wire[-1] ^ 1,))
        (bad,) = FrameDecoder().feed(damaged)
        assert b"hunter22" not in redacted(bad, damaged)
        assert b"hunter22" not in redacted(None, wire[:-3])
