"""Big data: a file crosses the line in pieces, in either direction. Serial manual, chapters 7 and 8.

     sender                                    receiver
       │── 19 size, md5 ───────────────────────▶│ 1a          makes room (erases flash), as long as it takes
       │ 1c ◀─────────────────── 1b md5, piece ─│
       │── 1d number, count, data ─────────────▶│ stores, then 1e
       │── 1d ... the last one ────────────────▶│ stores, 1e; the owner checks the md5
       │── 1f: I stop ─────────────────────────▶│ 20
       │ 28 ◀────────────────────── 27: stop it ─│

BIN cuts the file at the piece size that the receiver asked for; HEX sends one text line a piece (number counts, count
is 0) and marks the last by a flag. Both ends, `TransferSender` and `TransferReceiver`, run on a `McuLink` that serves
TRANSFER_REQUESTS and holds CMD_READY (sender) or CMD_PIECE (receiver); the owner hands them every `Received` of those
commands and every outcome whose token they own. The file itself stays with the owner: `NeedData` and `StoreData` ask
for it. This file has what both ends share: outputs, limits, payloads.

They survive: a repeated 1b or piece, a piece out of order (the transfer ends), an md5 that is not ours, a receiver that
restarts before it acks the last piece, silence, and both ends stopping at once. There is no resume: after an end
everything begins again at 19.
"""

from collections import namedtuple

from .const import MAX_PAYLOAD, const
from .errors import RemoteError

NeedData = namedtuple("NeedData", ("offset", "size"))  # answer with give(data): what the file has there
StoreData = namedtuple("StoreData", ("offset", "data"))  # answer with stored() once it is safe
Ready = namedtuple("Ready", ("size", "md5"))  # a file is announced: accept() or cancel()
Ended = namedtuple("Ended", ("reason",))  # ENDED_*

ENDED_DONE = const(0)  # everything was sent and acked, or received; the receiver's owner checks the md5
ENDED_UNCONFIRMED = const(1)  # all sent, the last ack is missing: MCUs restart before it; judge by their version
ENDED_CANCELLED = const(2)  # by the peer
ENDED_STOPPED = const(3)  # by our owner
ENDED_NO_ACK = const(4)
ENDED_SILENCE = const(5)  # 1b or the next piece did not come
ENDED_MISMATCH = const(6)  # the receiver is ready for another file
ENDED_PIECE_SIZE = const(7)  # pieces larger than a frame
ENDED_LINE = const(8)  # HEX: a line longer than MCUs take
ENDED_ORDER = const(9)  # a piece is missing
ENDED_SIZE = const(10)  # more data, or less, than was announced

# A piece size of 0, or none at all, means this.
DEFAULT_PIECE = const(256)
# Number and count take four bytes of the payload.
MAX_PIECE = MAX_PAYLOAD - 4


def build_announce(size, md5) -> bytes:
    """19: size (4), length of the md5 (2), md5."""
    return size.to_bytes(4, "big") + len(md5).to_bytes(2, "big") + md5


def parse_announce(payload) -> tuple:
    """(size, md5) of 19; RemoteError when it is cut."""
    if len(payload) < 6:
        raise RemoteError("announcement of %d bytes, at least 6 expected" % len(payload))
    return int.from_bytes(payload[:4], "big"), _md5(payload, 4)


def build_ready(md5, piece_size) -> bytes:
    """1b: length of the md5 (2), md5, piece size (2)."""
    return len(md5).to_bytes(2, "big") + md5 + piece_size.to_bytes(2, "big")


def parse_ready(payload) -> tuple:
    """(md5, piece size) of 1b; both are left out by old modules, and a size of 0 means 256. RemoteError when cut."""
    if not payload:
        return b"", DEFAULT_PIECE
    if len(payload) < 2:
        raise RemoteError("ready of 1 byte")
    md5 = _md5(payload, 0)
    size = int.from_bytes(payload[2 + len(md5) : 4 + len(md5)], "big")
    return md5, size or DEFAULT_PIECE


def _md5(payload, at) -> bytes:
    size = payload[at] << 8 | payload[at + 1]
    if at + 2 + size > len(payload):
        raise RemoteError("md5 of %d bytes, %d are there" % (size, len(payload) - at - 2))
    return bytes(payload[at + 2 : at + 2 + size])
