"""What must survive a power cut: one dict in two files that are written in turn.

    <first 16 hex digits of the SHA-256 of the rest> <sequence number>\n
    {"mac": ...}

The older file is replaced, the newer one stays as it is: at any byte of a write there is one good file. When both are
good the higher number counts. A file that does not fit its checksum counts as not there. The second line is JSON, so
that a person can read it.
"""

import json
import os
from hashlib import sha256


class Slots:
    """The dict in the files `path`.0 and `path`.1."""

    def __init__(self, path):
        self._path = path
        # The file to write next, and the number it gets.
        self._next = 0
        self._number = 1
        # Files that were no good at the last load.
        self.damaged = 0

    def load(self) -> "dict | None":
        """The newest good record, or None when there is none."""
        newest = None
        self._next = self.damaged = 0
        self._number = 1
        for slot in (0, 1):
            try:
                number, record = self._read(slot)
            except OSError:
                continue
            except ValueError:
                self.damaged += 1
                continue
            if number >= self._number:
                newest = record
                self._number = number + 1
                self._next = 1 - slot
        return newest

    def save(self, record):
        """Keep `record` from here on; OSError when the flash does not take it, and then the last one stays."""
        text = b"%d\n%s" % (self._number, json.dumps(record).encode())
        with open(self._name(self._next), "wb") as file:
            file.write(_checksum(text) + b" " + text)
            file.flush()
        if hasattr(os, "sync"):
            os.sync()
        self._next = 1 - self._next
        self._number += 1

    def _read(self, slot) -> tuple:
        with open(self._name(slot), "rb") as file:
            data = file.read()
        if data[:17] != _checksum(data[17:]) + b" ":
            raise ValueError
        number, text = data[17:].split(b"\n", 1)
        return int(number), json.loads(text)

    def _name(self, slot) -> str:
        return "%s.%d" % (self._path, slot)


def _checksum(text) -> bytes:
    return sha256(text).digest()[:8].hex().encode()
