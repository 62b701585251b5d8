"""A session in line mode: its events printed as they come, lines typed at it, ended by a signal, `quit` or its script.

It goes on when standard input ends or never was, until SIGINT or SIGTERM; `quit`, the end of input at a terminal or the
script end it too, as soon as the other end has acked what was sent: a line that is closed forgets what is on it.
"""

import os
import signal
import threading

from .printer import JsonPrinter, LinePrinter
from .session import Session


class Console:
    """Joins a session and a printer; `stdin` is a descriptor or None."""

    def __init__(self, session: Session, printer: LinePrinter | JsonPrinter, stdin: int | None) -> None:
        self._session = session
        self._printer = printer
        self._stdin = stdin
        self._prompts = stdin is not None

    def run(self) -> int:
        """Until it ends; the exit code."""
        # Without handlers that return, a signal would end the process in the middle of an effect.
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, lambda number, frame: self._session.stop()) for number in numbers}
        self._session.listen(self._show)
        try:
            # Not earlier: who reads it may send us a signal.
            self._printer.begin(self._session.title)
            if self._stdin is not None:
                # A thread, because not every system can wait for keys and lines at once; it only hands them on.
                threading.Thread(target=self._read_keys, args=(self._stdin,), daemon=True).start()
            self._prompt()
            return self._session.run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._printer.end()

    def _read_keys(self, keys: int) -> None:
        typed = b""
        while True:
            try:
                data = os.read(keys, 4096)
            except OSError:
                data = b""
            if not data:
                break
            *lines, typed = (typed + data).split(b"\n")
            for line in lines:
                self._session.submit(line.decode("utf-8", "replace").strip())
        self._prompts = False
        if os.isatty(keys):
            self._session.finish()

    def _show(self, event: tuple) -> None:
        if self._printer.show(event):
            self._prompt()

    def _prompt(self) -> None:
        if self._prompts and not self._session.is_over():
            self._printer.prompt(self._session.role)
