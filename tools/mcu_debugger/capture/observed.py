"""A capture seen again: its records through an `Observer`, in the order in which it happened."""

from collections.abc import Iterable, Iterator

from ..observer import Observed, Observer
from .reader import Damage
from .record import Chunk, Head, Note


def observed_items(
    records: Iterable[Head | Chunk | Note | Damage], observer: Observer
) -> Iterator[Observed | Note | Damage | Head]:
    """Every Observed, and the Notes, Damage and Heads between them."""
    time_us = 0
    for record in records:
        if not isinstance(record, Chunk):
            yield record
            continue
        # A second part begins anew; time does not go back.
        time_us = max(time_us, record.time_us)
        yield from observer.feed(time_us, record.sender, record.data)
    # Not the requests in flight: their acks may have come after the capture ended.
    yield from observer.flush(time_us)
