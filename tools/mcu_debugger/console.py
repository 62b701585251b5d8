"""The simulator at work: one select loop over the line, the keyboard and the clock. No threads.

Effects of the simulator are performed and shown in their order. It goes on when standard input ends or never was, until
SIGINT or SIGTERM; `quit`, the end of input at a terminal or the script end it too, as soon as the module has acked what
was sent: a line that is closed forgets what is on it.
"""

import os
import selectors
import signal
import socket
import time

from mcu_proto.link import SendSerial

from .commands import QUIT, CommandError, Table, parse_command
from .port import PtyPort, SerialPort
from .screen import PlainScreen, RichScreen
from .script import ScriptRun
from .simulator import McuSimulator
from .view import event_line

# A port without a descriptor (an RFC 2217 server) is looked at this often; acks are due within 100 ms.
_POLL_S = 0.02


class Console:
    """Joins a simulator, a port and a screen; `script` is a ScriptRun or None, `stdin` a descriptor or None."""

    def __init__(
        self,
        simulator: McuSimulator,
        port: PtyPort | SerialPort,
        screen: PlainScreen | RichScreen,
        script: ScriptRun | None,
        stdin: int | None,
    ) -> None:
        self._simulator = simulator
        self._port = port
        self._screen = screen
        self._script = script
        self._stdin = stdin
        self._typed = b""
        self._begin = time.monotonic()
        self._stopped = False
        self._result: int | None = None

    def run(self, greeting: str) -> int:
        """Until it ends; the exit code. PortError when the line is lost."""
        waker, alarm = socket.socketpair()
        alarm.setblocking(False)
        # Without handlers that return, a signal would end the process in the middle of an effect.
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        wakeup = signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
        # select and not epoll: standard input may be a file.
        selector = selectors.SelectSelector()
        try:
            selector.register(waker, selectors.EVENT_READ, lambda: waker.recv(64))
            line = self._port.fileno()
            if line is not None:
                selector.register(line, selectors.EVENT_READ, self._read_port)
            keys = self._stdin
            if keys is not None:
                selector.register(keys, selectors.EVENT_READ, lambda: self._read_keys(keys, selector))
            # Not earlier: who reads it may send us a signal.
            self._screen.text(greeting)
            return self._loop(selector)
        finally:
            selector.close()
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            waker.close()
            alarm.close()
            self._screen.end()

    def _loop(self, selector: selectors.BaseSelector) -> int:
        self._perform(self._simulator.start(self._now()))
        if self._script is not None:
            self._show(*self._script.start(self._now()))
        self._prompt()
        while not (self._stopped or (self._is_over() and self._simulator.is_idle())):
            for key, _ in selector.select(self._patience()):
                key.data()
            if self._port.fileno() is None:
                self._read_port()
            due = self._simulator.next_timeout()
            if due is not None and self._now() >= due:
                self._perform(self._simulator.handle_timeout(self._now()))
            if self._script is not None and not self._is_over():
                self._show(*self._script.advance(self._now()))
        return self._exit_code()

    def _is_over(self) -> bool:
        return self._result is not None or (self._script is not None and self._script.result is not None)

    def _exit_code(self) -> int:
        if self._script is None:
            return self._result or 0
        if self._script.result is not None:
            return self._script.result
        return 1 if self._script.unmet() else 0

    def _patience(self) -> "float | None":
        dues = [self._simulator.next_timeout()]
        if self._script is not None:
            dues.append(self._script.next_timeout())
        due = min((each for each in dues if each is not None), default=None)
        wait = None if due is None else max(0, due - self._now()) / 1000
        if self._port.fileno() is None:
            return _POLL_S if wait is None else min(wait, _POLL_S)
        return wait

    def _read_port(self) -> None:
        data = self._port.read()
        if data:
            self._perform(self._simulator.receive_serial(data, self._now()))

    def _read_keys(self, keys: int, selector: selectors.BaseSelector) -> None:
        try:
            data = os.read(keys, 4096)
        except OSError:
            data = b""
        if not data:
            selector.unregister(keys)
            self._stdin = None
            if os.isatty(keys):
                self._result = 0
            return
        *lines, self._typed = (self._typed + data).split(b"\n")
        for line in lines:
            if self._is_over():
                return
            self._obey(line.decode("utf-8", "replace").strip())
        self._prompt()

    def _obey(self, line: str) -> None:
        if not line:
            return
        try:
            call = parse_command(line, self._simulator.schema)
        except CommandError as e:
            self._screen.text("? %s" % e)
            return
        if call.name == QUIT:
            self._result = 0
            return
        self._show(*call.run(self._simulator, call.argument, self._now()))

    def _perform(self, effects: list) -> None:
        shown = False
        for effect in effects:
            if isinstance(effect, SendSerial):
                self._port.write(effect.data)
                continue
            text = event_line(effect)
            if text:
                self._screen.event(self._now() / 1000, text)
                shown = True
        if shown:
            self._prompt()

    def _show(self, effects: list, outputs: list) -> None:
        for output in outputs:
            if isinstance(output, Table):
                self._screen.table(output.columns, output.rows)
            else:
                self._screen.text(output)
        self._perform(effects)

    def _prompt(self) -> None:
        if self._stdin is not None and not self._is_over():
            self._screen.prompt()

    def _stop(self, number: int, frame: object) -> None:
        self._stopped = True

    def _now(self) -> int:
        return int((time.monotonic() - self._begin) * 1000)
