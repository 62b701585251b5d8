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
)
from .errors import LocalError
from .frame import BadFrame, FrameDecoder, encode_frame

SendSerial = namedtuple("SendSerial", ("data",))  # write these bytes
Received = namedtuple("Received", ("frame",))  # a request from the peer, already acked unless held
Acked = namedtuple("Acked", ("token", "frame"))  # our request was answered; its payload is in the frame
Failed = namedtuple("Failed", ("token", "reason"))  # our request will get no answer: FAIL_*
Illegal = namedtuple("Illegal", ("bad",))  # the peer sent, or complained of, a bad frame


class McuLink:
    """`role` is the end we are, `hold` the requests our owner acks itself, `baud` the speed frames leave at."""

    def __init__(self, role=MODULE, hold=(), baud=9600, max_frame=MAX_FRAME, queue_size=16):
        self._decoder = FrameDecoder(max_frame)
        self._accepts = REQUESTS_TO[role]
        self._notice = CMD_ILLEGAL_FROM_MODULE if role == MODULE else CMD_ILLEGAL_FROM_MCU
        self._hold = hold
        self._baud = baud
        self._queue_size = queue_size
        self._start()

    def receive_bytes(self, data, now) -> list:
        """What the bytes `data` mean, acks to write included."""
        out = []
        for item in self._decoder.feed(data):
            if isinstance(item, BadFrame):
                self._on_bad(item, out)
            elif item.cmd == CMD_ILLEGAL_FROM_MODULE or item.cmd == CMD_ILLEGAL_FROM_MCU:
                self._on_complaint(item, now, out)
            elif item.cmd & 1:
                self._on_request(item, now, out)
            else:
                self._on_ack(item, now, out)
        self._silence_at = now + SILENCE if self._decoder.is_inside() else None
        return out

    def request(self, cmd, payload, now, token=None, timeout=ACK_TIMEOUT, flags=0) -> list:
        """Send a request, or queue it while another is unanswered; `token` comes back in its Acked or Failed."""
        if len(payload) > MAX_PAYLOAD:
            raise LocalError("payload of %d bytes, at most %d fit" % (len(payload), MAX_PAYLOAD))
        if self._pending is None:
            out = []
            self._begin((cmd, payload, token, timeout, flags), now, out)
            return out
        if len(self._queue) >= self._queue_size:
            return [Failed(token, FAIL_QUEUE_FULL)]
        self._queue.append((cmd, bytes(payload), token, timeout, flags))
        return []

    def reply(self, frame, payload=b"") -> list:
        """The ack of a held request."""
        data = encode_frame(frame.cmd + 1, frame.sn, payload)
        if frame is self._last:
            self._last_reply = data
        return [SendSerial(data)]

    def handle_timeout(self, now) -> list:
        """Retransmit, give up or drop a half frame, whatever is due; harmless when early."""
        out = []
        if self._silence_at is not None and now >= self._silence_at:
            self._decoder.reset()
            self._silence_at = None
        if self._deadline is not None and now >= self._deadline:
            if self._decoder.is_inside() and now < self._patience:
                # The ack may be the frame that is arriving: at 9600 baud a long one takes most of a second.
                self._deadline = min(now + ACK_TIMEOUT, self._patience)
            elif self._sends < SENDS:
                self._transmit(now, out)
            else:
                self._end(Failed(self._token, FAIL_NO_ACK), now, out)
        return out

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do."""
        if self._deadline is None:
            return self._silence_at
        if self._silence_at is None:
            return self._deadline
        return min(self._deadline, self._silence_at)

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
        self._decoder.reset()
        self._start()
        return out

    def _start(self):
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
        self._last = None
        self._last_at = 0
        self._last_reply = None

    def _begin(self, request, now, out):
        cmd, payload, self._token, self._timeout, flags = request
        self._pending_cmd = cmd
        self._pending_sn = self._sn
        self._pending = encode_frame(cmd, self._sn, payload, flags)
        self._sn = (self._sn + 1) & 0xFF
        self._sends = 0
        self._transmit(now, out)

    def _transmit(self, now, out):
        self._sends += 1
        # The wait begins when the last byte has left the line, ten bit times a byte.
        self._deadline = now + self._timeout + len(self._pending) * 10000 // self._baud
        self._patience = self._deadline + 2 * SILENCE
        out.append(SendSerial(self._pending))

    def _end(self, outcome, now, out):
        out.append(outcome)
        self._pending = None
        self._token = None
        self._deadline = None
        if self._queue:
            self._begin(self._queue.pop(0), now, out)

    def _on_bad(self, bad, out):
        # Acks are even: a broken one is only missed, and our own retransmission asks for it again.
        if bad.reason == BAD_CHECKSUM and bad.cmd & 1:
            out.append(SendSerial(encode_frame(self._notice, bad.sn, bytes((ERR_CHECKSUM,)))))
        out.append(Illegal(bad))

    def _on_complaint(self, frame, now, out):
        code = frame.payload[0] if frame.payload else 0
        out.append(Illegal(BadFrame(code, frame.cmd, frame.sn)))
        if self._pending is None or frame.sn != self._pending_sn:
            return
        if code != ERR_CHECKSUM:
            self._end(Failed(self._token, FAIL_REFUSED), now, out)
        elif self._sends < SENDS:
            self._transmit(now, out)

    def _on_request(self, frame, now, out):
        if frame.cmd not in self._accepts:
            out.append(SendSerial(encode_frame(self._notice, frame.sn, bytes((ERR_UNKNOWN_CMD,)))))
            out.append(Illegal(BadFrame(BAD_UNKNOWN_CMD, frame.cmd, frame.sn)))
            return
        if frame == self._last and now - self._last_at < DUPLICATE_WINDOW:
            if self._last_reply is not None:
                out.append(SendSerial(self._last_reply))
            return
        self._last = frame
        self._last_at = now
        self._last_reply = None
        if frame.cmd not in self._hold:
            self._last_reply = encode_frame(frame.cmd + 1, frame.sn)
            out.append(SendSerial(self._last_reply))
        out.append(Received(frame))

    def _on_ack(self, frame, now, out):
        if self._pending is not None and frame.cmd == self._pending_cmd + 1 and frame.sn == self._pending_sn:
            self._end(Acked(self._token, frame), now, out)
