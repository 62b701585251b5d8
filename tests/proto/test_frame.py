"""mcu_proto.frame: the vectors both ways, then what no vector can list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit import vectors

from mcu_proto.const import BAD_CHECKSUM, BAD_LENGTH, BAD_TRUNCATED, MAX_FRAME, MAX_PAYLOAD
from mcu_proto.errors import LocalError
from mcu_proto.frame import BadFrame, Frame, FrameDecoder, checksum, encode_frame

frames = st.builds(
    Frame,
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
    # ff and 55 are where stuffing goes wrong, so they are drawn often.
    st.lists(st.sampled_from([0xFF, 0x55, 0, 1, 0xFE]) | st.integers(0, 255), max_size=40).map(bytes),
)


@pytest.mark.parametrize("vector", vectors.frames(), ids=lambda v: v.name)
def test_frame_vector_holds_in_both_directions(vector):
    frame = Frame(vector.cmd, vector.sn, vector.flags, vector.payload)
    assert encode_frame(*_arguments(frame)) == vector.wire
    for way, got in vectors.feed_three_ways(FrameDecoder, vector.wire):
        assert got == [frame], way


@pytest.mark.parametrize("vector", vectors.streams(), ids=lambda v: v.name)
def test_stream_vector_yields_its_frames(vector):
    for way, got in vectors.feed_three_ways(FrameDecoder, vector.stream):
        complete = [item for item in got if isinstance(item, Frame) or item.reason == BAD_CHECKSUM]
        assert len(complete) == len(vector.expected), way
        for item, expected in zip(complete, vector.expected, strict=True):
            assert (item.cmd, item.sn, isinstance(item, Frame)) == (expected.cmd, expected.sn, expected.checksum_ok)
            if expected.checksum_ok:
                assert (item.flags, item.payload) == (expected.flags, expected.payload)


@given(frames)
def test_decode_undoes_encode(frame):
    assert FrameDecoder().feed(encode_frame(*_arguments(frame))) == [frame]


@given(st.lists(frames, max_size=5), st.data())
def test_any_chunking_yields_the_same_frames(many, data):
    stream = b"".join([encode_frame(*_arguments(frame)) for frame in many])
    decoder = FrameDecoder()
    got = []
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, 9))
        got += decoder.feed(stream[at : at + size])
        at += size
    assert got == many


@given(st.binary(max_size=60), frames)
def test_garbage_costs_no_frame_behind_the_next_header(garbage, frame):
    """Whatever came before, a header inside an unfinished frame starts over: only that one frame can be lost."""
    wire = encode_frame(*_arguments(frame))
    decoder = FrameDecoder()
    decoder.feed(garbage)
    got = decoder.feed(wire + wire)
    assert frame in got


@given(frames)
def test_stray_ff_before_a_header_does_not_eat_the_frame(frame):
    for strays in range(1, 5):
        assert frame in FrameDecoder().feed(b"\xff" * strays + encode_frame(*_arguments(frame)))


@given(frames)
def test_unstuffed_frames_are_taken_where_they_can_be(frame):
    """An MCU that never stuffs is understood unless it sends ff 55 or ff ff, which mean something else."""
    n = len(frame.payload) + 5
    body = bytes((n >> 8, n & 255, frame.cmd, frame.sn, frame.flags >> 8, frame.flags & 255)) + frame.payload
    body += bytes((checksum(body),))
    inner = body[:-1]
    if body.startswith(b"\xff") or b"\xff\x55" in inner or b"\xff\xff" in body or body.endswith(b"\xff\x55"):
        return
    assert FrameDecoder().feed(b"\xff\xff" + body + b"\x00") == [frame]


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_garbage_never_raises_and_memory_stays_within_the_maximum(reads):
    decoder = FrameDecoder(max_frame=32)
    for read in reads:
        for item in decoder.feed(read):
            assert not isinstance(item, Frame) or len(item.payload) <= 32 - 5
        assert len(decoder._buf) <= 34


@pytest.mark.parametrize("payload", [b"", b"\x04\xff\x55\xff\xff", bytes(300)], ids=len)
def test_a_frame_may_be_split_anywhere(payload):
    wire = encode_frame(5, 1, payload)
    for at in range(len(wire)):
        decoder = FrameDecoder()
        assert decoder.feed(wire[:at]) + decoder.feed(wire[at:]) == [Frame(5, 1, 0, payload)]


@pytest.mark.parametrize("size", [0, 300])
def test_what_follows_a_frame_does_not_matter(size):
    for rest in (bytes(3000), b"\x55" * 3000, b"\xff"):
        assert FrameDecoder().feed(encode_frame(5, 1, bytes(size)) + rest) == [Frame(5, 1, 0, bytes(size))]


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 9])
def test_length_at_the_maximum_is_accepted_and_one_more_is_not(cut):
    decoder = FrameDecoder(max_frame=10)
    good, bad = encode_frame(5, 1, b"12345"), encode_frame(5, 1, b"123456")
    assert decoder.feed(good[:cut]) + decoder.feed(good[cut:]) == [Frame(5, 1, 0, b"12345")]
    assert decoder.feed(bad[:cut]) + decoder.feed(bad[cut:]) == [BadFrame(BAD_LENGTH, -1, -1)]
    assert not decoder.is_inside()


def test_between_frames_nothing_is_held():
    decoder = FrameDecoder()
    for stream in (
        encode_frame(5, 1, bytes(500)),
        bytes.fromhex("ffff 0005 07 01 0000 0e"),
        b"\xff\xff\xff\xff\x00\x01",
    ):
        for at in range(len(stream)):
            decoder.feed(stream[at : at + 1])
        assert not decoder.is_inside() and not decoder._buf


def test_a_frame_for_which_there_is_no_room_is_told_and_the_next_one_is_taken(monkeypatch):
    def bytearray_of_a_full_heap(size=0):
        if size > 300:
            raise MemoryError
        return bytearray(size)

    monkeypatch.setattr("mcu_proto.frame.bytearray", bytearray_of_a_full_heap, raising=False)
    decoder = FrameDecoder()
    stream = encode_frame(5, 1, b"\xff" * 500) + encode_frame(5, 2, b"\xff" * 200)
    got = decoder.feed(stream[:9]) + decoder.feed(stream[9:])
    assert got == [BadFrame(BAD_LENGTH, -1, -1), Frame(5, 2, 0, b"\xff" * 200)]


def test_the_largest_frame_passes():
    payload = bytes(range(256)) * 3 + bytes(MAX_PAYLOAD - 768)
    assert FrameDecoder().feed(encode_frame(5, 255, payload)) == [Frame(5, 255, 0, payload)]
    assert MAX_FRAME >= MAX_PAYLOAD + 5


def test_payload_over_the_maximum_is_our_own_mistake():
    with pytest.raises(LocalError, match=r"^payload of 901 bytes, at most 900 fit$"):
        encode_frame(3, 0, bytes(MAX_PAYLOAD + 1))


def test_one_ff_begins_nothing():
    assert FrameDecoder().feed(b"\xff\x00" + encode_frame(7, 1)) == [Frame(7, 1, 0, b"")]
    assert FrameDecoder().feed(b"\xff\x00" + encode_frame(7, 1)[2:]) == []


@pytest.mark.parametrize("headers", [2, 3])
def test_headers_in_a_row_begin_one_frame(headers):
    assert FrameDecoder().feed(b"\xff\xff" * headers + encode_frame(7, 1)[2:]) == [Frame(7, 1, 0, b"")]


@pytest.mark.parametrize(
    "cut, cmd, sn",
    [("00", -1, -1), ("0008", -1, -1), ("0008 05", 5, -1), ("0008 05 21", 5, 33), ("0008 05 21 00", 5, 33)],
)
def test_header_inside_a_frame_reports_what_was_cut(cut, cmd, sn):
    assert FrameDecoder().feed(bytes.fromhex("ffff" + cut + "ffff 0005 07 01 0000 0d")) == [
        BadFrame(BAD_TRUNCATED, cmd, sn),
        Frame(7, 1, 0, b""),
    ]


def test_reset_forgets_half_a_frame():
    decoder = FrameDecoder()
    decoder.feed(bytes.fromhex("ffff000507"))
    assert decoder.is_inside()
    decoder.reset()
    assert decoder.feed(bytes.fromhex("010000 0d")) == []


def test_data_is_not_kept():
    """A port may reuse its read buffer."""
    buffer = bytearray(bytes.fromhex("ffff0008050100000411"))
    decoder = FrameDecoder()
    decoder.feed(buffer)
    buffer[:] = bytes(len(buffer))
    assert decoder.feed(b"\x22" + bytes((checksum(bytes.fromhex("00080501000004 1122")),))) == [
        Frame(5, 1, 0, b"\x04\x11\x22")
    ]


def _arguments(frame):
    return frame.cmd, frame.sn, frame.payload, frame.flags
