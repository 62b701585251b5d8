"""`mcu-debugger` in a process of its own: how it is started, and one that a test talks with by lines."""

import codecs
import os
import select
import subprocess
import sys
import time
from typing import Any

from .patience import PATIENCE_S
from .repository import ROOT
from .slow_clock import slow_command

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tools")))}


def plain_command(*args):
    """How a person starts it."""
    return [sys.executable, "-m", "mcu_debugger", *map(str, args)]


class DebuggerProcess:
    """By a slow clock; `output` is what it has said so far, `errors` what came on standard error, once it has ended."""

    def __init__(self, *args, stdin=subprocess.PIPE, stderr=subprocess.PIPE):
        self.process: Any = subprocess.Popen(
            slow_command(*args), stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, env=ENVIRONMENT
        )
        self.output = self.errors = ""
        # A sign may come in two reads.
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def wait_for(self, text):
        """Read on until the output holds `text`."""
        end = time.monotonic() + PATIENCE_S
        while text not in self.output:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert data, "%r did not come, but: %s" % (text, self.output)
            self.output += self._decoder.decode(data)

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def end(self):
        """The exit code, once it has ended; all that it said is read."""
        out, errors = self.process.communicate(timeout=PATIENCE_S)
        self.output += self._decoder.decode(out)
        self.errors = (errors or b"").decode()
        return self.process.returncode
