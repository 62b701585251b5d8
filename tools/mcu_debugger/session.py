"""A role at work on its lines: one select loop over serial ports, typed lines, the clock and the script.

    ports ──bytes──▶ player ──effects──▶ ports            the line comes first
                 └──────────▶ observer ──▶ listeners      then whoever looks

The player knows the protocol and no I/O: receive_from(sender, data, now), start(now), handle_timeout(now),
next_timeout(), line_lost(now), is_idle(), and gives effects: `SendSerial` for its only line, `Forward` for one of two,
anything else for `describe` to put in words. A line that is lost is opened again when it comes back.

`run` blocks, in any thread; `submit` and `stop` are safe from others.
"""

import selectors
import socket
import time
from collections import deque, namedtuple
from collections.abc import Callable, Mapping
from typing import Any

from mcu_proto.const import MCU, MODULE
from mcu_proto.datapoint import Schema
from mcu_proto.link import SendSerial

from .backlog import Answered, Backlog, Shown, Told
from .capture.record import Note
from .capture.writer import CaptureWriter
from .commands import QUIT, CommandError, Table, parse_command
from .forward import Forward
from .observer import Observer
from .port import Port, PortError
from .script import ScriptRun

# What a session plays: `describe(effect)` gives its words, `commands` the lines that may be typed.
Role = namedtuple("Role", ("name", "player", "commands", "describe"))

# Who is heard when something is written to a line.
_OTHER = {MODULE: MCU, MCU: MODULE, None: None}
# A port without a descriptor (an RFC 2217 server, Windows) is looked at this often; acks are due within 100 ms.
_POLL_S = 0.02
# How often a line that was lost is looked for.
_REOPEN_S = 0.5


class Session:
    """`lines` maps who is at the far end (MODULE, MCU, or None for both on one wire) to its port."""

    def __init__(
        self,
        role: Role,
        title: str,
        lines: Mapping[int | None, Port],
        schema: Schema | None = None,
        script: ScriptRun | None = None,
    ) -> None:
        self.role = role.name
        self.title = title
        self.player: Any = role.player
        self.commands = role.commands
        self.schema = schema
        # Attribute -> unit, for views.
        self.units: dict[str, str] = {}
        self.observer = Observer(schema)
        self.backlog = Backlog()
        self.result: int | None = None
        self._describe = role.describe
        self._lines = lines
        self._lost: dict[int | None, float] = {}
        self._script = script
        self._listeners: list[Callable[[tuple], None]] = [self.backlog.append]
        self._recorder: CaptureWriter | None = None
        self._typed: deque[str] = deque()
        self._ending = False
        self._stopped = False
        self._begin = time.monotonic_ns()
        self._waker: socket.socket | None = None

    def listen(self, listener: Callable[[tuple], None]) -> None:
        """Give it every Observed, Told, Answered and Shown from now on, in the thread of `run`."""
        self._listeners.append(listener)

    def record(self, recorder: CaptureWriter) -> None:
        """Keep every chunk that crosses the line, and every note."""
        self._recorder = recorder

    def run(self) -> int:
        """Until it ends; the exit code."""
        waker, self._waker = socket.socketpair()
        waker.setblocking(False)
        self._waker.setblocking(False)
        selector = selectors.SelectSelector()
        try:
            selector.register(waker, selectors.EVENT_READ, lambda: waker.recv(4096))
            for sender in self._lines:
                self._watch(selector, sender)
            return self._loop(selector)
        finally:
            selector.close()
            waker.close()
            self._waker.close()

    def submit(self, line: str) -> None:
        """A line of the console; what it gives comes as events."""
        self._typed.append(line)
        self._wake()

    def finish(self) -> None:
        """End with 0 when what was sent is acked."""
        self._ending = True
        self._wake()

    def stop(self) -> None:
        """End at once."""
        self._stopped = True
        self._wake()

    def is_over(self) -> bool:
        return self._ending or self.result is not None

    def _wake(self) -> None:
        if self._waker is not None:
            try:
                self._waker.send(b"\0")
            except OSError:
                # Full: it is being woken already. Closed: it is over.
                return

    def _loop(self, selector: selectors.BaseSelector) -> int:
        player = self.player
        self._perform(player.start(self._now()))
        if self._script is not None:
            self._show(*self._script.start(self._now()))
        while not (self._stopped or (self._has_ended() and player.is_idle())):
            for key, _ in selector.select(self._patience()):
                key.data()
            for sender, port in self._lines.items():
                if sender not in self._lost and port.fileno() is None:
                    self._read(selector, sender)
            while self._typed and not self._has_ended():
                self._obey(self._typed.popleft())
            due = player.next_timeout()
            if due is not None and self._now() >= due:
                self._perform(player.handle_timeout(self._now()))
            if self._script is not None and not self._has_ended():
                self._show(*self._script.advance(self._now()))
            self._look_after(selector)
        self.result = self._exit_code()
        return self.result

    def _has_ended(self) -> bool:
        if self._script is not None and self._script.result is not None:
            return True
        return self._ending or bool(getattr(self.player, "is_done", False))

    def _exit_code(self) -> int:
        if self._script is None:
            return int(getattr(self.player, "result", 0))
        if self._script.result is not None:
            return self._script.result
        return 1 if self._script.unmet() else 0

    def _patience(self) -> "float | None":
        if self._typed and not self._has_ended():
            return 0
        dues = [self.player.next_timeout()]
        if self._script is not None:
            dues.append(self._script.next_timeout())
        look = self.observer.next_timeout()
        if look is not None:
            # Up to the next millisecond: the clock of this loop counts whole ones.
            dues.append(look // 1000 + 1)
        due = min((each for each in dues if each is not None), default=None)
        wait = None if due is None else max(0, due - self._now()) / 1000
        limits = [_REOPEN_S] if self._lost else []
        if any(port.fileno() is None for sender, port in self._lines.items() if sender not in self._lost):
            limits.append(_POLL_S)
        return min(limits if wait is None else [*limits, wait], default=None)

    def _watch(self, selector: selectors.BaseSelector, sender: int | None) -> None:
        descriptor = self._lines[sender].fileno()
        if descriptor is not None:
            selector.register(descriptor, selectors.EVENT_READ, lambda: self._read(selector, sender))

    def _read(self, selector: selectors.BaseSelector, sender: int | None) -> None:
        if sender in self._lost:
            return
        port = self._lines[sender]
        try:
            data = port.read()
        except PortError as e:
            self._lose(selector, sender, e)
            return
        if data:
            at = self._now_us()
            self._perform(self.player.receive_from(sender, data, at // 1000), (at, sender, data))

    def _perform(self, effects: list, heard: tuple | None = None) -> None:
        """Write first; then show what was heard, what was sent and what it means."""
        crossed = [] if heard is None else [heard]
        for effect in effects:
            if isinstance(effect, SendSerial):
                (to,) = self._lines
                self._write(to, effect.data)
                crossed.append((self._now_us(), _OTHER[to], effect.data))
            elif isinstance(effect, Forward):
                self._write(effect.to, effect.data)
                # What is passed on was heard when it came.
                if effect.is_new:
                    crossed.append((self._now_us(), _OTHER[effect.to], effect.data))
        for time_us, sender, data in crossed:
            if self._recorder is not None:
                self._recorder.chunk(time_us, sender, data)
            for observed in self.observer.feed(time_us, sender, data):
                self._tell(observed)
        for effect in effects:
            if isinstance(effect, Note):
                self._note(effect.text)
                continue
            text = self._describe(effect)
            if text:
                self._tell(Told(self._now_us(), text))

    def _note(self, text: str) -> None:
        if self._recorder is not None:
            self._recorder.note(self._now_us(), text)
        self._tell(Told(self._now_us(), "note: " + text))

    def _write(self, to: int | None, data: bytes) -> None:
        if to in self._lost:
            return
        try:
            self._lines[to].write(data)
        except PortError:
            # The next read tells it, and what is done about it.
            return

    def _lose(self, selector: selectors.BaseSelector, sender: int | None, why: PortError) -> None:
        port = self._lines[sender]
        descriptor = port.fileno()
        if descriptor is not None:
            selector.unregister(descriptor)
        port.close()
        self._lost[sender] = time.monotonic() + _REOPEN_S
        self._tell(Told(self._now_us(), "%s; waiting for it to come back" % why))
        self._perform(self.player.line_lost(self._now()))

    def _look_after(self, selector: selectors.BaseSelector) -> None:
        """Lines that were lost, and what the observer waits for."""
        for sender, due in list(self._lost.items()):
            if time.monotonic() < due:
                continue
            try:
                self._lines[sender].reopen()
            except PortError:
                self._lost[sender] = time.monotonic() + _REOPEN_S
                continue
            del self._lost[sender]
            self._watch(selector, sender)
            self._tell(Told(self._now_us(), "the line %s is back" % self._lines[sender].name))
        at = self.observer.next_timeout()
        if at is not None and self._now_us() >= at:
            for observed in self.observer.handle_timeout(self._now_us()):
                self._tell(observed)

    def _obey(self, line: str) -> None:
        if not line.strip():
            return
        try:
            call = parse_command(line, self.schema, self.commands)
        except CommandError as e:
            self._tell(Answered(self._now_us(), "? %s" % e))
            return
        if call.name == QUIT:
            self._ending = True
            return
        self._show(*call.run(self.player, call.argument, self._now()))

    def _show(self, effects: list, outputs: list) -> None:
        for output in outputs:
            if isinstance(output, Table):
                self._tell(Shown(self._now_us(), output.columns, output.rows))
            else:
                self._tell(Answered(self._now_us(), output))
        self._perform(effects)

    def _tell(self, event: tuple) -> None:
        for listener in self._listeners:
            listener(event)

    def _now(self) -> int:
        return self._now_us() // 1000

    def _now_us(self) -> int:
        return (time.monotonic_ns() - self._begin) // 1000
