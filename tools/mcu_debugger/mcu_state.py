"""What the module's player knows of the MCU's attributes, from reports and answers. Serial manual, chapter 5."""

from mcu_proto.const import (
    ACTION_READ_REPLY,
    ACTION_REPORT,
    ACTION_VAR_READ_REPLY,
    ACTION_VAR_REPORT,
    FLAG_DID,
)
from mcu_proto.datapoint import Schema
from mcu_proto.frame import Frame

from .module_events import ControlAcked, RawReported, ReadAnswered, Reported
from .module_gateway import subdevice_events

_REPORTS = (ACTION_REPORT, ACTION_VAR_REPORT)
_REPLIES = (ACTION_READ_REPLY, ACTION_VAR_READ_REPLY)


class McuState:
    """`values` are the newest by name; empty without a schema. RemoteError when a payload is cut."""

    def __init__(self, schema: Schema | None) -> None:
        self.values: dict = {}
        self._schema = schema

    def reported(self, frame: Frame) -> list:
        """What a 05 says."""
        p0 = frame.payload
        events = subdevice_events(p0)
        if events:
            return events
        if frame.flags & FLAG_DID or not p0 or p0[0] not in _REPORTS:
            return [RawReported(p0)]
        values = self._understood(p0)
        return [RawReported(p0) if values is None else Reported(values)]

    def answered(self, payload: bytes) -> list:
        """What a 04 says: the answer to a read, or that a control was taken."""
        if not payload or payload[0] not in _REPLIES:
            return [ControlAcked()]
        return [ReadAnswered(self._understood(payload), payload)]

    def _understood(self, p0: bytes) -> dict | None:
        if self._schema is None:
            return None
        values = self._schema.decode(p0)
        self.values = {**self.values, **values}
        return values
