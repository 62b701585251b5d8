"""What must survive a power cut: one dict in two files that are written in turn.

    <first 16 hex digits of the SHA-256 of the rest> <sequence number>\n
    {"mac": ...}

The older file is replaced, the newer one stays as it is: at any byte of a write there is one good file. When both are
good the higher number counts. A file that does not fit its checksum counts as not there. The second line is JSON, so
that a person can read it. Loaded when something is read or written, and let go of again.
"""

import json
import os
from hashlib import sha256

# Of the file's beginning: the checksum and a blank.
_HEAD = 17
# Files are read in pieces: a whole one needs more room than a chip may have at the moment.
_PIECE = 64


def load(path) -> tuple:
    """(the newest good dict in `path`.0 and `path`.1 or None, how many of these are damaged)."""
    slot, number, damaged = _newest(path)
    if not number:
        return None, damaged
    with open(_name(path, slot), "rb") as file:
        file.readline()
        return json.load(file), damaged


def save(path, record):
    """Keep the dict `record` from here on; OSError when the flash does not take it, and then the last one stays."""
    slot, number, _ = _newest(path)
    head = b"%d\n" % (number + 1)
    text = json.dumps(record).encode()
    checked = sha256(head)
    checked.update(text)
    with open(_name(path, 1 - slot), "wb") as file:
        file.write(_checksum(checked))
        file.write(head)
        file.write(text)
        file.flush()
    if hasattr(os, "sync"):
        os.sync()


def _newest(path) -> tuple:
    """Which file is the newest good one, its number or 0 when there is none, and how many are damaged."""
    newest = 1
    highest = damaged = 0
    for slot in (0, 1):
        try:
            number = _number(_name(path, slot))
        except OSError:
            continue
        except ValueError:
            damaged += 1
            continue
        if number > highest:
            newest = slot
            highest = number
    return newest, highest, damaged


def _number(name) -> int:
    """The number of a file; ValueError when the file is no good."""
    with open(name, "rb") as file:
        checksum = file.read(_HEAD)
        head = file.readline()
        checked = sha256(head)
        piece = file.read(_PIECE)
        while piece:
            checked.update(piece)
            piece = file.read(_PIECE)
    if checksum != _checksum(checked):
        raise ValueError
    return int(head)


def _checksum(checked) -> bytes:
    return checked.digest()[:8].hex().encode() + b" "


def _name(path, slot) -> str:
    return "%s.%d" % (path, slot)
