"""The simulated MCU's half of P0: controls and reads come, reports go, one at a time. Serial manual, chapter 5.

    03 control ─▶ 04, Controlled, 05 with the new state          03 read ─▶ 04 with the state
    a report waits for its 06; what changes meanwhile goes into one more

A payload that means nothing is acked and told of in `Ignored`. What comes out is for the owner to digest.
"""

from mcu_proto.const import (
    ACTION_CONTROL,
    ACTION_READ,
    ACTION_TRANSPARENT_DOWN,
    ACTION_VAR_CONTROL,
    ACTION_VAR_READ,
    CMD_P0_UP,
    FLAG_DID,
)
from mcu_proto.errors import AttrError, RemoteError
from mcu_proto.frame import Frame
from mcu_proto.link import McuLink

from .appliance import Appliance
from .mcu_events import Controlled, Ignored, StateRead, TransparentReceived

_CONTROLS = (ACTION_CONTROL, ACTION_VAR_CONTROL)
_READS = (ACTION_READ, ACTION_VAR_READ)


class P0Conversation:
    """About one appliance, over one link."""

    def __init__(self, link: McuLink, appliance: Appliance) -> None:
        self._link = link
        self._appliance = appliance
        self._reporting = False

    def receive(self, frame: Frame, now: int) -> list:
        """A 03, which is held until here."""
        p0 = frame.payload
        if frame.flags & FLAG_DID:
            return self._ignore(frame, "meant for a sub-device")
        if not p0:
            return self._ignore(frame, "empty")
        if p0[0] in _CONTROLS and self._is_ours(p0[0]):
            return self._link.reply(frame) + self._control(p0, now)
        if p0[0] in _READS and self._is_ours(p0[0]):
            return self._read(frame)
        if p0[0] == ACTION_TRANSPARENT_DOWN:
            return [*self._link.reply(frame), TransparentReceived(p0[1:])]
        return self._ignore(frame, "action %02x is not for this product" % p0[0])

    def report_due(self, now: int) -> list:
        """The report that is due, unless one is on its way; a dead line piles up nothing."""
        if self._reporting or not self._appliance.is_due(now):
            return []
        self._reporting = True
        return self._link.request(CMD_P0_UP, self._appliance.take_report(now), now, CMD_P0_UP)

    def report_over(self, now: int) -> list:
        """The outcome of a report is known; what changed meanwhile follows."""
        self._reporting = False
        return self.report_due(now)

    def next_timeout(self) -> "int | None":
        """When report_due has something to do."""
        return None if self._reporting else self._appliance.next_timeout()

    def _is_ours(self, action: int) -> bool:
        """Actions of variable length are for products of variable length, and only for them."""
        return (action >= ACTION_VAR_CONTROL) == self._appliance.schema.variable

    def _control(self, p0: bytes, now: int) -> list:
        try:
            controlled = Controlled(self._appliance.control(p0, now))
        except (RemoteError, AttrError) as e:
            return [Ignored(p0, str(e))]
        return [controlled, *self.report_due(now)]

    def _read(self, frame: Frame) -> list:
        try:
            answer = self._appliance.read_reply(frame.payload)
        except RemoteError as e:
            return self._ignore(frame, str(e))
        return [*self._link.reply(frame, answer), StateRead()]

    def _ignore(self, frame: Frame, why: str) -> list:
        return [*self._link.reply(frame), Ignored(frame.payload, why)]
