"""`mcu-debugger` in a terminal of its own: what it paints is read as text, keys are pressed."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from .debugger_process import ENVIRONMENT, plain_command
from .patience import PATIENCE_S

_ON_TERMINAL = ENVIRONMENT | {
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
}
# Everything that moves the cursor or sets a colour.
_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[\[?=>][0-9;:?$<>=]*[a-zA-Z@`~]|\x1bP[^\x1b]*\x1b\\|\x1b[=>78]"
)
# What is kept of a long painting.
_KEPT = 2_000_000


class DebuggerTerminal:
    """The command with these arguments on a terminal of `columns` x `rows`; `command(*args)` is how it is started."""

    def __init__(self, *args, columns=150, rows=42, command=plain_command):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # A session of its own: the terminal is then the controlling one, as textual expects.
        self.process = subprocess.Popen(
            command(*args), stdin=slave, stdout=slave, stderr=slave, env=_ON_TERMINAL, start_new_session=True
        )
        os.close(slave)
        self.painted = ""
        # A sign may come in two reads.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.bytes_painted = 0

    def press(self, keys):
        os.write(self._master, keys.encode())

    def wait_for(self, text, after=0):
        """Until `text` was painted behind position `after` of all that was painted; the position behind it."""
        end = time.monotonic() + PATIENCE_S
        while True:
            plain = self.text()
            at = plain.find(text, after)
            if at >= 0:
                return at + len(text)
            assert time.monotonic() < end and self.read(0.2) is not None, "%r was not painted, but: %s" % (
                text,
                plain[-3000:],
            )

    def text(self):
        """All that was painted, without colours and places, every gap a single blank."""
        return " ".join(_ESCAPES.sub(" ", self.painted).split())

    def read(self, seconds):
        """Take what is painted within this time; None when the terminal is closed."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return ""
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return None
        self.bytes_painted += len(data)
        self.painted = (self.painted + self._decoder.decode(data))[-_KEPT:]
        return data

    def end(self):
        """The exit code, once it has ended; all that it painted is read."""
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        while self.read(0):
            pass
        return self.process.poll()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
