"""A capture file being written: whole lines only, in parts of a size, compressed when its name ends with .gz.

    line.jsonl.gz             the part that is written now
    line.0001.jsonl.gz ...    the parts before it, oldest first; no more than `keep` of them

A program that dies costs nothing, compressed the last second; a disk that fills, what comes then. What is there can be
read. The file is for its owner only (0600): a capture holds whatever secrets crossed the line.
"""

import contextlib
import gzip
import os
import time
from datetime import UTC, datetime
from typing import IO, cast

from .record import Chunk, End, Head, Note, encode_record

# How much of a compressed file may be lost when the program is killed.
_FLUSH_S = 1.0


class CaptureError(Exception):
    """A capture that cannot be written; the text says why."""


class CaptureWriter:
    """`part_size` bytes of lines go into one file, 0: no limit; `keep` older parts stay, 0: all."""

    def __init__(self, path: str, title: str, part_size: int = 0, keep: int = 0) -> None:
        self.error: str | None = None
        self._path = path
        self._title = title
        self._part_size = part_size
        self._keep = keep
        self._file: IO[bytes] | None = None
        self._number = 0
        self._written = 0
        self._flushed = 0.0
        self._last_us = 0

    def open(self) -> None:
        """Begin; CaptureError when it cannot be."""
        try:
            self._begin()
        except OSError as e:
            raise CaptureError("capture %s cannot be written: %s" % (self._path, e.strerror)) from None

    def head(self, head: Head) -> None:
        """Another beginning: of a part, or of the capture this is made of."""
        self._put(head)

    def chunk(self, time_us: int, sender: int | None, data: bytes) -> None:
        """What crossed the line. A disk that fails ends the capture, not what is captured: `error` says so."""
        self._put(Chunk(time_us, sender, data))

    def note(self, time_us: int, text: str) -> None:
        """A remark."""
        self._put(Note(time_us, text))

    def close(self) -> None:
        if self._file is None:
            return
        self._put(End(self._last_us))
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _put(self, record: Head | Chunk | Note | End) -> None:
        if self._file is None:
            return
        self._last_us = getattr(record, "time_us", self._last_us)
        try:
            self._write(record)
            if self._part_size and self._written >= self._part_size and not isinstance(record, End):
                self._rotate()
            now = time.monotonic()
            if now - self._flushed >= _FLUSH_S:
                self._flushed = now
                self._file.flush()
        except OSError as e:
            self.error = "capture %s ended: %s" % (self._path, e.strerror)
            self._file = None

    def _write(self, record: Head | Chunk | Note | End) -> None:
        line = encode_record(self._number, record)
        self._number += 1
        self._written += len(line)
        if self._file is not None:
            self._file.write(line)

    def _begin(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        raw: IO[bytes] = os.fdopen(descriptor, "wb", buffering=0)
        self._file = cast(IO[bytes], _GzipFile(raw)) if self._path.endswith(".gz") else raw
        self._written = 0
        began = datetime.now(UTC).replace(microsecond=0)
        self._write(Head(self._title, began.isoformat().replace("+00:00", "Z")))

    def _rotate(self) -> None:
        if self._file is None:
            return
        self._write(End(self._last_us))
        self._file.close()
        parts = parts_of(self._path)
        number = _number_of(parts[-1]) + 1 if parts else 1
        os.replace(self._path, _part(self._path, number))
        if self._keep:
            for path in [*parts, _part(self._path, number)][: -self._keep]:
                os.unlink(path)
        self._number = 0
        self._begin()


class _GzipFile(gzip.GzipFile):
    """Closes the file beneath it; fast rather than small, so that the line is not kept waiting."""

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__(fileobj=raw, mode="wb", compresslevel=1, filename="")
        self._raw = raw

    def close(self) -> None:
        super().close()
        self._raw.close()


def parts_of(path: str) -> list[str]:
    """The older parts of a capture, oldest first."""
    stem, suffix = _split(path)
    folder = os.path.dirname(path) or "."
    head = os.path.basename(stem) + "."
    names = [name for name in os.listdir(folder) if name.startswith(head) and name.endswith(suffix)]
    found = [name for name in names if name[len(head) : len(name) - len(suffix)].isdecimal()]
    return [os.path.join(os.path.dirname(path), name) for name in sorted(found, key=_number_of)]


def _number_of(path: str) -> int:
    return int(_split(path)[0].rpartition(".")[2])


def _part(path: str, number: int) -> str:
    stem, suffix = _split(path)
    return "%s.%04d%s" % (stem, number, suffix)


def _split(path: str) -> tuple[str, str]:
    """("a/line", ".jsonl.gz") of a/line.jsonl.gz."""
    for suffix in (".jsonl.gz", ".jsonl", ".gz"):
        if path.endswith(suffix):
            return path[: -len(suffix)], suffix
    return path, ""
