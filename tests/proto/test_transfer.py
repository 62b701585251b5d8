"""mcu_proto.transfer*: files cross the line, whole or not at all."""

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit import vectors
from testkit.null_modem import LINES, NullModem, losing, unharmed

from mcu_proto.const import CMD_PIECE, CMD_READY, CMD_STOP_RECEIVING, CMD_STOP_SENDING, MCU, MODULE, TRANSFER_REQUESTS
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
    assert frames_in(out)[-1].payload[:4] == b"\x00\x01\x00\x0c"


def test_ready_that_cannot_be_read_is_acked_and_ignored():
    sender = SendingEnd(FILE)
    sender.start(0)
    out = sender.receive(encode_frame(CMD_READY, 9, b"\x00\x20short"), 2)
    assert [frame.cmd for frame in frames_in(out)] == [CMD_READY + 1]


def test_data_of_another_size_is_our_own_mistake():
    sender = SendingEnd(FILE)
    sender.sender.start(0)
    sender.sender.receive(Frame(CMD_READY, 9, 0, build_ready(md5_of(FILE), 256)), 1)
    with pytest.raises(LocalError, match="255 bytes given at 0, 256 asked for"):
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


def test_ready_names_md5_and_piece_size():
    receiver = ReceivingEnd(piece_size=512)
    out = receiver.receive(encode_frame(0x19, 0, build_announce(9, b"5" * 32)), 0)
    assert parse_ready(frames_in(out)[-1].payload) == (b"5" * 32, 512)


@pytest.mark.parametrize(
    "payload, expected", [(b"", (b"", 256)), (b"\x00\x00", (b"", 256)), (b"\x00\x00\x02\x00", (b"", 512))]
)
def test_old_forms_of_ready(payload, expected):
    assert parse_ready(payload) == expected


@pytest.mark.parametrize(
    "parse, payload",
    [
        (parse_ready, b"\x00"),
        (parse_ready, b"\x00\x20abc"),
        (parse_announce, b"\x00" * 5),
        (parse_announce, b"\x00\x00\x00\x01\x00\x20abc"),
    ],
)
def test_cut_payloads_are_refused(parse, payload):
    with pytest.raises(RemoteError):
        parse(payload)


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
    assert frames_in(out)[-1].cmd == CMD_STOP_RECEIVING
    assert out[-1] == Ended(ENDED_SILENCE)


@pytest.mark.parametrize("payload", [b"\x00\x01\x00\x01data", b""])
def test_a_piece_that_nobody_announced_is_acked_and_stopped(payload):
    out = ReceivingEnd().receive(encode_frame(CMD_PIECE, 1, payload), 0)
    assert [frame.cmd for frame in frames_in(out)] == [CMD_PIECE + 1, CMD_STOP_RECEIVING]


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
