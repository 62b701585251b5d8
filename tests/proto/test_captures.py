"""mcu_proto against the recordings of the reference agent: all decodes, and tables say where we differ and why."""

import hashlib
import re
from collections import Counter

import pytest
from testkit import captures, vectors
from testkit.repository import ROOT

from mcu_proto import mcu_message, message, module_info, transaction, transfer
from mcu_proto.const import (
    BAD_CHECKSUM,
    BAD_LENGTH,
    BAD_TRUNCATED,
    CMD_ANNOUNCE,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_ILLEGAL_FROM_MODULE,
    CMD_PIECE,
    CMD_READY,
    CMD_TRANSACTION,
    MCU,
    MODULE,
    TRANSFER_REQUESTS,
)
from mcu_proto.frame import BadFrame, Frame, FrameDecoder, encode_frame
from mcu_proto.link import Acked, McuLink, Received, SendSerial
from mcu_proto.names import ACTION_NAMES, CMD_NAMES
from mcu_proto.transfer import ENDED_DONE, Ended, NeedData, Ready, StoreData
from mcu_proto.transfer_receiver import TransferReceiver
from mcu_proto.transfer_sender import TransferSender

WRITES = [write for name in captures.names() for write in captures.serial(name)]

ACKS_UNSTUFFED = "the reference agent does not stuff its acks"
BAD = "broken on purpose by the MCU"
# {(capture, line): (what we make of it, why encoding does not give the same bytes)}
NOT_THE_SAME = {
    ("06-reports", 30): ([Frame(6, 0xFF, 0, b"")], ACKS_UNSTUFFED),
    ("06-reports", 34): ([Frame(6, 0xF4, 0, b"")], ACKS_UNSTUFFED),
    ("07-bad-frames", 2): ([BadFrame(BAD_CHECKSUM, 0x05, 64)], BAD),
    ("07-bad-frames", 5): ([BadFrame(BAD_CHECKSUM, 0x17, 65)], BAD),
    ("07-bad-frames", 8): ([BadFrame(BAD_CHECKSUM, 0x04, 66)], BAD),
    ("07-bad-frames", 10): ([BadFrame(BAD_CHECKSUM, 0x66, 67)], BAD),
    ("07-bad-frames", 17): ([BadFrame(BAD_CHECKSUM, 0x21, 70)], BAD),
    ("07-bad-frames", 20): ([Frame(5, 71, 0, b"\x04\xff\x01")], "an ff without its 55 is taken as it stands"),
    ("07-bad-frames", 22): ([BadFrame(BAD_LENGTH, -1, -1)], BAD),
    ("07-bad-frames", 24): ([BadFrame(BAD_LENGTH, -1, -1)], BAD),
    ("07-bad-frames", 28): ([BadFrame(BAD_TRUNCATED, 5, 73), Frame(5, 74, 0, b"\x04\x09")], BAD),
    ("07-bad-frames", 32): ([Frame(5, 75, 0, b"\x04\x0a")], "noise before the frame"),
    ("07-bad-frames", 36): ([Frame(5, 76, 0, b"\x04\x0b")], "a third ff before the frame"),
}


def _wire(items):
    return b"".join([encode_frame(f.cmd, f.sn, f.payload, f.flags) for f in items if isinstance(f, Frame)])


def _good_frames():
    return [(write, item) for write in WRITES for item in FrameDecoder().feed(write.data) if isinstance(item, Frame)]


def test_every_write_decodes_the_same_at_any_chunking():
    for write in WRITES:
        read = [items for _, items in vectors.feed_three_ways(FrameDecoder, write.data)]
        assert read[0] and read[0] == read[1] == read[2], write


def test_every_frame_is_encoded_as_recorded_but_for_those_of_the_table():
    got = {}
    for write in WRITES:
        items = FrameDecoder().feed(write.data)
        if _wire(items) != write.data:
            got[write.capture, write.line] = items
    assert got == {place: items for place, (items, why) in NOT_THE_SAME.items()}


# Payloads.

# {cmd: (parser, builder of the same bytes or None, how many there are)}
PAYLOADS = {
    0x02: (message.parse_device_info, mcu_message.build_device_info, 7),
    0x09: (message.parse_config_mode, mcu_message.build_config_mode, 2),
    0x0D: (mcu_message.parse_module_status, message.build_module_status, 50),
    0x11: (message.parse_illegal, None, 5),
    0x18: (mcu_message.parse_network_time, lambda t: message.build_network_time(t.utc, 480), 1),
    0x19: (transfer.parse_announce, lambda item: transfer.build_announce(*item), 2),
    0x1B: (transfer.parse_ready, None, 2),
    # Without cells the reference agent also leaves out how long a cell is.
    0x22: (module_info.parse_module_info, None, 2),
    0x23: (transaction.parse_transaction, transaction.build_transaction, 1),
    0x25: (transaction.parse_transaction, transaction.build_transaction, 3),
}
P0_COMMANDS = (0x03, 0x04, 0x05)
# Frames whose payload means something else, or nothing: (capture, line).
NO_P0 = {("04-control", 28): "the reference agent hands on a cloud message that it does not know, envelope and all"}


@pytest.mark.parametrize("cmd", sorted(PAYLOADS), ids=lambda cmd: "%02x" % cmd)
def test_every_payload_parses_and_is_built_the_same(cmd):
    parse, build, count = PAYLOADS[cmd]
    payloads = [frame.payload for _, frame in _good_frames() if frame.cmd == cmd]
    for payload in payloads:
        item = parse(payload)
        assert build is None or build(item) == payload
    assert len(payloads) == count


def test_p0_begins_with_an_action_or_is_empty():
    strange = {}
    for write, frame in _good_frames():
        if frame.cmd in P0_COMMANDS and frame.payload and frame.payload[0] not in ACTION_NAMES:
            strange[write.capture, write.line] = frame.payload
    assert set(strange) == set(NO_P0)


def test_all_other_payloads_are_empty_and_all_flags_zero():
    with_payload = Counter()
    for _, frame in _good_frames():
        assert frame.flags == 0
        if frame.payload and frame.cmd not in PAYLOADS and frame.cmd not in P0_COMMANDS:
            with_payload[frame.cmd] += 1
    # Module info is asked with a byte and without.
    assert with_payload == {CMD_PIECE: 9, CMD_GET_MODULE_INFO: 1}


def test_only_two_commands_are_not_ours():
    assert {frame.cmd for _, frame in _good_frames()} - set(CMD_NAMES) == {0x66, 0xF0}


# What a link answers.

# {(capture, line of the MCU's write): (our answers, theirs, why)}
ANSWERS = {
    ("07-bad-frames", 10): ("", "ffff000611430000025c", "66 is even, so an ack: a broken one is only missed"),
    ("07-bad-frames", 17): (
        "ffff000611460000015e",
        "ffff000611460000025f",
        "a bad checksum is named 01 on every request",
    ),
    ("07-bad-frames", 20): ("ffff00050647000052", "", "an ff without its 55 is taken as it stands"),
    ("07-bad-frames", 24): ("", "ffff00050648000053", "a len below 5 is no frame"),
}
# The owner of the link answers these.
HELD = (CMD_GET_TIME, CMD_GET_MODULE_INFO)


def _is_answer(frame):
    return frame.cmd == CMD_ILLEGAL_FROM_MODULE or not frame.cmd & 1


def _frames_sent(outputs):
    return [f for out in outputs if isinstance(out, SendSerial) for f in FrameDecoder().feed(out.data)]


def test_a_link_answers_as_the_reference_agent_but_for_the_table():
    got = {}
    compared = 0
    for name in captures.names():
        link = McuLink(MODULE, hold=HELD, serves=TRANSFER_REQUESTS + bytes((CMD_TRANSACTION,)))
        writes = captures.serial(name)
        for i, write in enumerate(writes):
            if write.direction != captures.TO_AGENT:
                continue
            outputs = link.receive_bytes(write.data, write.now)
            if any(isinstance(out, Received) and out.frame.cmd in HELD for out in outputs):
                continue
            ours = _wire([frame for frame in _frames_sent(outputs) if _is_answer(frame)])
            theirs = _wire([frame for frame in _until_the_mcu_speaks(writes[i + 1 :]) if _is_answer(frame)])
            compared += 1
            if ours != theirs:
                got[name, write.line] = (ours.hex(), theirs.hex())
    assert got == {place: (ours, theirs) for place, (ours, theirs, why) in ANSWERS.items()}
    assert compared > 100


def _until_the_mcu_speaks(writes):
    for write in writes:
        if write.direction == captures.TO_AGENT:
            return
        yield from FrameDecoder().feed(write.data)


# Big data, in either role. The sn of both ends is brought to where the recording begins.

UPGRADE = "11-mcu-ota"
UPLOAD = "11d-mcu-sends-big-data-to-cloud"
# {(capture, role): {n-th frame we send: (which command, why it is not what was recorded)}}
TRANSFER_DEVIATIONS = {
    (UPGRADE, MCU): {},
    (UPGRADE, MODULE): {},
    (UPLOAD, MCU): {
        2: (CMD_PIECE, "an empty 1b asks for pieces of 256, the recorded MCU sends 200"),
        3: (CMD_PIECE, "the same"),
        4: (CMD_PIECE, "the same, and so the last one is shorter"),
    },
    (UPLOAD, MODULE): {1: (CMD_READY, "we name the md5 and the piece size, which the manual asks for")},
}
# Whether the announced md5 is that of the pieces; the reference agent does not look.
MD5_IS_RIGHT = {UPGRADE: True, UPLOAD: False}
# What is said during these recordings and is no part of the transfer: status, heartbeat, control.
ASIDE = (0x07, 0x08, 0x0D, 0x0E, 0x03, 0x04)


class _Conversation:
    """Our end of a recorded transfer: hears what the other end said, when it said it."""

    def __init__(self, name, role):
        mine = captures.TO_AGENT if role == MCU else captures.TO_MCU
        self.writes = [w for w in captures.serial(name) if FrameDecoder().feed(w.data)[0].cmd not in ASIDE]
        self.theirs = [w for w in self.writes if w.direction != mine]
        self.recorded = [FrameDecoder().feed(w.data)[0] for w in self.writes if w.direction == mine]
        self.link = McuLink(role, hold=(CMD_READY, CMD_PIECE), serves=TRANSFER_REQUESTS)
        self.sent = []
        self.stored = b""
        self.ended = None
        self._is_ready = False
        self._count_to(next(frame.sn for frame in self.recorded if frame.cmd & 1))

    def run(self, end, file=b""):
        for write in self.theirs:
            if self._is_ready:
                # Making room takes its time: nothing is said before the recorded end went on.
                self._is_ready = False
                self._take(end, end.accept(write.now), write.now, file)
            self._take(end, self.link.handle_timeout(write.now), write.now, file)
            self._take(end, self.link.receive_bytes(write.data, write.now), write.now, file)
        return self

    def start(self, sender, now):
        self._take(sender, sender.start(now), now, b"")

    def differences(self):
        assert len(self.sent) == len(self.recorded)
        return {
            i: ours.cmd for i, (ours, seen) in enumerate(zip(self.sent, self.recorded, strict=True)) if ours != seen
        }

    def _count_to(self, sn):
        for n in range(sn):
            self.link.request(CMD_GET_INFO, b"", 0)
            self.link.receive_bytes(encode_frame(CMD_GET_INFO + 1, n), 0)

    def _take(self, end, outputs, now, file):
        self.sent += _frames_sent(outputs)
        for out in outputs:
            if isinstance(out, Received):
                self._take(end, end.receive(out.frame, now), now, file)
            elif isinstance(out, Ready):
                self._is_ready = True
            elif isinstance(out, StoreData):
                self.stored += out.data
                self._take(end, end.stored(now), now, file)
            elif isinstance(out, NeedData):
                self._take(end, end.give(file[out.offset : out.offset + out.size], now), now, file)
            elif isinstance(out, Acked) and hasattr(end, "acked") and end.owns(out.token):
                self._take(end, end.acked(out.token, now), now, file)
            elif isinstance(out, Ended):
                self.ended = out.reason


def _recorded_file(name):
    """(file, md5) as its pieces and its announcement say."""
    frames = [FrameDecoder().feed(write.data)[0] for write in captures.serial(name)]
    size, md5 = transfer.parse_announce(next(frame.payload for frame in frames if frame.cmd == CMD_ANNOUNCE))
    file = b"".join([frame.payload[4:] for frame in frames if frame.cmd == CMD_PIECE])
    assert len(file) == size
    return file, md5


def _expected(name, role):
    return {n: cmd for n, (cmd, why) in TRANSFER_DEVIATIONS[name, role].items()}


@pytest.mark.parametrize("name, role", [(UPGRADE, MCU), (UPLOAD, MODULE)])
def test_our_receiver_takes_the_recorded_file(name, role):
    conversation = _Conversation(name, role)
    conversation.run(TransferReceiver(conversation.link))
    file, md5 = _recorded_file(name)
    assert conversation.ended == ENDED_DONE
    assert conversation.stored == file
    assert (hashlib.md5(file).hexdigest().encode() == md5) == MD5_IS_RIGHT[name]
    assert conversation.differences() == _expected(name, role)


@pytest.mark.parametrize("name, role", [(UPGRADE, MODULE), (UPLOAD, MCU)])
def test_our_sender_says_what_was_recorded(name, role):
    file, md5 = _recorded_file(name)
    conversation = _Conversation(name, role)
    sender = TransferSender(conversation.link, len(file), md5)
    conversation.start(sender, conversation.writes[0].now)
    conversation.run(sender, file)
    assert conversation.ended == ENDED_DONE
    assert conversation.differences() == _expected(name, role)


def test_the_protocol_page_names_every_recording_that_differs():
    page = (ROOT / "mcu_proto" / "PROTOCOL.md").read_text(encoding="utf-8")
    section = page.partition("## 7. ")[2].partition("## 8. ")[0]
    named = set(re.findall(r"`([0-9]{2}[a-d]?-[a-z0-9-]+)`", section))
    differing = [name for name, _ in [*NOT_THE_SAME, *ANSWERS]] + [name for name, _ in TRANSFER_DEVIATIONS]
    assert named <= set(captures.names())
    assert set(differing) <= named
