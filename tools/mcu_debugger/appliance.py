"""The appliance behind the simulated MCU: its attributes, and when a change of them is reported. Serial manual, 5.3.

    writable changed         report at once
    anything else changed    at most every 6 s, with the newest value
    every 10 minutes         everything

A product of fixed length reports its whole state each time; one of variable length what changed, and everything at the
ten minutes. No link here: the owner asks `is_due`, and sends what `take_report` gives.
"""

from mcu_proto.const import ACTION_READ_REPLY, ACTION_VAR_READ
from mcu_proto.datapoint import WRITABLE, Attr, Scale, Schema
from mcu_proto.errors import RemoteError

# The manual's limit for reports of what the MCU measures; the user's own changes are exempt.
CHANGE_INTERVAL = 6_000
# The full report that heals whatever was lost.
REPORT_INTERVAL = 600_000


class Appliance:
    """All attributes zero but `values`; AttrError when one of them is impossible."""

    def __init__(self, schema: Schema, values: dict) -> None:
        self.schema = schema
        self._writable = {attr.name for attr in schema.attrs if attr.access == WRITABLE}
        self._values = self._normal({attr.name: _zero(attr) for attr in schema.attrs} | values)
        # What the next report of a product of variable length tells.
        self._changed: set[str] = set()
        self._changed_at: int | None = None
        self._change_due: int | None = None
        self._report_due: int | None = None

    @property
    def values(self) -> dict:
        """The attributes as they are now, name to value."""
        return dict(self._values)

    def power_on(self, now: int) -> None:
        """Everything that differs from zero is due."""
        self._changed_at = None
        self._report_due = now + REPORT_INTERVAL
        self._changed = {name for name in self._values if self._is_used(name)}
        self._change_due = now if self._changed else None

    def set(self, values: dict, now: int) -> None:
        """These attributes change; AttrError, and nothing is set, when one cannot be."""
        new = self._normal({**self._values, **values})
        changed = {name for name in new if new[name] != self._values[name]}
        self._values = new
        if changed:
            self._changed |= changed
            late = self._changed_at is None or now - self._changed_at >= CHANGE_INTERVAL
            at_once = late or changed & self._writable
            self._change_due = now if at_once else (self._changed_at or 0) + CHANGE_INTERVAL

    def control(self, p0: bytes, now: int) -> dict:
        """What the control sets; it is reported at once. AttrError or RemoteError, and nothing set, when it cannot."""
        wanted = self.schema.decode_control(p0)
        self._values = self._normal({**self._values, **wanted})
        self._changed |= set(wanted)
        self._change_due = now
        return {name: self._values[name] for name in wanted}

    def read_reply(self, p0: bytes) -> bytes:
        """The answer to a read: all, or what the read of a product of variable length names."""
        return self.schema.encode_report(self._named(p0), ACTION_READ_REPLY)

    def is_due(self, now: int) -> bool:
        """True when a report must go out."""
        return _is_due(self._change_due, now) or _is_due(self._report_due, now)

    def next_timeout(self) -> "int | None":
        """When a report is due."""
        return min((due for due in (self._change_due, self._report_due) if due is not None), default=None)

    def take_report(self, now: int) -> bytes:
        """The report that is due; its changes count as told."""
        everything = _is_due(self._report_due, now) or not self.schema.variable
        if _is_due(self._report_due, now):
            self._report_due = now + REPORT_INTERVAL
        if self._change_due is not None:
            self._changed_at = now
        told = {name: value for name, value in self._values.items() if everything or name in self._changed}
        self._changed = set()
        self._change_due = None
        return self.schema.encode_report(told)

    def _named(self, p0: bytes) -> dict:
        if not self.schema.variable:
            return self._values
        flags = p0[1 : 1 + (len(self.schema.attrs) + 7) // 8]
        if p0[0] != ACTION_VAR_READ or not flags:
            raise RemoteError("a read without its attr_flags")
        wanted = int.from_bytes(flags, "big")
        return {attr.name: self._values[attr.name] for attr in self.schema.attrs if wanted >> attr.id & 1}

    def _normal(self, values: dict) -> dict:
        """`values` as a peer would decode them; AttrError when one is impossible."""
        return self.schema.decode(self.schema.encode_report(values))

    def _is_used(self, name: str) -> bool:
        """True when its raw value is not 0."""
        head = 1 + (len(self.schema.attrs) + 7) // 8 if self.schema.variable else 1
        return any(self.schema.encode_report({name: self._values[name]})[head:])


def _zero(attr: Attr) -> object:
    """The value of an appliance that was never used: zero, or the least its definition allows."""
    if attr.data_type == "binary":
        return b""
    if not isinstance(attr.spec, Scale):
        return 0
    raw = max(attr.spec.low, 0)
    return (raw * attr.spec.ratio + attr.spec.addition) / attr.spec.unit


def _is_due(due: int | None, now: int) -> bool:
    return due is not None and now >= due
