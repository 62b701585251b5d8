"""Fuzz targets of what lives on a stream and in time: decoder and link. A broken law is an AssertionError."""

from mcu_proto.const import (
    CMD_ANNOUNCE,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_HEARTBEAT,
    CMD_P0_DOWN,
    CMD_P0_UP,
    ERR_OTHER,
    MAX_FRAME,
    MAX_PAYLOAD,
    MCU,
    MODULE,
    REQUESTS_TO,
    TRANSFER_REQUESTS,
)
from mcu_proto.errors import LocalError
from mcu_proto.frame import BadFrame, Frame, FrameDecoder, encode_frame
from mcu_proto.link import Acked, Failed, Illegal, McuLink, Received, SendSerial

from .script import Script

_HEARTBEAT = encode_frame(CMD_HEARTBEAT, 0x1A)
_OWN_REQUESTS = (CMD_GET_INFO, CMD_P0_DOWN, CMD_P0_UP, CMD_HEARTBEAT, CMD_GET_TIME, CMD_ANNOUNCE)
_HELD = (CMD_GET_TIME, CMD_GET_MODULE_INFO, CMD_P0_DOWN)
# More timeouts than any script can leave open: the longest is a full queue of pieces.
_TIMEOUTS = 2000


def frame(data):
    """The decoder: any bytes at any chunking give the same items, and the buffer does not grow."""
    size = data[0] % 16 + 1 if data else 1
    stream = data[1:]
    whole = FrameDecoder()
    items = whole.feed(stream)
    chunked = FrameDecoder()
    again = []
    for at in range(0, len(stream), size):
        again += chunked.feed(stream[at : at + size])
    assert again == items
    assert chunked.is_inside() == whole.is_inside()
    for decoder in (whole, chunked):
        assert len(decoder._buf) <= MAX_FRAME + 2
    assert sum([len(item.payload) + 9 for item in items if isinstance(item, Frame)]) <= len(stream)
    for item in items:
        if isinstance(item, BadFrame):
            continue
        try:
            again = FrameDecoder().feed(encode_frame(item.cmd, item.sn, item.payload, item.flags))
        except LocalError:
            assert len(item.payload) > MAX_PAYLOAD
        else:
            assert again == [item]
    if len(stream) > 2:
        made = Frame(stream[0], stream[1], stream[2], stream[3:900])
        assert FrameDecoder().feed(encode_frame(made.cmd, made.sn, made.payload, made.flags)) == [made]
    # Whatever came before: the second of two frames is found.
    assert whole.feed(_HEARTBEAT + _HEARTBEAT)[-1] == Frame(CMD_HEARTBEAT, 0x1A, 0, b"")


def link(data):
    """A link under a script of inputs: each request ends once, timeouts come to an end, early ones do nothing."""
    script = Script(data)
    role = script.pick((MODULE, MCU))
    end = McuLink(
        role,
        hold=_HELD,
        serves=script.pick((b"", TRANSFER_REQUESTS)),
        gap=script.pick((0, 0, 20, 300)),
        queue_size=script.pick((16, 2, 0)),
    )
    watch = _LinkWatch(end, role)
    while script.more():
        watch.now += script.number()
        watch.step(script)
    watch.run_out()


class _LinkWatch:
    """A link with everything it owes."""

    def __init__(self, end, role):
        self.end = end
        self.now = 0
        self._role = role
        self._open = set()
        self._tokens = 0
        self._held = None
        self._sent = None

    def step(self, script):
        script.pick(
            (
                self._bytes,
                self._frame,
                self._frame,
                self._ack,
                self._request,
                self._request,
                self._reply,
                self._pass_time,
                self._reset,
            )
        )(script)
        due = self.end.next_timeout()
        if due is None or due > self.now:
            assert self.end.handle_timeout(self.now) == []

    def run_out(self):
        for _ in range(_TIMEOUTS):
            due = self.end.next_timeout()
            if due is None:
                break
            self.now = max(self.now, due)
            self._take(self.end.handle_timeout(self.now))
        assert self.end.next_timeout() is None
        assert self.end.is_idle()
        assert not self._open
        assert self.end.reset() == []

    def _bytes(self, script):
        data = script.chunk()
        out = self.end.receive_bytes(data, self.now)
        # A byte can end one bad frame at most, and a frame causes an ack, a Received or an Illegal and a new request.
        assert len(out) <= 4 * len(data) + 4
        self._take(out)

    def _frame(self, script):
        data = encode_frame(script.number(), script.number(), script.chunk())
        self._take(self.end.receive_bytes(data, self.now))

    def _ack(self, script):
        if self._sent is not None:
            data = encode_frame(self._sent.cmd + 1 & 0xFF, self._sent.sn, script.chunk())
            self._take(self.end.receive_bytes(data, self.now))

    def _request(self, script):
        self._tokens += 1
        self._open.add(self._tokens)
        timeout = script.pick((200, 3000))
        self._take(self.end.request(script.pick(_OWN_REQUESTS), script.chunk(), self.now, self._tokens, timeout))

    def _reply(self, script):
        if self._held is None:
            return
        answer = self.end.complain(self._held, ERR_OTHER) if script.number() & 1 else self.end.reply(self._held)
        self._held = None
        self._take(answer)

    def _pass_time(self, script):
        self.now += script.number(2)
        self._take(self.end.handle_timeout(self.now))

    def _reset(self, script):
        self._held = self._sent = None
        self._take(self.end.reset())
        assert not self._open
        assert self.end.next_timeout() is None

    def _take(self, outputs):
        for output in outputs:
            if isinstance(output, SendSerial):
                (self._sent,) = FrameDecoder().feed(output.data)
                assert isinstance(self._sent, Frame)
            elif isinstance(output, Received):
                assert output.frame.cmd in REQUESTS_TO[self._role] + TRANSFER_REQUESTS
                if output.frame.cmd in _HELD:
                    self._held = output.frame
            elif isinstance(output, (Acked, Failed)):
                self._open.remove(output.token)
            else:
                assert isinstance(output, Illegal)
