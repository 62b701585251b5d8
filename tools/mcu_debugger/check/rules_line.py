"""Rules of the line, the frame and the exchange of request and ack. Serial manual, chapters 1 and 4.9."""

from statistics import median

from mcu_proto import const as c
from mcu_proto.frame import Frame, encode_frame

from ..inspector import wire_of
from .bench import ACK_WITHIN, Bench, is_bad
from .rule import ACTIVE, PASSIVE, Rule
from .verdict import Broken, NotSeen

# Enough to see a slow one among them.
_ROUNDS = 20
# Silence after which nothing more is expected.
_QUIET = 500
_STATUS = b"\x07\x3a"
# No manual knows this command.
_UNKNOWN = 0x2B


def _frame_good(bench: Bench) -> str:
    heard = list(bench.heard)
    if not heard:
        raise NotSeen("no frame came at all")
    bad = [each for each in heard if is_bad(each)]
    if bad:
        raise Broken("%d of %d frames are damaged, the first is %s" % (len(bad), len(heard), bad[0].wire.hex(" ")))
    return "%d frames" % len(heard)


def _bytes_slow(bench: Bench) -> str:
    mark = bench.mark()
    for byte in encode_frame(c.CMD_HEARTBEAT, 7):
        bench.write(bytes((byte,)))
        bench.listen(20)
    bench.ack_of(c.CMD_HEARTBEAT, 7, mark)
    return ""


def _back_to_back(bench: Bench) -> str:
    mark = bench.mark()
    bench.write(encode_frame(c.CMD_HEARTBEAT, 8) + encode_frame(c.CMD_MODULE_STATUS, 9, _STATUS))
    bench.ack_of(c.CMD_HEARTBEAT, 8, mark)
    bench.ack_of(c.CMD_MODULE_STATUS, 9, mark)
    return ""


def _stuffed_received(bench: Bench) -> str:
    bench.ask(c.CMD_HEARTBEAT, sn=0xFF)
    # Its checksum is ff.
    bench.ask(c.CMD_HEARTBEAT, sn=0xF3)
    return ""


def _stuffed_sent(bench: Bench) -> str:
    ack = bench.ask(c.CMD_HEARTBEAT, sn=0xFF)
    right = encode_frame(c.CMD_HEARTBEAT + 1, 0xFF)
    if ack.wire != right:
        raise Broken("the ack is %s, expected %s" % (ack.wire.hex(" "), right.hex(" ")))
    return ""


def _stuffed_always(bench: Bench) -> str:
    frames = [each for each in bench.heard if isinstance(each.item, Frame)]
    if not any(b"\xff" in each.wire[2:] for each in frames):
        raise NotSeen("no frame held an ff")
    for each in frames:
        right = wire_of(each.item)
        # A frame is complete with its checksum: the 55 of a checksum ff may have come too late to be kept.
        if each.wire not in (right, right[:-1] if right.endswith(b"\xff\x55") else right):
            raise Broken("an ff without its 55 in %s" % each.wire.hex(" "))
    return ""


def _after_noise(bench: Bench) -> str:
    mark = bench.mark()
    bench.write(b"\x00\x55\xaa\xff" + encode_frame(c.CMD_HEARTBEAT, 10))
    bench.ack_of(c.CMD_HEARTBEAT, 10, mark)
    return ""


def _header_inside(bench: Bench) -> str:
    mark = bench.mark()
    bench.write(encode_frame(c.CMD_MODULE_STATUS, 11, _STATUS)[:7] + encode_frame(c.CMD_HEARTBEAT, 12))
    bench.ack_of(c.CMD_HEARTBEAT, 12, mark)
    return ""


def _length_impossible(bench: Bench) -> str:
    mark = bench.mark()
    bench.write(c.HEADER + b"\x00\x03\x07" + encode_frame(c.CMD_HEARTBEAT, 13))
    bench.ack_of(c.CMD_HEARTBEAT, 13, mark)
    return ""


def _ack_once(bench: Bench) -> str:
    mark = bench.mark()
    for _ in range(_ROUNDS):
        bench.ask(c.CMD_HEARTBEAT)
    bench.listen(_QUIET)
    acks = len(bench.frames(mark, c.CMD_HEARTBEAT + 1))
    if acks != _ROUNDS:
        raise Broken("%d acks to %d requests" % (acks, _ROUNDS))
    return "%d of %d" % (acks, _ROUNDS)


def _ack_in_time(bench: Bench) -> str:
    times = [bench.ask(c.CMD_HEARTBEAT).rtt for _ in range(_ROUNDS)]
    words = "median %d ms, longest %d ms of %d" % (median(times), max(times), _ROUNDS)
    if max(times) > ACK_WITHIN:
        raise Broken("%s; a module waits %d ms" % (words, ACK_WITHIN))
    return words


def _ack_of_a_repetition(bench: Bench) -> str:
    for _ in range(2):
        bench.ask(c.CMD_MODULE_STATUS, _STATUS, sn=14)
    return ""


def _sn_in_any_order(bench: Bench) -> str:
    for sn in (200, 3, 0, 0xFE):
        bench.ask(c.CMD_HEARTBEAT, sn=sn)
    return ""


def _complains(bench: Bench, data: bytes, sn: int, code: int, about: str) -> str:
    mark = bench.mark()
    bench.write(data)
    found = bench.wait(
        lambda heard: isinstance(heard.item, Frame) and (heard.item.sn == sn or heard.item.cmd == 0x12), 1000, mark
    )
    if found is None:
        raise Broken("nothing came after %s, expected 12 with code %02x" % (about, code))
    frame = found.item
    if frame.cmd != c.CMD_ILLEGAL_FROM_MCU:
        raise Broken("%s was answered by %02x, expected 12 with code %02x" % (about, frame.cmd, code))
    if (frame.sn, frame.payload[:1]) != (sn, bytes((code,))):
        got = "12 with sn %d and code %s" % (frame.sn, frame.payload.hex() or "none")
        raise Broken("%s was answered by %s, expected sn %d and code %02x" % (about, got, sn, code))
    return ""


def _checksum_complaint(bench: Bench) -> str:
    data = bytearray(encode_frame(c.CMD_HEARTBEAT, 15))
    data[-1] ^= 1
    return _complains(bench, bytes(data), 15, c.ERR_CHECKSUM, "a heartbeat with a wrong checksum")


def _unknown_complaint(bench: Bench) -> str:
    return _complains(bench, encode_frame(_UNKNOWN, 16), 16, c.ERR_UNKNOWN_CMD, "the unknown command %02x" % _UNKNOWN)


def _complaint_unanswered(bench: Bench) -> str:
    mark = bench.mark()
    bench.send(c.CMD_ILLEGAL_FROM_MODULE, bytes((c.ERR_CHECKSUM,)), sn=77)
    bench.listen(_QUIET)
    answers = bench.frames(mark, c.CMD_ILLEGAL_FROM_MCU)
    if answers:
        raise Broken("11 was answered by %s; it is no request" % answers[0].wire.hex(" "))
    return ""


LINE_RULES = (
    Rule("bytes-slow", "1.1", "bytes may come with pauses", ACTIVE, _bytes_slow),
    Rule("back-to-back", "1.1", "frames may follow each other without a gap", ACTIVE, _back_to_back),
    Rule("stuffing-received", "1.3", "ff 55 in a frame is taken as ff", ACTIVE, _stuffed_received),
    Rule("stuffing-sent", "1.3", "an ff in an ack is sent as ff 55", ACTIVE, _stuffed_sent),
    Rule("noise", "1.4", "noise before a frame does no harm", ACTIVE, _after_noise),
    Rule("header-inside", "1.4", "a header inside a frame begins a new one", ACTIVE, _header_inside),
    Rule("length-impossible", "1.4", "an impossible length is skipped", ACTIVE, _length_impossible),
    Rule("ack-once", "1.5", "every request is acked once, with its sn", ACTIVE, _ack_once),
    Rule("ack-in-time", "1.5", "an ack comes within 200 ms", ACTIVE, _ack_in_time),
    Rule("repetition", "1.5", "a repeated request is acked again", ACTIVE, _ack_of_a_repetition),
    Rule("sn-any-order", "12.1", "a module may begin anew with any sn", ACTIVE, _sn_in_any_order),
    Rule("checksum-complaint", "4.9", "a wrong checksum is complained of by 12, code 01", ACTIVE, _checksum_complaint),
    Rule("unknown-complaint", "4.9", "an unknown command is complained of by 12, code 02", ACTIVE, _unknown_complaint),
    Rule("complaint-unanswered", "4.9", "11 is not answered", ACTIVE, _complaint_unanswered),
    Rule("stuffing-always", "1.3", "every ff of every frame is sent as ff 55", PASSIVE, _stuffed_always),
    Rule("frame-good", "1.2", "every frame of the MCU has the right length and checksum", PASSIVE, _frame_good),
)
