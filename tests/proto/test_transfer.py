"""mcu_proto.transfer*: files cross the line, whole or not at all."""

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit import vectors
from testkit.null_modem import LINES, NullModem, losing, unharmed

from mcu_proto.const import (
    ACK_TIMEOUT,
    CMD_PIECE,
    CMD_READY,
    CMD_STOP_RECEIVING,
    CMD_STOP_SENDING,
    MCU,
    MODULE,
    TRANSFER_REQUESTS,
)
from mcu_proto.errors import LocalError, RemoteError
from mcu_proto.frame import Frame, FrameDecoder, encode_frame
from mcu_proto.link import Acked, Failed, McuLink, Received, SendSerial
from mcu_proto.transfer import (
    ENDED_CANCELLED,
    ENDED_DONE,
    ENDED_LINE,
    ENDED_MISMATCH,
    ENDED_NO_ACK,
    ENDED_ORDER,
    ENDED_PIECE_SIZE,
    ENDED_SILENCE,
    ENDED_SIZE,
    ENDED_STOPPED,
    ENDED_UNCONFIRMED,
    MAX_PIECE,
    Ended,
    NeedData,
    Ready,
    StoreData,
    build_announce,
    build_ready,
    parse_announce,
    parse_ready,
)
from mcu_proto.transfer_receiver import PIECE_SILENCE, TransferReceiver
from mcu_proto.transfer_sender import ANNOUNCE_AGAIN, MAX_LINE, READY_TIMEOUT, TransferSender

FRAMES = {vector.name: vector for vector in vectors.frames()}
FILE = bytes(range(256)) * 6
HEX_FILE = b"".join(b":10%04X00%s\r\n" % (i * 16, b"0" * 34) for i in range(20)) + b":00000001FF\r\n"


def md5_of(data):
    return hashlib.md5(data).hexdigest().encode()


class SendingEnd:
    """A link, a sender on it, and the file."""

    def __init__(self, data, role=MODULE, is_hex=False):
        self.link = McuLink(role, hold=(CMD_READY,), serves=TRANSFER_REQUESTS)
        self.sender = TransferSender(self.link, len(data), md5_of(data), is_hex)
        self.data = data

    def start(self, now):
        return self.perform(self.sender.start(now), now)

    def receive(self, data, now):
        return self.perform(self.link.receive_bytes(data, now), now)

    def handle_timeout(self, now):
        return self.perform(self.link.handle_timeout(now) + self.sender.handle_timeout(now), now)

    def next_timeout(self):
        return earliest(self.link, self.sender)

    def perform(self, items, now):
        out = []
        for item in items:
            if isinstance(item, NeedData):
                out += self.perform(self.sender.give(self.data[item.offset : item.offset + item.size], now), now)
            elif isinstance(item, Received):
                out += self.perform(self.sender.receive(item.frame, now), now)
            elif isinstance(item, Acked) and self.sender.owns(item.token):
                out += self.perform(self.sender.acked(item.token, now), now)
            elif isinstance(item, Failed) and self.sender.owns(item.token):
                out += self.perform(self.sender.failed(item.token, now), now)
            else:
                out.append(item)
        return out


class ReceivingEnd:
    """A link, a receiver on it, and what was stored."""

    def __init__(self, role=MCU, **options):
        self.link = McuLink(role, hold=(CMD_PIECE,), serves=TRANSFER_REQUESTS)
        self.receiver = TransferReceiver(self.link, **options)
        self.data = bytearray()
        self.stores = []

    def receive(self, data, now):
        return self.perform(self.link.receive_bytes(data, now), now)

    def handle_timeout(self, now):
        return self.perform(self.link.handle_timeout(now) + self.receiver.handle_timeout(now), now)

    def next_timeout(self):
        return earliest(self.link, self.receiver)

    def perform(self, items, now):
        out = []
        for item in items:
            if isinstance(item, Received):
                out += self.perform(self.receiver.receive(item.frame, now), now)
            elif isinstance(item, Ready):
                self.data = bytearray(item.size)
                out += [item, *self.perform(self.receiver.accept(now), now)]
            elif isinstance(item, StoreData):
                self.data[item.offset : item.offset + len(item.data)] = item.data
                self.stores.append(item.offset)
                out += self.perform(self.receiver.stored(now), now)
            else:
                out.append(item)
        return out


def earliest(*parts):
    return min([at for part in parts if (at := part.next_timeout()) is not None], default=None)


def ends(modem, end):
    return [item.reason for item in modem.heard[end] if isinstance(item, Ended)]


def send(data, is_hex=False, rng=None, carry=unharmed, until=600_000, **options):
    """(modem, sender, receiver) after the file was sent, or not."""
    sender = SendingEnd(data, is_hex=is_hex)
    receiver = ReceivingEnd(**options)
    modem = NullModem(sender, receiver, rng, carry)
    modem.perform(sender, sender.start(0))
    modem.run(until)
    return modem, sender, receiver


def frames_in(effects):
    return FrameDecoder().feed(b"".join([e.data for e in effects if isinstance(e, SendSerial)]))


def ready_sender(data=FILE, piece_size=256, flags=0, is_hex=False, md5=None):
    """A sender that was asked for its first piece, and the effects of that."""
    sender = SendingEnd(data, is_hex=is_hex)
    sender.start(0)
    sender.receive(encode_frame(0x1A, 0), 1)
    payload = build_ready(md5_of(data) if md5 is None else md5, piece_size)
    return sender, sender.receive(encode_frame(CMD_READY, 9, payload, flags), 2)


def announced_receiver(size=1536):
    """A receiver whose 1b was acked."""
    receiver = ReceivingEnd()
    receiver.receive(encode_frame(0x19, 0, build_announce(size, b"5" * 32)), 0)
    receiver.receive(encode_frame(0x1C, 0), 1)
    return receiver


def piece(number, count, data, sn=1, flags=0):
    return encode_frame(CMD_PIECE, sn, number.to_bytes(2, "big") + count.to_bytes(2, "big") + data, flags)


# Whole conversations


@pytest.mark.parametrize("role", [MODULE, MCU])
def test_a_file_crosses_in_either_direction(role):
    sender = SendingEnd(FILE, role)
    receiver = ReceivingEnd(MCU if role == MODULE else MODULE)
    modem = NullModem(sender, receiver)
    modem.perform(sender, sender.start(0))
    modem.run(60_000)
    assert ends(modem, sender) == ends(modem, receiver) == [ENDED_DONE]
    assert bytes(receiver.data) == FILE
    assert receiver.receiver.progress() == len(FILE)


@given(st.binary(max_size=600), st.integers(0, 300))
def test_any_file_crosses_at_any_piece_size(data, piece_size):
    modem, sender, receiver = send(data, piece_size=piece_size)
    assert ends(modem, sender) == ends(modem, receiver) == [ENDED_DONE]
    assert bytes(receiver.data) == data


@given(
    st.lists(st.binary(max_size=80).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=9), st.booleans()
)
def test_any_text_crosses_line_by_line(lines, ends_with_crlf):
    data = b"\r\n".join(lines) + (b"\r\n" if ends_with_crlf else b"")
    modem, sender, receiver = send(data, is_hex=True, wants_hex=True)
    assert ends(modem, sender) == ends(modem, receiver) == [ENDED_DONE]
    assert bytes(receiver.data) == data


@pytest.mark.parametrize("carry", LINES, ids=lambda f: f.__name__)
@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 5))
def test_a_bad_line_never_delivers_a_wrong_file_as_done(carry, seed, pieces):
    data = FILE[: 100 * pieces]
    modem, sender, receiver = send(data, rng=random.Random(seed), carry=carry, piece_size=100)
    assert len(ends(modem, sender)) == 1
    if ENDED_DONE in ends(modem, receiver):
        assert bytes(receiver.data) == data
    if ends(modem, sender) == [ENDED_DONE]:
        assert ends(modem, receiver)[-1] == ENDED_DONE


def test_pieces_are_counted_beyond_a_byte():
    modem, sender, receiver = send(FILE, piece_size=2)
    assert ends(modem, sender) == ends(modem, receiver) == [ENDED_DONE]
    assert bytes(receiver.data) == FILE
    assert receiver.stores == list(range(0, len(FILE), 2))


@given(st.integers(0, 2**32))
def test_every_piece_is_stored_once_though_acks_are_lost(seed):
    _, _, receiver = send(FILE, rng=random.Random(seed), carry=losing)
    assert receiver.stores == sorted(set(receiver.stores))


@given(st.integers(0, 120), st.booleans())
def test_either_end_can_stop_at_any_time(at, sender_stops):
    sender = SendingEnd(FILE)
    receiver = ReceivingEnd(piece_size=64)
    modem = NullModem(sender, receiver)
    modem.perform(sender, sender.start(0))
    modem.run(at)
    stopper, other = (sender, receiver) if sender_stops else (receiver, sender)
    machine = sender.sender if sender_stops else receiver.receiver
    modem.perform(stopper, machine.cancel(modem.now))
    modem.run(600_000)
    assert ends(modem, stopper)[0] in (ENDED_STOPPED, ENDED_DONE)
    assert ends(modem, other)[-1:] in ([ENDED_CANCELLED], [ENDED_DONE], [])
    assert stopper.next_timeout() is None


# The sender


def test_nothing_is_due_before_the_start():
    sender = SendingEnd(FILE).sender
    assert sender.next_timeout() is None
    assert sender.handle_timeout(10**9) == []
    assert sender.give(b"", 0) == []
    assert sender.progress() == 0


def test_a_file_is_bin_unless_said_otherwise():
    link = McuLink(MODULE, hold=(CMD_READY,), serves=TRANSFER_REQUESTS)
    sender = TransferSender(link, len(FILE), md5_of(FILE))
    sender.start(0)
    out = sender.receive(Frame(CMD_READY, 9, 1, build_ready(md5_of(FILE), 256)), 1)
    assert [(frame.cmd, frame.payload) for frame in frames_in(out)] == [(0x11, b"\x04")]


@pytest.mark.parametrize(
    "size, pieces", [(0, 1), (1, 1), (255, 1), (256, 1), (257, 2), (511, 2), (512, 2), (513, 3), (70000, 274)]
)
def test_pieces_are_as_many_as_the_file_needs(size, pieces):
    _, out = ready_sender(bytes(size))
    assert frames_in(out)[-1].payload[:4] == b"\x00\x01" + pieces.to_bytes(2, "big")


@pytest.mark.parametrize("is_sending", [False, True])
def test_the_receiver_can_stop_it(is_sending):
    sender = SendingEnd(FILE)
    if is_sending:
        sender, _ = ready_sender()
    else:
        sender.start(0)
    assert sender.receive(encode_frame(CMD_STOP_RECEIVING, 3), 9)[-1] == Ended(ENDED_CANCELLED)
    assert sender.sender.next_timeout() is None
    assert sender.sender.receive(Frame(CMD_STOP_RECEIVING, 4, 0, b""), 10) == []


@pytest.mark.parametrize("is_sending", [False, True])
def test_cancel_tells_the_receiver(is_sending):
    sender = SendingEnd(FILE)
    sender.start(0)
    sender.receive(encode_frame(0x1A, 0), 1)
    if is_sending:
        sender.sender.receive(Frame(CMD_READY, 9, 0, build_ready(md5_of(FILE), 256)), 2)
    assert sender.sender.cancel(3) == [SendSerial(encode_frame(CMD_STOP_SENDING, 1)), Ended(ENDED_STOPPED)]
    assert sender.sender.cancel(4) == []
    assert sender.link.next_timeout() == 3 + 9 + ACK_TIMEOUT


def test_a_piece_is_given_once():
    sender, out = ready_sender()
    assert sender.sender.give(FILE[:256], 3) == []
    out = sender.link.receive_bytes(encode_frame(CMD_PIECE + 1, frames_in(out)[-1].sn), 4)
    assert [type(item) for item in out] == [Acked]
    assert sender.sender.acked(out[0].token, 4) == [NeedData(256, 256)]
    assert sender.sender.progress() == 256


def test_no_more_is_asked_for_than_tells_a_line_too_long():
    sender = SendingEnd(HEX_FILE, is_hex=True)
    sender.sender.start(0)
    out = sender.sender.receive(Frame(CMD_READY, 9, 1, build_ready(md5_of(HEX_FILE), 256)), 1)
    assert out[-1] == NeedData(0, MAX_LINE + 1)


def test_a_transfer_that_is_late_is_over_for_its_owner():
    sender = SendingEnd(FILE)
    sender.start(0)
    while sender.next_timeout() is not None:
        sender.handle_timeout(sender.next_timeout())
    assert sender.sender.cancel(READY_TIMEOUT + 1) == []
    assert sender.sender.receive(Frame(CMD_STOP_RECEIVING, 1, 0, b""), READY_TIMEOUT + 1) == []


def test_announcement_vector():
    vector = FRAMES["ota_announce"]
    size, md5 = parse_announce(vector.payload)
    assert build_announce(size, md5) == vector.payload
    assert (size, len(md5)) == (10, 32)


def test_pieces_are_those_of_the_vectors():
    data = bytes.fromhex("ff550001ffff10111213")
    sender = SendingEnd(data)
    sender.start(0)
    sender.receive(encode_frame(0x1A, 0), 1)
    wanted = [FRAMES["ota_piece_%d_of_3" % n].payload for n in (1, 2, 3)]
    out = sender.receive(FRAMES["ota_ready_bin"].wire, 2)
    got = []
    for _ in range(3):
        frame = next(frame for frame in frames_in(out) if frame.cmd == CMD_PIECE)
        got.append(frame.payload)
        out = sender.receive(encode_frame(CMD_PIECE + 1, frame.sn), 3)
    assert got == wanted
    assert out == [Ended(ENDED_DONE)]


def test_a_file_of_one_piece_is_sent():
    modem, sender, receiver = send(b"small")
    assert ends(modem, sender) == [ENDED_DONE]
    assert receiver.stores == [0]


def test_a_missing_last_ack_is_no_failure():
    sender, out = ready_sender(b"small")
    assert frames_in(out)[-1].cmd == CMD_PIECE
    for _ in range(3):
        out = sender.handle_timeout(sender.next_timeout())
    assert out == [Ended(ENDED_UNCONFIRMED)]


def test_a_missing_ack_in_the_middle_stops_the_transfer():
    sender, _ = ready_sender(FILE)
    for _ in range(3):
        out = sender.handle_timeout(sender.next_timeout())
    assert Ended(ENDED_NO_ACK) in out
    assert frames_in(out)[-1].cmd == CMD_STOP_SENDING


def test_pieces_wait_three_seconds_for_their_ack():
    sender, _ = ready_sender(FILE)
    assert sender.next_timeout() >= 2 + 3000


def test_another_md5_is_acked_and_stopped():
    _, out = ready_sender(md5=b"0" * 32)
    assert [frame.cmd for frame in frames_in(out)] == [CMD_READY + 1, CMD_STOP_SENDING]
    assert Ended(ENDED_MISMATCH) in out


def test_pieces_larger_than_a_frame_are_refused():
    _, out = ready_sender(piece_size=MAX_PIECE + 1)
    assert Ended(ENDED_PIECE_SIZE) in out
    _, out = ready_sender(piece_size=MAX_PIECE)
    assert len(frames_in(out)[-1].payload) == 900


def test_piece_size_0_means_256():
    _, out = ready_sender(piece_size=0)
    assert len(frames_in(out)[-1].payload) == 4 + 256


def test_hex_asked_of_a_bin_file_is_refused_by_11_with_04():
    _, out = ready_sender(flags=1)
    assert [(frame.cmd, frame.payload) for frame in frames_in(out)] == [(0x11, b"\x04")]


def test_bin_asked_of_a_hex_file_is_served():
    _, out = ready_sender(HEX_FILE, is_hex=True)
    assert frames_in(out)[-1].flags == 0


def test_hex_lines_are_flagged_and_the_last_one_twice():
    sender, out = ready_sender(HEX_FILE, flags=1, is_hex=True)
    seen = []
    while Ended(ENDED_DONE) not in out:
        frame = next(frame for frame in frames_in(out) if frame.cmd == CMD_PIECE)
        seen.append(frame)
        out = sender.receive(encode_frame(CMD_PIECE + 1, frame.sn), 3)
    assert [frame.flags for frame in seen] == [1] * 20 + [3]
    assert [frame.payload[:4] for frame in seen] == [n.to_bytes(2, "big") + b"\x00\x00" for n in range(1, 22)]
    assert b"".join([frame.payload[4:] for frame in seen]) == HEX_FILE


def test_a_last_line_without_its_end_is_sent_as_it_is():
    sender, out = ready_sender(b":00\r\n:01", flags=1, is_hex=True)
    out = sender.receive(encode_frame(CMD_PIECE + 1, frames_in(out)[-1].sn), 3)
    assert [(frame.flags, frame.payload) for frame in frames_in(out)] == [(3, b"\x00\x02\x00\x00:01")]


@pytest.mark.parametrize("size, ended", [(MAX_LINE, False), (MAX_LINE + 1, True)])
def test_a_line_longer_than_mcus_take_ends_it(size, ended):
    _, out = ready_sender(b"x" * (size - 2) + b"\r\n" + b"y" * 300, flags=1, is_hex=True)
    assert (Ended(ENDED_LINE) in out) == ended


def test_the_announcement_is_repeated_once():
    sender = SendingEnd(FILE)
    sender.start(0)
    sender.receive(encode_frame(0x1A, 0), 1)
    assert sender.next_timeout() == ANNOUNCE_AGAIN
    assert frames_in(sender.handle_timeout(ANNOUNCE_AGAIN))[0].cmd == 0x19
    sender.receive(encode_frame(0x1A, 1), ANNOUNCE_AGAIN + 1)
    assert sender.next_timeout() == READY_TIMEOUT
    assert sender.handle_timeout(READY_TIMEOUT) == [Ended(ENDED_SILENCE)]


def test_a_receiver_that_is_ready_late_is_served():
    sender = SendingEnd(FILE)
    sender.start(0)
    while sender.next_timeout() is not None:
        sender.handle_timeout(sender.next_timeout())
    out = sender.receive(encode_frame(CMD_READY, 9, build_ready(md5_of(FILE), 256)), READY_TIMEOUT + 5)
    assert frames_in(out)[-1].cmd == CMD_PIECE


def test_ready_in_the_middle_begins_again_at_piece_1():
    sender, out = ready_sender()
    first = frames_in(out)[-1]
    sender.receive(encode_frame(CMD_PIECE + 1, first.sn), 3)
    out = sender.receive(encode_frame(CMD_READY, 10, build_ready(md5_of(FILE), 128)), 4)
    assert [frame.cmd for frame in frames_in(out)] == [CMD_READY + 1]  # piece 2 is still in flight
    out = sender.receive(encode_frame(CMD_PIECE + 1, first.sn + 1), 5)
    assert frames_in(out)[-1].payload == b"\x00\x01\x00\x0c" + FILE[:128]
    assert sender.sender.progress() == 0
    out = sender.receive(encode_frame(CMD_PIECE + 1, first.sn + 2), 6)
    assert [frame.payload for frame in frames_in(out)] == [b"\x00\x02\x00\x0c" + FILE[128:256]]
    assert sender.sender.progress() == 128


def test_ready_that_cannot_be_read_is_acked_and_ignored():
    sender = SendingEnd(FILE)
    sender.start(0)
    out = sender.receive(encode_frame(CMD_READY, 9, b"\x00\x20short"), 2)
    assert [frame.cmd for frame in frames_in(out)] == [CMD_READY + 1]


def test_ready_after_the_end_is_told_that_we_stopped():
    sender = SendingEnd(FILE)
    sender.start(0)
    sender.receive(encode_frame(0x1A, 0), 1)
    sender.sender.cancel(2)
    sender.receive(encode_frame(CMD_STOP_SENDING + 1, 1), 3)
    out = sender.receive(encode_frame(CMD_READY, 9, build_ready(md5_of(FILE), 256)), 4)
    assert frames_in(out) == [Frame(CMD_READY + 1, 9, 0, b""), Frame(CMD_STOP_SENDING, 2, 0, b"")]


def test_ready_before_the_start_is_told_that_we_do_not_send():
    out = SendingEnd(FILE).receive(encode_frame(CMD_READY, 9, build_ready(md5_of(FILE), 256)), 4)
    assert frames_in(out) == [Frame(CMD_READY + 1, 9, 0, b""), Frame(CMD_STOP_SENDING, 0, 0, b"")]


def test_a_piece_that_found_no_place_is_asked_for_again():
    sender = SendingEnd(FILE).sender
    sender.start(0)
    sender.receive(Frame(CMD_READY, 9, 0, build_ready(md5_of(FILE), 256)), 1)
    sender.give(FILE[:256], 2)
    assert sender.again() == [NeedData(0, 256)]


def test_nothing_is_asked_for_again_when_nothing_is_sent():
    assert SendingEnd(FILE).sender.again() == []


def test_data_of_another_size_is_our_own_mistake():
    sender = SendingEnd(FILE)
    sender.sender.start(0)
    sender.sender.receive(Frame(CMD_READY, 9, 0, build_ready(md5_of(FILE), 256)), 1)
    with pytest.raises(LocalError, match=r"^255 bytes given at 0, 256 asked for$"):
        sender.sender.give(FILE[:255], 2)


def test_what_comes_after_the_end_is_ignored():
    sender, out = ready_sender(b"small")
    token = (sender.sender, 1)
    sender.receive(encode_frame(CMD_PIECE + 1, frames_in(out)[-1].sn), 3)
    assert sender.sender.give(b"", 4) == sender.sender.acked(token, 4) == sender.sender.failed(token, 4) == []
    assert sender.sender.cancel(4) == []
    assert sender.sender.receive(Frame(CMD_STOP_RECEIVING, 1, 0, b""), 4) == []
    assert sender.sender.receive(Frame(CMD_PIECE, 1, 0, b""), 4) == []
    assert sender.sender.progress() == 0


# The receiver


def test_nothing_is_due_before_an_announcement():
    receiver = ReceivingEnd().receiver
    assert receiver.next_timeout() is None
    assert receiver.handle_timeout(10**9) == []
    assert receiver.accept(0) == receiver.stored(0) == []
    assert receiver.progress() == 0
    assert receiver.receive(Frame(CMD_STOP_SENDING, 1, 0, b""), 0) == []


def test_an_announcement_is_shown_to_the_owner_who_may_take_its_time():
    receiver = ReceivingEnd().receiver
    announcement = Frame(0x19, 0, 0, build_announce(9, b"5" * 32))
    assert receiver.receive(announcement, 0) == [Ready(9, b"5" * 32)]
    assert receiver.next_timeout() is None
    receiver.accept(1)
    assert receiver.receive(announcement, 2) == [Ready(9, b"5" * 32)]
    assert receiver.next_timeout() is None


@pytest.mark.parametrize("options, flags", [({}, 0), ({"wants_hex": False}, 0), ({"wants_hex": True}, 1)])
def test_ready_asks_for_hex_by_its_flag(options, flags):
    out = ReceivingEnd(**options).receive(encode_frame(0x19, 0, build_announce(9, b"5" * 32)), 0)
    assert frames_in(out)[-1] == Frame(CMD_READY, 0, flags, build_ready(b"5" * 32, 256))


def test_ready_names_md5_and_piece_size():
    receiver = ReceivingEnd(piece_size=512)
    out = receiver.receive(encode_frame(0x19, 0, build_announce(9, b"5" * 32)), 0)
    assert parse_ready(frames_in(out)[-1].payload) == (b"5" * 32, 512)


@pytest.mark.parametrize(
    "payload, expected",
    [
        (b"", (b"", 256)),
        (b"\x00\x00", (b"", 256)),
        (b"\x00\x00\x02\x00", (b"", 512)),
        (b"\x00\x00\x02\x00\x07", (b"", 512)),
        (b"\x01\x00" + bytes(256), (bytes(256), 256)),
    ],
)
def test_other_forms_of_ready(payload, expected):
    assert parse_ready(payload) == expected


@pytest.mark.parametrize(
    "parse, payload, why",
    [
        (parse_ready, b"\x00", "ready of 1 byte"),
        (parse_ready, b"\x00\x20abc", "md5 of 32 bytes, 3 are there"),
        (parse_ready, b"\x00\x03ab", "md5 of 3 bytes, 2 are there"),
        (parse_ready, b"\x01\x00" + bytes(255), "md5 of 256 bytes, 255 are there"),
        (parse_announce, b"\x00" * 5, "announcement of 5 bytes, at least 6 expected"),
        (parse_announce, b"\x00\x00\x00\x01\x00\x20abc", "md5 of 32 bytes, 3 are there"),
    ],
)
def test_cut_payloads_are_refused(parse, payload, why):
    with pytest.raises(RemoteError, match="^%s$" % why):
        parse(payload)


def test_an_announcement_may_lack_its_md5():
    assert parse_announce(b"\x00\x00\x00\x09\x00\x00") == (9, b"")


def test_announcement_that_cannot_be_read_is_ignored():
    assert [f.cmd for f in frames_in(ReceivingEnd().receive(encode_frame(0x19, 0, b"\x00"), 0))] == [0x1A]


def test_a_piece_is_acked_once_it_is_stored():
    receiver = ReceivingEnd()
    machine = receiver.receiver
    machine.receive(Frame(0x19, 0, 0, build_announce(512, b"5" * 32)), 0)
    machine.accept(0)
    first = receiver.link.receive_bytes(piece(1, 2, bytes(256)), 1)[-1].frame
    assert machine.receive(first, 1) == [StoreData(0, bytes(256))]
    assert machine.receive(first, 2) == []
    assert machine.next_timeout() is None
    assert frames_in(machine.stored(3))[0].cmd == CMD_PIECE + 1
    assert machine.next_timeout() == 3 + PIECE_SILENCE
    assert machine.stored(4) == []
    assert frames_in(machine.receive(first, 5))[0].cmd == CMD_PIECE + 1
    assert machine.progress() == 256


def test_a_piece_too_far_ends_it():
    receiver = announced_receiver()
    out = receiver.receive(piece(2, 6, bytes(256)), 2)
    assert [frame.cmd for frame in frames_in(out)] == [CMD_PIECE + 1, CMD_STOP_RECEIVING]
    assert out[-1] == Ended(ENDED_ORDER)


def test_more_data_than_announced_ends_it():
    receiver = announced_receiver(size=100)
    assert receiver.receive(piece(1, 1, bytes(101)), 2)[-1] == Ended(ENDED_SIZE)


def test_less_data_than_announced_ends_it():
    receiver = announced_receiver(size=100)
    assert receiver.receive(piece(1, 1, bytes(99)), 2)[-1] == Ended(ENDED_SIZE)


def test_silence_ends_it():
    receiver = announced_receiver()
    assert receiver.next_timeout() == PIECE_SILENCE
    out = receiver.handle_timeout(PIECE_SILENCE)
    assert frames_in(out) == [Frame(CMD_STOP_RECEIVING, 1, 0, b"")]
    assert out[-1] == Ended(ENDED_SILENCE)


@pytest.mark.parametrize("payload", [b"\x00\x01\x00\x01data", b""])
def test_a_piece_that_nobody_announced_is_acked_and_stopped(payload):
    out = ReceivingEnd().receive(encode_frame(CMD_PIECE, 1, payload), 0)
    assert frames_in(out) == [Frame(CMD_PIECE + 1, 1, 0, b""), Frame(CMD_STOP_RECEIVING, 0, 0, b"")]


@pytest.mark.parametrize("size, stopped", [(3, True), (4, False)])
def test_a_piece_without_its_numbers_is_acked_and_stopped(size, stopped):
    receiver = announced_receiver(size=0)
    out = receiver.receive(encode_frame(CMD_PIECE, 1, b"\x00\x01\x00\x01"[:size]), 2)
    assert (Frame(CMD_STOP_RECEIVING, 1, 0, b"") in frames_in(out)) == stopped


def test_the_sender_can_stop_and_begin_again():
    receiver = announced_receiver()
    assert receiver.receive(encode_frame(CMD_STOP_SENDING, 5), 2)[-1] == Ended(ENDED_CANCELLED)
    assert receiver.receive(encode_frame(CMD_STOP_SENDING, 6), 3) == [SendSerial(encode_frame(0x20, 6))]
    out = receiver.receive(encode_frame(0x19, 7, build_announce(5, b"5" * 32)), 4)
    assert frames_in(out)[-1].cmd == CMD_READY


def test_an_announcement_cut_off_while_storing_leaves_nothing_behind():
    receiver = ReceivingEnd()
    machine = receiver.receiver
    machine.receive(Frame(0x19, 0, 0, build_announce(512, b"5" * 32)), 0)
    machine.accept(0)
    machine.receive(receiver.link.receive_bytes(piece(1, 2, bytes(256)), 1)[-1].frame, 1)
    machine.cancel(2)
    assert frames_in(machine.stored(3))[0].cmd == CMD_PIECE + 1
    assert machine.accept(4) == []
    assert machine.receive(Frame(CMD_READY, 1, 0, b""), 5) == []
    assert machine.handle_timeout(10**6) == []
