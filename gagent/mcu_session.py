"""The conversation with the MCU: who it is, whether it lives, what it is told of us. Serial manual, 3, 4 and 12.

          start              valid device info                    heartbeats fail, line lost
    IDLE ───────▶ HANDSHAKE ───────────────────▶ RUN ─────────────────────────▶ HANDSHAKE
                    │ ▲ asked again for ever      │ stop
                    └─┘                           └─▶ IDLE

It runs on a `McuLink` and keeps what the module owes every MCU by itself: handshake, heartbeat, the status word with
its bits, the bindable window, test mode. Whatever else the MCU asks, and the outcome of requests made through it, comes
out as the link's `Received`, `Acked` and `Failed`.
"""

from collections import namedtuple

from mcu_proto import message
from mcu_proto.const import (
    ACK_TIMEOUT,
    CMD_BINDABLE,
    CMD_GET_INFO,
    CMD_HEARTBEAT,
    CMD_MODULE_STATUS,
    CMD_PRODUCTION_TEST,
    STATUS_BINDABLE,
    STATUS_STATION,
    STATUS_TEST,
    const,
)
from mcu_proto.errors import RemoteError
from mcu_proto.link import Acked, Failed, Illegal, McuLink, Received

from .effects import NOTICE_BAD_FRAME, NOTICE_MCU_LOST, NOTICE_MCU_READY, NOTICE_MCU_SILENT, Notice

McuReady = namedtuple("McuReady", ("info",))  # the handshake is done
McuLost = namedtuple("McuLost", ())  # what the MCU was is forgotten, the handshake starts over
TestMode = namedtuple("TestMode", ("on",))  # no cloud while it is on

IDLE = const(0)
HANDSHAKE = const(1)
RUN = const(2)

# Tokens of the session's own requests.
_ASKED_INFO = const(1)
_ASKED_LIFE = const(2)
_TOLD_STATUS = const(3)

# The reference agent asks ten rounds and gives up; we pause and go on.
_ROUNDS = const(10)
_PAUSE = const(1000)
_SILENT_NOTICE_EVERY = const(60000)
HEARTBEAT = const(55000)
# Heartbeats without an answer until the MCU counts as lost, as the manual has it.
_MISSES = const(3)
_STATUS_EVERY = const(600000)
_STATUS_RETRY = const(1000)
_TEST_MODE = const(180000)


class McuSession:
    """`hold` to `max_frame` are those of the link; CMD_* that the session answers are not held."""

    def __init__(self, hold, serves, baud, queue_size, max_frame):
        self.link = McuLink(hold=hold, serves=serves, baud=baud, max_frame=max_frame, queue_size=queue_size)
        self.state = IDLE
        # What the MCU last told of itself.
        self.info = None
        # An MCU may ask for another interval.
        self.heartbeat = HEARTBEAT
        self._bits = STATUS_STATION
        self._rounds = 0
        self._silent_at = None
        self._forget()

    def start(self, now) -> list:
        """Begin, or begin anew."""
        out = self._stop_link()
        self.state = HANDSHAKE
        self._rounds = 0
        self._silent_at = None
        self._ask_info(now, out)
        return out

    def stop(self) -> list:
        """Be silent until the next start."""
        self.state = IDLE
        return self._stop_link()

    def receive(self, data, now) -> list:
        """Bytes from the MCU."""
        out: list = []
        if self.state != IDLE:
            self._digest(self.link.receive_bytes(data, now), now, out)
        return out

    def lost(self, why, now) -> list:
        """The line is gone; the handshake goes on until an MCU answers again."""
        if self.state == IDLE:
            return []
        out: list = []
        if self.state == RUN:
            out.append(Notice(NOTICE_MCU_LOST, why))
            out.append(McuLost())
        return out + self.start(now)

    def request(self, cmd, payload, now, token=None) -> list:
        """A request of our owner; its outcome comes out with its token."""
        out: list = []
        self._digest(self.link.request(cmd, payload, now, token, ACK_TIMEOUT), now, out)
        return out

    def show(self, bit, on):
        """Set or clear bits of the status word; `settle` tells the MCU."""
        self._bits = self._bits | bit if on else self._bits & ~bit

    def show_signal(self, bits):
        """Set the signal level of the status word."""
        self._bits = self._bits & ~0x0700 | bits

    def status(self) -> int:
        """The status word."""
        return self._bits

    def settle(self, now) -> list:
        """Push the status word when it changed or is due; one at a time, the next carries what came meanwhile."""
        out: list = []
        due = self._status_at is not None and now >= self._status_at
        if self.state == RUN and not self._status_busy and (due or self._bits != self._told):
            self._told = self._bits
            self._status_busy = True
            out = self.request(CMD_MODULE_STATUS, message.build_module_status(self._bits), now, _TOLD_STATUS)
        return out

    def handle_timeout(self, now) -> list:
        """Do what is due."""
        out: list = []
        if self.state == IDLE:
            return out
        self._digest(self.link.handle_timeout(now), now, out)
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_info(now, out)
        if self._heartbeat_at is not None and now >= self._heartbeat_at:
            self._heartbeat_at = now + self.heartbeat
            out.extend(self.request(CMD_HEARTBEAT, b"", now, _ASKED_LIFE))
        if self._bindable_until is not None and now >= self._bindable_until:
            self._bindable_until = None
            self.show(STATUS_BINDABLE, False)
        if self._test_until is not None and now >= self._test_until:
            self._test_until = None
            self.show(STATUS_TEST, False)
            out.append(TestMode(False))
        return out

    def next_timeout(self) -> "int | None":
        """When handle_timeout or settle has something to do."""
        if self.state == IDLE:
            return None
        first = self.link.next_timeout()
        for at in (
            self._ask_at,
            self._heartbeat_at,
            None if self._status_busy else self._status_at,
            self._bindable_until,
            self._test_until,
        ):
            if at is not None and (first is None or at < first):
                first = at
        return first

    def is_testing(self) -> bool:
        return self._test_until is not None

    def _stop_link(self) -> list:
        """Forget the MCU; requests of our owner end in Failed."""
        out = [failed for failed in self.link.reset() if not isinstance(failed.token, int)]
        self._forget()
        return out

    def _forget(self):
        self._ask_at = None
        self._heartbeat_at = None
        self._misses = 0
        self._told = None
        self._status_busy = False
        self._status_at = None
        self._bindable_until = None
        self._test_until = None
        self._bits &= ~(STATUS_BINDABLE | STATUS_TEST)

    def _digest(self, items, now, out):
        for item in items:
            if isinstance(item, Received):
                self._on_alive(now)
                self._on_request(item, now, out)
            elif isinstance(item, Acked):
                self._on_alive(now)
                self._on_acked(item, now, out)
            elif isinstance(item, Failed):
                self._on_failed(item, now, out)
            elif isinstance(item, Illegal):
                out.append(Notice(NOTICE_BAD_FRAME, item.bad.reason))
            else:
                out.append(item)

    def _on_alive(self, now):
        if self.state == RUN:
            self._misses = 0
            self._heartbeat_at = now + self.heartbeat

    def _on_request(self, received, now, out):
        cmd = received.frame.cmd
        if cmd != CMD_BINDABLE and cmd != CMD_PRODUCTION_TEST:
            out.append(received)
        elif self.state != RUN:
            return  # acked, and nothing more: nobody knows yet whom they are of
        elif cmd == CMD_BINDABLE:
            self._open_bindable(now)
        else:
            self._test_until = now + _TEST_MODE
            self.show(STATUS_TEST, True)
            out.append(TestMode(True))

    def _on_acked(self, acked, now, out):
        token = acked.token
        if token == _ASKED_INFO:
            try:
                self._on_info(message.parse_device_info(acked.frame.payload), now, out)
            except RemoteError as error:
                self._ask_again(str(error), now, out)
        elif token == _TOLD_STATUS:
            self._status_busy = False
            self._status_at = now + _STATUS_EVERY
        elif token != _ASKED_LIFE:
            out.append(acked)

    def _on_failed(self, failed, now, out):
        token = failed.token
        if token == _ASKED_INFO:
            self._ask_again("", now, out)
        elif token == _TOLD_STATUS:
            self._status_busy = False
            self._status_at = now + _STATUS_RETRY
        elif token != _ASKED_LIFE:
            out.append(failed)
        else:
            self._misses += 1
            if self._misses >= _MISSES:
                out.extend(self.lost("no answer to %d heartbeats" % _MISSES, now))

    def _ask_info(self, now, out):
        self._ask_at = None
        out.extend(self.request(CMD_GET_INFO, b"", now, _ASKED_INFO))

    def _ask_again(self, instead, now, out):
        """Device info did not come, `instead` says what did."""
        self._rounds += 1
        if self._rounds % _ROUNDS and not instead:
            self._ask_info(now, out)
            return
        self._ask_at = now + _PAUSE
        if self._silent_at is None or now >= self._silent_at:
            self._silent_at = now + _SILENT_NOTICE_EVERY
            out.append(Notice(NOTICE_MCU_SILENT, instead))

    def _on_info(self, info, now, out):
        self.info = info
        self.state = RUN
        self._on_alive(now)
        self._open_bindable(now)
        out.append(Notice(NOTICE_MCU_READY, info.product_key))
        out.append(McuReady(info))

    def _open_bindable(self, now):
        self.show(STATUS_BINDABLE, True)
        window = self.info.bindable_timeout
        # A window of 0 never closes.
        self._bindable_until = now + window * 1000 if window else None
