"""Whether a report is news: an alert or a fault changed. Serial manual, chapter 6.1: the groups `alert` and `fault`.

Only with the product's definition: without it every report is state, for P0 cannot be told apart. News is dropped last
when the outbox is full.
"""

from typing import Any

from gagent import wire
from mcu_proto.datapoint import Schema
from mcu_proto.errors import RemoteError

_WATCHED = ("alert", "fault")


class AlertWatch:
    """`is_news(payload)` for the reports of one product, asked once for each in order."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        # What nobody reported yet is taken to be off.
        self._known: dict[str, Any] = {attr.name: False for attr in schema.attrs if attr.access in _WATCHED}

    def is_news(self, payload: bytes) -> bool:
        """Whether the report in the envelope `payload` differs in an alert or fault from what was known."""
        try:
            values = self._schema.decode(wire.decode(payload).p0)
        except RemoteError:
            return False
        changed = {name: values[name] for name in self._known if name in values and values[name] != self._known[name]}
        self._known.update(changed)
        return bool(changed)


def nothing_is_news(payload: bytes) -> bool:
    """For a product whose definition is not known."""
    return False
