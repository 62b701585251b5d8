"""mcu_proto.link: requests, acks, retransmission and complaints, on a clock the test moves."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit.null_modem import LINES, LinkEnd, NullModem

from mcu_proto.const import (
    ACK_TIMEOUT,
    BAD_CHECKSUM,
    BAD_LENGTH,
    BAD_TRUNCATED,
    BAD_UNKNOWN_CMD,
    CMD_BINDABLE,
    CMD_GET_TIME,
    CMD_P0_DOWN,
    CMD_P0_UP,
    DUPLICATE_WINDOW,
    FAIL_NO_ACK,
    FAIL_QUEUE_FULL,
    FAIL_REFUSED,
    FAIL_STOPPED,
    MAX_PAYLOAD,
    MCU,
    MODULE,
    SENDS,
    SILENCE,
)
from mcu_proto.errors import LocalError
from mcu_proto.frame import BadFrame, Frame, encode_frame
from mcu_proto.link import (
    COUNT_BAD,
    COUNT_DUPLICATES,
    COUNT_FAILED,
    COUNT_QUEUE_PEAK,
    COUNT_RETRIED,
    COUNT_SENT,
    Acked,
    Failed,
    Illegal,
    McuLink,
    Received,
    SendSerial,
)


def broken(cmd, sn):
    """A frame with a wrong checksum."""
    wire = encode_frame(cmd, sn)
    return wire[:-1] + bytes((wire[-1] ^ 1,))


def test_request_is_answered_by_the_ack_of_its_command_and_sn():
    link = McuLink()
    assert link.request(3, b"\x02", 0, "token") == [SendSerial(encode_frame(3, 0, b"\x02"))]
    assert link.receive_bytes(encode_frame(4, 0, b"\x03\x01"), 5) == [Acked("token", Frame(4, 0, 0, b"\x03\x01"))]
    assert link.next_timeout() is None


@pytest.mark.parametrize("cmd, sn", [(4, 1), (6, 0), (8, 0)])
def test_ack_of_another_command_or_sn_is_ignored(cmd, sn):
    link = McuLink()
    link.request(3, b"", 0)
    assert link.receive_bytes(encode_frame(cmd, sn), 5) == []
    assert not link.is_idle()


def test_request_without_ack_is_sent_three_times_unchanged_then_fails():
    link = McuLink()
    first = link.request(3, b"\x02", 0, "token")
    sent = 1
    while (due := link.next_timeout()) is not None:
        assert link.handle_timeout(due - 1) == []
        out = link.handle_timeout(due)
        if out == first:
            sent += 1
        else:
            assert out == [Failed("token", FAIL_NO_ACK)]
    assert sent == SENDS


def test_the_wait_begins_when_the_frame_has_left_the_line():
    fast, slow = McuLink(baud=115200), McuLink(baud=9600)
    fast.request(3, bytes(800), 0)
    slow.request(3, bytes(800), 0)
    assert fast.next_timeout() == ACK_TIMEOUT + 809 * 10000 // 115200
    assert slow.next_timeout() == ACK_TIMEOUT + 809 * 10000 // 9600


@pytest.mark.parametrize("size, ms", [(9, 9), (96, 100), (407, 423)])
def test_a_byte_takes_ten_bits_of_9600_baud_unless_said_otherwise(size, ms):
    link = McuLink()
    assert len(link.request(3, bytes(size - 9), 0)[0].data) == size
    assert link.next_timeout() == ms + ACK_TIMEOUT


def test_without_a_gap_frames_are_written_as_they_come():
    link = McuLink()
    link.request(7, b"", 0)
    assert link.receive_bytes(encode_frame(CMD_P0_UP, 1), 0)[0] == SendSerial(encode_frame(6, 1))


def test_no_retransmission_while_the_answer_is_arriving():
    link = McuLink()
    link.request(3, b"\x02", 0, "token")
    answer = encode_frame(4, 0, b"\x03" + bytes(300))
    now = link.next_timeout()
    link.receive_bytes(answer[:200], now - 1)
    assert link.handle_timeout(now) == []
    assert link.receive_bytes(answer[200:], now + 150) == [Acked("token", Frame(4, 0, 0, b"\x03" + bytes(300)))]


def test_noise_that_never_ends_does_not_hold_a_request_for_ever():
    link = McuLink()
    link.request(3, b"", 0, "token")
    out = []
    for now in range(0, 20000, 50):
        out += [item for item in link.receive_bytes(b"\xff\xff\x07\x00", now) if isinstance(item, Failed)]
        out += [item for item in link.handle_timeout(now) if isinstance(item, Failed)]
    assert out == [Failed("token", FAIL_NO_ACK)]


def test_the_patience_with_an_answer_that_is_arriving_ends():
    link = McuLink()
    request = link.request(3, b"", 0)
    patience = 9 + ACK_TIMEOUT + 2 * SILENCE
    for now in range(ACK_TIMEOUT, patience, SILENCE // 2):
        link.receive_bytes(b"\xff\xff\x07\x00", now)
        assert link.handle_timeout(now) == []
    while link.next_timeout() < patience:
        assert link.handle_timeout(link.next_timeout()) == []
    assert link.next_timeout() == patience
    assert link.handle_timeout(patience) == request


def test_second_request_waits_for_the_first():
    link = McuLink()
    link.request(3, b"\x01", 0, "a")
    assert link.request(3, b"\x02", 0, "b") == []
    assert link.receive_bytes(encode_frame(4, 0), 5) == [
        Acked("a", Frame(4, 0, 0, b"")),
        SendSerial(encode_frame(3, 1, b"\x02")),
    ]


@pytest.mark.parametrize("options, places", [({}, 16), ({"queue_size": 2}, 2)])
def test_queue_takes_its_maximum_and_refuses_one_more(options, places):
    link = McuLink(**options)
    link.request(3, b"", 0)
    for _ in range(places):
        assert link.request(3, b"", 0) == []
    assert link.request(3, b"", 0, "token") == [Failed("token", FAIL_QUEUE_FULL)]


def test_sn_counts_requests_and_wraps():
    link = McuLink()
    for i in range(300):
        assert link.request(7, b"", i) == [SendSerial(encode_frame(7, i % 256))]
        link.receive_bytes(encode_frame(8, i % 256), i)


def test_request_over_the_payload_maximum_is_our_own_mistake():
    with pytest.raises(LocalError, match=r"^payload of 901 bytes, at most 900 fit$"):
        McuLink().request(3, bytes(MAX_PAYLOAD + 1), 0)


def test_request_of_the_peer_is_acked_before_it_is_delivered():
    assert McuLink().receive_bytes(encode_frame(CMD_P0_UP, 9, b"\x04\x01"), 0) == [
        SendSerial(encode_frame(6, 9)),
        Received(Frame(CMD_P0_UP, 9, 0, b"\x04\x01")),
    ]


def test_held_request_is_acked_by_the_owner_only():
    link = McuLink(hold=(CMD_GET_TIME,))
    frame = Frame(CMD_GET_TIME, 7, 0, b"")
    assert link.receive_bytes(encode_frame(CMD_GET_TIME, 7), 0) == [Received(frame)]
    assert link.reply(frame, b"\x07") == [SendSerial(encode_frame(0x18, 7, b"\x07"))]
    assert link.reply(frame) == [SendSerial(encode_frame(0x18, 7))]


def test_repeated_request_is_acked_again_and_not_delivered_again():
    link = McuLink()
    wire = encode_frame(CMD_P0_UP, 9, b"\x04\x01")
    link.receive_bytes(wire, 0)
    assert link.receive_bytes(wire, DUPLICATE_WINDOW - 1) == [SendSerial(encode_frame(6, 9))]


def test_repeated_held_request_gets_the_same_answer_again():
    link = McuLink(hold=(CMD_GET_TIME,))
    wire = encode_frame(CMD_GET_TIME, 7)
    frame = link.receive_bytes(wire, 0)[0].frame
    assert link.receive_bytes(wire, 10) == []
    answer = link.reply(frame, b"\x07")
    assert link.receive_bytes(wire, 20) == answer


@pytest.mark.parametrize(
    "again, at",
    [
        (encode_frame(CMD_P0_UP, 10, b"\x04\x01"), 10),
        (encode_frame(CMD_P0_UP, 9, b"\x04\x02"), 10),
        (encode_frame(CMD_P0_UP, 9, b"\x04\x01"), DUPLICATE_WINDOW),
    ],
)
def test_another_sn_content_or_time_is_a_new_request(again, at):
    link = McuLink()
    link.receive_bytes(encode_frame(CMD_P0_UP, 9, b"\x04\x01"), 0)
    assert isinstance(link.receive_bytes(again, at)[-1], Received)


@pytest.mark.parametrize("cmd", [5, 7])
@pytest.mark.parametrize("role, notice", [(MODULE, 0x11), (MCU, 0x12)])
def test_bad_checksum_of_a_request_is_complained_of(role, notice, cmd):
    assert McuLink(role).receive_bytes(broken(cmd, 8), 0) == [
        SendSerial(encode_frame(notice, 8, b"\x01")),
        Illegal(BadFrame(BAD_CHECKSUM, cmd, 8)),
    ]


@pytest.mark.parametrize("cmd", [6, 8])
def test_bad_checksum_of_an_ack_is_not_complained_of(cmd):
    assert McuLink().receive_bytes(broken(cmd, 8), 0) == [Illegal(BadFrame(BAD_CHECKSUM, cmd, 8))]


@pytest.mark.parametrize("role, notice", [(MODULE, 0x11), (MCU, 0x12)])
def test_unknown_request_is_complained_of_and_unknown_ack_is_not(role, notice):
    assert McuLink(role).receive_bytes(encode_frame(0x2B, 4), 0) == [
        SendSerial(encode_frame(notice, 4, b"\x02")),
        Illegal(BadFrame(BAD_UNKNOWN_CMD, 0x2B, 4)),
    ]
    assert McuLink(role).receive_bytes(encode_frame(0x2C, 4), 0) == []


def test_complaint_of_a_bad_checksum_brings_the_request_again_at_once():
    link = McuLink()
    request = link.request(3, b"\x02", 0)
    assert link.receive_bytes(encode_frame(0x12, 0, b"\x01"), 5)[-1:] == request
    link.receive_bytes(encode_frame(0x12, 0, b"\x01"), 6)
    assert not any(isinstance(o, SendSerial) for o in link.receive_bytes(encode_frame(0x12, 0, b"\x01"), 7))


def test_complaint_of_an_unknown_command_ends_the_request():
    link = McuLink()
    link.request(0x0F, b"", 0, "token")
    assert link.receive_bytes(encode_frame(0x12, 0, b"\x02"), 5)[-1] == Failed("token", FAIL_REFUSED)


def test_complaint_without_its_code_ends_the_request():
    link = McuLink()
    link.request(3, b"", 0, "token")
    assert link.receive_bytes(encode_frame(0x12, 0), 5) == [
        Illegal(BadFrame(0, 0x12, 0)),
        Failed("token", FAIL_REFUSED),
    ]


def test_complaint_of_another_sn_changes_nothing():
    link = McuLink()
    link.request(3, b"", 0)
    assert link.receive_bytes(encode_frame(0x12, 9, b"\x02"), 5) == [Illegal(BadFrame(2, 0x12, 9))]
    assert not link.is_idle()


def test_half_a_frame_is_dropped_after_a_second_of_silence():
    link = McuLink()
    link.receive_bytes(bytes.fromhex("ffff0040 05"), 0)
    assert link.next_timeout() == SILENCE
    link.handle_timeout(SILENCE)
    assert link.next_timeout() is None
    assert link.receive_bytes(encode_frame(CMD_BINDABLE, 1), SILENCE + 1)[-1] == Received(
        Frame(CMD_BINDABLE, 1, 0, b"")
    )


def test_reset_ends_everything_under_way():
    link = McuLink()
    for token in "abc":
        link.request(3, b"", 0, token)
    assert link.reset() == [Failed(token, FAIL_STOPPED) for token in "abc"]
    assert link.next_timeout() is None
    assert link.reset() == []


def test_a_held_request_can_be_acked_after_a_reset():
    link = McuLink(hold=(CMD_GET_TIME,))
    frame = link.receive_bytes(encode_frame(CMD_GET_TIME, 7), 0)[0].frame
    link.reset()
    assert link.reply(frame) == [SendSerial(encode_frame(0x18, 7))]


@pytest.mark.parametrize("carry", LINES, ids=lambda f: f.__name__)
@settings(max_examples=40)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.booleans(), st.integers(0, 900)), max_size=12))
def test_every_request_ends_in_exactly_one_outcome(carry, seed, plan):
    """Both ends send, over a line that does its worst."""
    module = LinkEnd(McuLink(MODULE))
    mcu = LinkEnd(McuLink(MCU))
    modem = NullModem(module, mcu, random.Random(seed), carry)
    asked = {module: 0, mcu: 0}
    for from_module, pause in plan:
        end = module if from_module else mcu
        cmd = CMD_P0_DOWN if from_module else CMD_P0_UP
        modem.perform(end, end.link.request(cmd, bytes((asked[end],)), modem.now, asked[end]))
        asked[end] += 1
        modem.run(modem.now + pause)
    modem.run(modem.now + 60_000)
    for end in (module, mcu):
        outcomes = [item.token for item in modem.heard[end] if isinstance(item, (Acked, Failed))]
        assert sorted(outcomes) == list(range(asked[end]))


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_a_losing_line_delivers_each_request_at_most_once(seed, requests):
    module = LinkEnd(McuLink(MODULE))
    mcu = LinkEnd(McuLink(MCU))
    modem = NullModem(module, mcu, random.Random(seed), LINES[2])
    for i in range(requests):
        modem.perform(mcu, mcu.link.request(CMD_P0_UP, bytes((i,)), modem.now, i))
    modem.run(30_000)
    delivered = [item.frame.payload[0] for item in modem.heard[module] if isinstance(item, Received)]
    acked = [item.token for item in modem.heard[mcu] if isinstance(item, Acked)]
    assert delivered == sorted(set(delivered))
    assert set(acked) <= set(delivered)


# What else a link does


def test_urgent_requests_go_before_management():
    link = McuLink()
    link.request(7, b"", 0, "heartbeat")
    link.request(0x0D, b"\x00\x01", 0, "status")
    link.request(3, b"\x01", 0, "control")
    link.request(3, b"\x02", 0, "next control")
    order = []
    for sn in range(4):
        out = link.receive_bytes(encode_frame((8, 4, 4, 0x0E)[sn], sn), 1)
        order.append(out[0].token)
    assert order == ["heartbeat", "control", "next control", "status"]


def test_an_urgent_request_takes_the_last_place_of_management():
    link = McuLink(queue_size=2)
    link.request(7, b"", 0, "pending")
    link.request(0x0D, b"", 0, "status")
    link.request(0x07, b"", 0, "heartbeat")
    assert link.request(3, b"", 0, "control") == [Failed("heartbeat", FAIL_QUEUE_FULL)]
    assert link.request(3, b"", 0, "control 2") == [Failed("status", FAIL_QUEUE_FULL)]
    assert link.request(3, b"", 0, "control 3") == [Failed("control 3", FAIL_QUEUE_FULL)]
    assert link.counts[COUNT_FAILED] == 3


def test_urgent_requests_leave_the_last_place_of_management_to_the_next_urgent_one():
    link = McuLink(queue_size=3)
    link.request(7, b"", 0, "pending")
    for cmd, token in ((0x0D, "status"), (3, "control"), (3, "control 2")):
        link.request(cmd, b"", 0, token)
    assert link.request(3, b"", 0, "control 3") == [Failed("status", FAIL_QUEUE_FULL)]


def test_a_queue_of_nothing_refuses_at_once():
    link = McuLink(queue_size=0)
    link.request(7, b"", 0)
    assert link.request(3, b"", 0, "control") == [Failed("control", FAIL_QUEUE_FULL)]


@pytest.mark.parametrize("lives", [1, 2, 3])
def test_counts_tell_the_life_of_the_line(lives):
    link = McuLink()
    for i in range(lives):
        now = i * 100_000
        link.request(3, b"", now)
        link.request(3, b"", now)
        link.handle_timeout(link.next_timeout())
        link.receive_bytes(encode_frame(4, 0), now + 300)
        report = encode_frame(CMD_P0_UP, 9)
        link.receive_bytes(report + report, now + 301)
        link.receive_bytes(broken(CMD_P0_UP, 8) + encode_frame(0x2B, 1) + b"\xff\xff\x00\x00", now + 302)
        link.receive_bytes(b"\xff\xff\x00\x09\x05" + encode_frame(CMD_P0_UP, 10), now + 303)
        link.reset()
    assert link.counts[COUNT_SENT] == 2 * lives
    assert link.counts[COUNT_RETRIED] == lives
    assert link.counts[COUNT_FAILED] == lives
    assert link.counts[COUNT_DUPLICATES] == lives
    assert link.counts[COUNT_QUEUE_PEAK] == 1
    bad = [link.counts[COUNT_BAD + reason] for reason in (BAD_CHECKSUM, BAD_UNKNOWN_CMD, BAD_LENGTH, BAD_TRUNCATED)]
    assert bad == [lives] * 4


@pytest.mark.parametrize("requests", [1, 3])
def test_counts_of_requests_that_nobody_answers(requests):
    link = McuLink()
    for i in range(requests):
        link.request(3, bytes((i,)), 0)
    while link.next_timeout() is not None:
        link.handle_timeout(link.next_timeout())
    assert link.counts[:3] == [requests, requests * (SENDS - 1), requests]
    assert link.counts[COUNT_QUEUE_PEAK] == requests - 1


def test_counts_of_requests_that_are_complained_of():
    link = McuLink()
    for sn in range(2):
        link.request(3, b"", 0)
        link.receive_bytes(encode_frame(0x12, sn, b"\x01"), 1)
        link.receive_bytes(encode_frame(0x12, sn, b"\x02"), 2)
    assert link.counts[:3] == [2, 2, 2]


def test_a_held_request_can_be_refused():
    link = McuLink(hold=(CMD_GET_TIME,))
    frame = link.receive_bytes(encode_frame(CMD_GET_TIME, 7), 0)[0].frame
    assert link.complain(frame, 4) == [SendSerial(encode_frame(0x11, 7, b"\x04"))]


def test_commands_beyond_the_basic_ones_are_taken_when_they_are_served():
    assert isinstance(McuLink(serves=b"\x1b").receive_bytes(encode_frame(0x1B, 1), 0)[-1], Received)
    assert isinstance(McuLink().receive_bytes(encode_frame(0x1B, 1), 0)[-1], Illegal)


def test_the_gap_keeps_our_frames_apart():
    link = McuLink(gap=50)
    first = link.request(7, b"", 0)
    assert len(first) == 1
    assert link.receive_bytes(encode_frame(CMD_P0_UP, 1), 10)[0] == Received(Frame(CMD_P0_UP, 1, 0, b""))
    assert link.next_timeout() == 9 * 10000 // 9600 + 50
    assert link.handle_timeout(58) == []
    assert link.handle_timeout(59) == [SendSerial(encode_frame(6, 1))]


def test_what_waits_for_the_gap_leaves_in_order_and_the_wait_for_an_ack_begins_behind_it():
    link = McuLink(gap=50)
    link.receive_bytes(encode_frame(CMD_P0_UP, 1), 0)
    assert link.receive_bytes(encode_frame(CMD_P0_UP, 2), 1) == [Received(Frame(CMD_P0_UP, 2, 0, b""))]
    assert link.request(7, b"", 2) == []
    assert link.handle_timeout(59) == [SendSerial(encode_frame(6, 2))]
    assert link.next_timeout() == 118
    assert link.handle_timeout(118) == [SendSerial(encode_frame(7, 0))]
    assert link.next_timeout() == 118 + 9 + ACK_TIMEOUT


def test_what_finds_no_place_to_wait_for_the_gap_is_lost():
    link = McuLink(gap=50, queue_size=2)
    for sn in range(5):
        link.receive_bytes(encode_frame(CMD_P0_UP, sn), 0)
    left = []
    while link.next_timeout() is not None:
        left += link.handle_timeout(link.next_timeout())
    assert left == [SendSerial(encode_frame(6, 1)), SendSerial(encode_frame(6, 2))]


@given(
    st.integers(1, 80),
    st.lists(st.tuples(st.sampled_from(["request", "report", "time"]), st.integers(0, 60)), max_size=30),
)
def test_no_two_frames_of_ours_are_closer_than_the_gap(gap, plan):
    link = McuLink(gap=gap, queue_size=4)
    now = 0
    sn = 0
    written = []

    def note(out):
        written.extend([(now, item.data) for item in out if isinstance(item, SendSerial)])

    for what, pause in plan:
        if what == "request":
            note(link.request(7, b"", now))
        elif what == "report":
            sn = (sn + 1) & 255
            note(link.receive_bytes(encode_frame(CMD_P0_UP, sn), now))
        until = now + pause
        while (due := link.next_timeout()) is not None and due <= until:
            now = max(now, due)
            note(link.handle_timeout(now))
        now = until
        assert len(link._waiting) <= 4
    for (at, data), (later, _) in itertools.pairwise(written):
        assert later - at >= gap + len(data) * 10000 // 9600
