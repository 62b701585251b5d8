"""Fuzz target of big data: each end under a script of frames, answers and time. A broken law is an AssertionError."""

from mcu_proto.const import (
    CMD_ANNOUNCE,
    CMD_PIECE,
    CMD_READY,
    CMD_STOP_RECEIVING,
    CMD_STOP_SENDING,
    FLAG_HEX,
    FLAG_LAST,
    MCU,
    MODULE,
    TRANSFER_REQUESTS,
)
from mcu_proto.frame import FrameDecoder, encode_frame
from mcu_proto.link import Acked, Failed, McuLink, Received, SendSerial
from mcu_proto.transfer import ENDED_DONE, MAX_PIECE, Ended, NeedData, Ready, StoreData, build_announce, build_ready
from mcu_proto.transfer_receiver import TransferReceiver
from mcu_proto.transfer_sender import TransferSender

from .script import Script

_MD5 = b"0123456789abcdef0123456789abcdef"
# More timeouts than any script can leave open.
_TIMEOUTS = 2000


def transfer(data):
    """Sender or receiver: no offset out of range, no data stored twice, timeouts come to an end."""
    script = Script(data)
    watch = script.pick((_SenderWatch, _ReceiverWatch))(script)
    while script.more():
        watch.now += script.number()
        watch.step(script)
    for _ in range(_TIMEOUTS):
        due = [at for at in (watch.link.next_timeout(), watch.end.next_timeout()) if at is not None]
        if not due:
            break
        watch.now = max(watch.now, min(due))
        watch.pass_time()
    assert watch.link.next_timeout() is None and watch.end.next_timeout() is None


class _TransferWatch:
    """What both ends have in common: a link, time, and frames of the peer."""

    def __init__(self, link_role, hold):
        self.now = 0
        self.link = McuLink(link_role, hold=hold, serves=TRANSFER_REQUESTS)
        self._sn = 0
        self._sent = None

    def pass_time(self):
        self.take(self.link.handle_timeout(self.now))
        self.take(self.end.handle_timeout(self.now))

    def wait(self, script):
        self.now += script.number(2)
        self.pass_time()

    def ack(self, script):
        if self._sent is not None:
            self.hear(encode_frame(self._sent.cmd + 1 & 0xFF, self._sent.sn))

    def say(self, cmd, payload, flags=0, repeated=False):
        self._sn = self._sn + (not repeated) & 0xFF
        self.hear(encode_frame(cmd, self._sn, payload, flags))

    def hear(self, data):
        for item in self.link.receive_bytes(data, self.now):
            if isinstance(item, Received) and item.frame.cmd in TRANSFER_REQUESTS:
                self.take(self.end.receive(item.frame, self.now))
            else:
                self.take([item])

    def take(self, outputs):
        for output in outputs:
            if isinstance(output, SendSerial):
                (self._sent,) = FrameDecoder().feed(output.data)
            else:
                self.on(output)


class _SenderWatch(_TransferWatch):
    def __init__(self, script):
        super().__init__(MODULE, (CMD_READY,))
        self.file = bytes(range(10, 90)) * (script.number() % 16) + b"\n" * (script.number() % 4)
        self.end = TransferSender(self.link, len(self.file), _MD5, bool(script.number() & 1))
        self._need = None

    def step(self, script):
        script.pick(
            (self._start, self._ready, self._ready, self._give, self._give, self.ack, self.ack, self._stop, self.wait)
        )(script)
        assert 0 <= self.end.progress() <= len(self.file)

    def on(self, output):
        if isinstance(output, NeedData):
            assert output.offset >= 0 and output.offset + output.size <= len(self.file)
            self._need = output
        elif isinstance(output, Acked):
            if self.end.owns(output.token):
                self.take(self.end.acked(output.token, self.now))
        elif isinstance(output, Failed) and self.end.owns(output.token):
            self.take(self.end.failed(output.token, self.now))

    def _start(self, script):
        self.take(self.end.start(self.now))

    def _ready(self, script):
        payload = script.pick((script.chunk(), build_ready(_MD5, script.number(2)), build_ready(_MD5, 64), b""))
        self.say(CMD_READY, payload, script.number() & FLAG_HEX)

    def _give(self, script):
        if self._need is not None:
            need, self._need = self._need, None
            self.take(self.end.give(self.file[need.offset : need.offset + need.size], self.now))

    def _stop(self, script):
        if script.number() & 1:
            self.take(self.end.cancel(self.now))
        else:
            self.say(CMD_STOP_RECEIVING, script.chunk())


class _ReceiverWatch(_TransferWatch):
    def __init__(self, script):
        super().__init__(MCU, (CMD_PIECE,))
        self.end = TransferReceiver(self.link, script.number(2), bool(script.number() & 1))
        self._size = 0
        self._stored = 0
        self._storing = 0
        self._number = 1

    def step(self, script):
        script.pick(
            (
                self._announce,
                self._accept,
                self._piece,
                self._piece,
                self._store,
                self._store,
                self.ack,
                self._stop,
                self.wait,
            )
        )(script)
        assert self.end.progress() == self._stored <= self._size

    def on(self, output):
        if isinstance(output, Ready):
            self._size = output.size
            self._stored = self._storing = 0
            self._number = 1
        elif isinstance(output, StoreData):
            assert output.offset == self._stored and output.offset + len(output.data) <= self._size
            self._storing = len(output.data)
        elif isinstance(output, Ended) and output.reason == ENDED_DONE:
            assert self.end.progress() == self._size

    def _announce(self, script):
        self.say(CMD_ANNOUNCE, script.pick((build_announce(script.number(), _MD5), script.chunk())))

    def _accept(self, script):
        self.take(self.end.accept(self.now))

    def _piece(self, script):
        rest = bytes(self._size - self._stored)[:MAX_PIECE]
        data = script.pick((rest, rest, rest[:7], rest[:-1] + b"12", script.chunk()))[:MAX_PIECE]
        number = script.pick((self._number, self._number, self._number + 1, script.number()))
        count = script.pick((number, 9))
        head = number.to_bytes(2, "big") + count.to_bytes(2, "big")
        self.say(CMD_PIECE, head + data, script.pick((0, FLAG_HEX, FLAG_LAST)), bool(script.number() & 1))

    def _store(self, script):
        """Stored, unless the transfer ended meanwhile."""
        stored, self._storing = self._storing, 0
        before = self._stored
        out = self.end.stored(self.now)
        self._stored = self.end.progress()
        assert self._stored in (before, before + stored)
        if self._stored > before or (stored == 0 and out):
            self._number += 1
        self.take(out)

    def _stop(self, script):
        if script.number() & 1:
            self.take(self.end.cancel(self.now))
        else:
            self.say(CMD_STOP_SENDING, script.chunk())
