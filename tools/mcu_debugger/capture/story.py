"""A capture on its way to a view, an export or a report: damage is told as it passes, everything else goes on."""

from collections.abc import Callable, Iterator
from datetime import datetime

from mcu_proto.const import MODULE
from mcu_proto.datapoint import Schema

from ..observer import Observed, Observer
from .load import load_capture
from .observed import observed_items
from .reader import Damage
from .record import Chunk, Head, Note

# What a hex dump and a CSV do not say: whose TX it is, who is heard on a channel.
Origin = tuple[int, dict[str, int]]
OURS: Origin = (MODULE, {})


class Story:
    """`tell(damage)` is called for each damage; `began_us` is known once the first record has passed."""

    def __init__(self, path: str, schema: Schema | None, tell: Callable[[Damage], None], origin: Origin = OURS) -> None:
        self.path = path
        self.schema = schema
        self.observer = Observer(schema)
        self.damaged = 0
        self.began_us = 0
        self.tell = tell
        self._origin = origin

    def records(self) -> Iterator[Head | Chunk | Note]:
        """Every Head, Chunk and Note."""
        for record in load_capture(self.path, *self._origin):
            if isinstance(record, Damage):
                self.damaged += 1
                self.tell(record)
                continue
            if isinstance(record, Head) and not self.began_us:
                self.began_us = _microseconds(record.began)
            yield record

    def items(self) -> Iterator[Observed | Note]:
        """Every Observed and Note."""
        return (item for item in observed_items(self.records(), self.observer) if isinstance(item, Observed | Note))


def _microseconds(began: str) -> int:
    try:
        return round(datetime.fromisoformat(began).timestamp() * 1e6)
    except ValueError:
        return 0
