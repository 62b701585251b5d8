"""Rules of big data towards the MCU, an upgrade. Serial manual, chapter 7.

The file is a made-up one and only its first piece is sent, then we stop: no firmware is replaced. One rule goes on
where the one before ended.
"""

import hashlib
from typing import Any

from mcu_proto import const as c
from mcu_proto.errors import RemoteError
from mcu_proto.frame import Frame
from mcu_proto.transfer import MAX_PIECE, build_announce, parse_ready

from .bench import Bench
from .rule import ACTIVE, Rule
from .verdict import Broken, NotSeen

# An MCU may erase its flash before it is ready.
_READY_WITHIN = 120_000
_PIECE_WITHIN = c.PIECE_TIMEOUT
# More than one piece of any size.
_FILE = bytes(range(256)) * 8
_MD5 = hashlib.md5(_FILE, usedforsecurity=False).hexdigest().encode()


def _announce(bench: Bench) -> str:
    mark = bench.mark()
    sn = bench.send(c.CMD_ANNOUNCE, build_announce(len(_FILE), _MD5))
    found = bench.wait(
        lambda heard: isinstance(heard.item, Frame) and heard.item.cmd in (c.CMD_ANNOUNCE + 1, c.CMD_ILLEGAL_FROM_MCU),
        1000,
        mark,
    )
    if found is not None and found.item.cmd == c.CMD_ILLEGAL_FROM_MCU:
        raise NotSeen("the MCU takes no big data: it calls 19 unknown")
    ack = bench.ack_of(c.CMD_ANNOUNCE, sn, mark).item
    if ack.payload:
        raise Broken("1a has %d bytes of payload, expected none" % len(ack.payload))
    bench.notes["announced"] = mark
    return ""


def _ready(bench: Bench) -> str:
    mark = _noted(bench, "announced", "the announcement was not taken")
    found = bench.wait(
        lambda heard: isinstance(heard.item, Frame) and heard.item.cmd in (c.CMD_READY, c.CMD_STOP_RECEIVING),
        _READY_WITHIN,
        mark,
    )
    if found is None:
        raise Broken("no 1b within %d s of 19" % (_READY_WITHIN // 1000))
    if found.item.cmd == c.CMD_STOP_RECEIVING:
        raise NotSeen("the MCU did not want the file and said so by 27")
    try:
        md5, size = parse_ready(found.item.payload)
    except RemoteError as e:
        raise Broken("1b: %s" % e) from None
    if md5 and md5 != _MD5:
        raise Broken("1b names md5 %s, 19 announced %s" % (md5.decode("ascii", "replace"), _MD5.decode()))
    if size > MAX_PIECE:
        raise Broken("1b wants pieces of %d bytes, at most %d fit a frame" % (size, MAX_PIECE))
    if found.item.flags & ~c.FLAG_HEX:
        raise Broken("1b has flags %04x, expected 0000 or 0001" % found.item.flags)
    bench.notes["ready"] = (size, found.item.flags)
    return "pieces of %d bytes" % size


def _piece(bench: Bench) -> str:
    size, flags = _noted(bench, "ready", "the MCU is not ready for pieces")
    if flags & c.FLAG_HEX:
        payload = b"\x00\x01\x00\x00" + b":00000001FF\r\n"
    else:
        count = (len(_FILE) + size - 1) // size
        payload = b"\x00\x01" + count.to_bytes(2, "big") + _FILE[:size]
    bench.notes["piece"] = (payload, flags & c.FLAG_HEX, bench.now() & 0xFF)
    return _send_piece(bench)


def _piece_again(bench: Bench) -> str:
    _noted(bench, "piece", "no piece was sent")
    return _send_piece(bench)


def _send_piece(bench: Bench) -> str:
    payload, flags, sn = bench.notes["piece"]
    ack = bench.ask(c.CMD_PIECE, payload, flags, sn=sn, within=_PIECE_WITHIN)
    if ack.item.payload:
        raise Broken("1e has %d bytes of payload, expected none" % len(ack.item.payload))
    return "after %d ms" % ack.rtt


def _stop(bench: Bench) -> str:
    _noted(bench, "announced", "the announcement was not taken")
    bench.ask(c.CMD_STOP_SENDING)
    bench.ask(c.CMD_HEARTBEAT)
    return ""


def _noted(bench: Bench, name: str, why: str) -> Any:
    if name not in bench.notes:
        raise NotSeen(why)
    return bench.notes[name]


TRANSFER_RULES = (
    Rule("upgrade-announce", "7.2", "19 is acked, without payload", ACTIVE, _announce),
    Rule("upgrade-ready", "7.2", "1b echoes the md5 and names a size that fits", ACTIVE, _ready),
    Rule("upgrade-piece", "7.2", "a piece is acked within 3 s", ACTIVE, _piece),
    Rule("upgrade-piece-again", "7.2", "a repeated piece is acked again", ACTIVE, _piece_again),
    Rule("upgrade-stop", "7.4", "1f is acked, and life goes on", ACTIVE, _stop),
)
