"""One end of the serial conversation: requests, acks, retransmission, complaints. Serial manual, chapters 1.5 and 4.9.

    owner                     McuLink                       peer
      | request() ------------> | -- cmd, sn -------------> |   at most one of ours is unanswered; others queue
      |                         | <- cmd + 1, same sn ----- |   -> Acked
      |                         |    (no ack, 3 sends)      |   -> Failed(FAIL_NO_ACK)
      | <---- Received -------- | <- cmd, sn -------------- |   acked here, before the owner hears of it,
      |                         | -- cmd + 1, same sn ----> |   unless `hold` names the command: then by reply()

Every request ends in exactly one `Acked` or `Failed`. The link survives: lost acks on either side (a repeated request
is acked again, not delivered again), acks that match nothing, bad frames (complained of by 0x11 or 0x12), half frames
(dropped after a second of silence), a line that is lost and comes back (`reset`).
"""

from collections import namedtuple

from .const import (
    ACK_TIMEOUT,
    BAD_CHECKSUM,
    BAD_UNKNOWN_CMD,
    CMD_ILLEGAL_FROM_MCU,
    CMD_ILLEGAL_FROM_MODULE,
    DUPLICATE_WINDOW,
    ERR_CHECKSUM,
    ERR_UNKNOWN_CMD,
    FAIL_NO_ACK,
    FAIL_QUEUE_FULL,
    FAIL_REFUSED,
    FAIL_STOPPED,
    MAX_FRAME,
    MAX_PAYLOAD,
    MODULE,
    REQUESTS_TO,
    SENDS,
    SILENCE,
    URGENT_REQUESTS,
    const,
)
from .errors import LocalError
from .frame import BadFrame, FrameDecoder, encode_frame

SendSerial = namedtuple("SendSerial", ("data",))  # write these bytes
Received = namedtuple("Received", ("frame",))  # a request from the peer, already acked unless held
Acked = namedtuple("Acked", ("token", "frame"))  # our request was answered; its payload is in the frame
Failed = namedtuple("Failed", ("token", "reason"))  # our request will get no answer: FAIL_*
Illegal = namedtuple("Illegal", ("bad",))  # the peer sent, or complained of, a bad frame

# Indexes of `McuLink.counts`. Bad frames are counted from COUNT_BAD on, by their reason (BAD_*).
COUNT_SENT = const(0)  # requests begun
COUNT_RETRIED = const(1)  # sent again
COUNT_FAILED = const(2)  # ended in Failed
COUNT_DUPLICATES = const(3)  # requests of the peer that came again
COUNT_QUEUE_PEAK = const(4)  # most requests that ever waited
COUNT_BAD = const(5)
# The indexes by name, for snapshots.
COUNT_NAMES = (
    "sent",
    "retried",
    "failed",
    "duplicates",
    "queue_peak",
    "",
    "bad_checksum",
    "bad_unknown",
    "",
    "",
    "bad_length",
    "bad_truncated",
)
_COUNTS = const(12)


class McuLink:
    """`role` is the end we are, `hold` the requests our owner acks itself, `serves` what it takes besides the basic.

    `baud` is the speed frames leave at, `gap` the least silence in ms between two frames of ours, for MCUs that need
    time to breathe.
    """

    def __init__(self, role=MODULE, hold=(), serves=b"", baud=9600, gap=0, max_frame=MAX_FRAME, queue_size=16):
        self._decoder = FrameDecoder(max_frame)
        self._accepts = REQUESTS_TO[role] + serves
        self._notice = CMD_ILLEGAL_FROM_MODULE if role == MODULE else CMD_ILLEGAL_FROM_MCU
        self._hold = hold
        self._baud = baud
        self._gap = gap
        self._queue_size = queue_size
        self.counts = [0] * _COUNTS
        self._start()

    def receive_bytes(self, data, now) -> list:
        """What the bytes `data` mean, acks to write included."""
        out = []
        self._now = now
        for item in self._decoder.feed(data):
            if isinstance(item, BadFrame):
                self._on_bad(item, out)
            elif item.cmd == CMD_ILLEGAL_FROM_MODULE or item.cmd == CMD_ILLEGAL_FROM_MCU:
                self._on_complaint(item, out)
            elif item.cmd & 1:
                self._on_request(item, out)
            else:
                self._on_ack(item, out)
        self._silence_at = now + SILENCE if self._decoder.is_inside() else None
        return out

    def request(self, cmd, payload, now, token=None, timeout=ACK_TIMEOUT, flags=0) -> list:
        """Send a request, or queue it while another is unanswered; `token` comes back in its Acked or Failed."""
        if len(payload) > MAX_PAYLOAD:
            raise LocalError("payload of %d bytes, at most %d fit" % (len(payload), MAX_PAYLOAD))
        self._now = now
        out = []
        request = (cmd, bytes(payload), token, timeout, flags)
        if self._pending is None:
            self._begin(request, out)
        else:
            self._enqueue(request, out)
        return out

    def reply(self, frame, payload=b"") -> list:
        """The ack of a held request."""
        out = []
        data = encode_frame(frame.cmd + 1, frame.sn, payload)
        if frame is self._last:
            self._last_reply = data
        self._send(data, out)
        return out

    def complain(self, frame, code) -> list:
        """Refuse a held request instead of acking it; `code` is ERR_*."""
        out = []
        self._send(encode_frame(self._notice, frame.sn, bytes((code,))), out)
        return out

    def handle_timeout(self, now) -> list:
        """Retransmit, give up or drop a half frame, whatever is due; harmless when early."""
        out = []
        self._now = now
        if self._waiting and now >= self._free_at:
            out.append(SendSerial(self._waiting.pop(0)))
            self._free_at = now + self._on_wire(out[0].data) + self._gap
        if self._silence_at is not None and now >= self._silence_at:
            self._decoder.reset()
            self._silence_at = None
        if self._deadline is not None and now >= self._deadline:
            if self._decoder.is_inside() and now < self._patience:
                # The ack may be the frame that is arriving: at 9600 baud a long one takes most of a second.
                self._deadline = min(now + ACK_TIMEOUT, self._patience)
            elif self._sends < SENDS:
                self.counts[COUNT_RETRIED] += 1
                self._transmit(out)
            else:
                self._fail(FAIL_NO_ACK, out)
        return out

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do."""
        first = self._deadline
        if self._silence_at is not None and (first is None or self._silence_at < first):
            first = self._silence_at
        if self._waiting and (first is None or self._free_at < first):
            first = self._free_at
        return first

    def is_idle(self) -> bool:
        """True when no request of ours waits for its ack."""
        return self._pending is None

    def reset(self) -> list:
        """The line was lost: forget both directions; what was under way ends in Failed(FAIL_STOPPED)."""
        out = []
        if self._pending is not None:
            out.append(Failed(self._token, FAIL_STOPPED))
        for request in self._queue:
            out.append(Failed(request[2], FAIL_STOPPED))
        self.counts[COUNT_FAILED] += len(out)
        self._decoder.reset()
        self._start()
        return out

    def _start(self):
        self._now = 0
        self._sn = 0
        self._queue = []
        self._pending = None
        self._token = None
        self._pending_cmd = 0
        self._pending_sn = 0
        self._sends = 0
        self._timeout = 0
        self._deadline = None
        self._patience = 0
        self._silence_at = None
        self._waiting = []
        self._free_at = 0
        self._last = None
        self._last_at = 0
        self._last_reply = None

    # Our requests.

    def _enqueue(self, request, out):
        """Urgent ones go before management; when all places are taken, they take that of the youngest of it."""
        queue = self._queue
        urgent = request[0] in URGENT_REQUESTS
        if len(queue) >= self._queue_size:
            if not urgent or not queue or queue[-1][0] in URGENT_REQUESTS:
                out.append(Failed(request[2], FAIL_QUEUE_FULL))
                self.counts[COUNT_FAILED] += 1
                return
            out.append(Failed(queue.pop()[2], FAIL_QUEUE_FULL))
            self.counts[COUNT_FAILED] += 1
        at = len(queue)
        while urgent and at and queue[at - 1][0] not in URGENT_REQUESTS:
            at -= 1
        queue.insert(at, request)
        self.counts[COUNT_QUEUE_PEAK] = max(self.counts[COUNT_QUEUE_PEAK], len(queue))

    def _begin(self, request, out):
        cmd, payload, self._token, self._timeout, flags = request
        self._pending_cmd = cmd
        self._pending_sn = self._sn
        self._pending = encode_frame(cmd, self._sn, payload, flags)
        self._sn = (self._sn + 1) & 0xFF
        self._sends = 0
        self.counts[COUNT_SENT] += 1
        self._transmit(out)

    def _transmit(self, out):
        self._sends += 1
        # The wait begins when the last byte has left the line.
        self._deadline = self._send(self._pending, out) + self._timeout
        self._patience = self._deadline + 2 * SILENCE

    def _send(self, data, out) -> int:
        """Write `data`, now or when the gap allows it; the moment its last byte has left the line."""
        start = max(self._now, self._free_at) if self._gap else self._now
        end = start + self._on_wire(data)
        if start > self._now or self._waiting:
            for earlier in self._waiting:
                end += self._on_wire(earlier) + self._gap
            # What finds no place is lost like a frame on a bad line: whoever misses it asks again.
            if len(self._waiting) < self._queue_size:
                self._waiting.append(data)
        else:
            out.append(SendSerial(data))
            self._free_at = end + self._gap
        return end

    def _on_wire(self, data) -> int:
        """Ten bit times a byte."""
        return len(data) * 10000 // self._baud

    def _fail(self, reason, out):
        self.counts[COUNT_FAILED] += 1
        self._end(Failed(self._token, reason), out)

    def _end(self, outcome, out):
        out.append(outcome)
        self._pending = None
        self._token = None
        self._deadline = None
        if self._queue:
            self._begin(self._queue.pop(0), out)

    # What the peer sends.

    def _on_bad(self, bad, out):
        self.counts[COUNT_BAD + bad.reason] += 1
        # Acks are even: a broken one is only missed, and our own retransmission asks for it again.
        if bad.reason == BAD_CHECKSUM and bad.cmd & 1:
            self._send(encode_frame(self._notice, bad.sn, bytes((ERR_CHECKSUM,))), out)
        out.append(Illegal(bad))

    def _on_complaint(self, frame, out):
        code = frame.payload[0] if frame.payload else 0
        out.append(Illegal(BadFrame(code, frame.cmd, frame.sn)))
        if self._pending is None or frame.sn != self._pending_sn:
            return
        if code != ERR_CHECKSUM:
            self._fail(FAIL_REFUSED, out)
        elif self._sends < SENDS:
            self.counts[COUNT_RETRIED] += 1
            self._transmit(out)

    def _on_request(self, frame, out):
        if frame.cmd not in self._accepts:
            self.counts[COUNT_BAD + BAD_UNKNOWN_CMD] += 1
            self._send(encode_frame(self._notice, frame.sn, bytes((ERR_UNKNOWN_CMD,))), out)
            out.append(Illegal(BadFrame(BAD_UNKNOWN_CMD, frame.cmd, frame.sn)))
            return
        if frame == self._last and self._now - self._last_at < DUPLICATE_WINDOW:
            self.counts[COUNT_DUPLICATES] += 1
            if self._last_reply is not None:
                self._send(self._last_reply, out)
            return
        self._last = frame
        self._last_at = self._now
        self._last_reply = None
        if frame.cmd not in self._hold:
            self._last_reply = encode_frame(frame.cmd + 1, frame.sn)
            self._send(self._last_reply, out)
        out.append(Received(frame))

    def _on_ack(self, frame, out):
        if self._pending is not None and frame.cmd == self._pending_cmd + 1 and frame.sn == self._pending_sn:
            self._end(Acked(self._token, frame), out)
