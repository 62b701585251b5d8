"""A capture written anew: with a remark in its place, or from something that was none. Whole, or not at all."""

import os
from collections.abc import Iterator

from .record import Chunk, Head, Note
from .writer import CaptureError, CaptureWriter


def rewrite(records: Iterator[Head | Chunk | Note], out: str, title: str, note: Note | None) -> None:
    """All records, and `note` where its time is, into `out`; CaptureError when it cannot be written."""
    fresh = _beside(out)
    writer = CaptureWriter(fresh, title)
    writer.open()
    for record in records:
        if note is not None and not isinstance(record, Head) and record.time_us >= note.time_us:
            writer.note(*note)
            note = None
        if isinstance(record, Head):
            writer.head(record)
        elif isinstance(record, Chunk):
            writer.chunk(*record)
        else:
            writer.note(*record)
    if note is not None:
        writer.note(*note)
    writer.close()
    if writer.error:
        raise CaptureError(writer.error)
    try:
        os.replace(fresh, out)
    except OSError as e:
        raise CaptureError("capture %s cannot be written: %s" % (out, e.strerror)) from None


def _beside(path: str) -> str:
    """A name in the same folder, compressed as the file is to be."""
    return path[: -len(".gz")] + ".new.gz" if path.endswith(".gz") else path + ".new"
