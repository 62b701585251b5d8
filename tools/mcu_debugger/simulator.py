"""`McuSimulator`: the MCU end of a serial line, driven by a product definition. Serial manual, chapters 3-5, 12.2.

No I/O and no clock: bytes, time and the appliance's own changes go in as method calls, a list of effects to be
performed in order comes out. It answers, acks and reports like the generated MCU code does, and survives whatever a
module sends: a payload that means nothing is acked and told of in `Ignored`.

    01 -> 02 device info          03 control -> 04, Controlled, 05 with the whole state
    07 0d 0f -> ack               03 read -> 04 with the whole state
    appliance changed: 05 (writable at once, the rest at most every 6 s), and every 10 minutes in any case
"""

from collections import namedtuple

from mcu_proto.const import (
    ACTION_CONTROL,
    ACTION_READ,
    ACTION_READ_REPLY,
    ACTION_TRANSPARENT_DOWN,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_HEARTBEAT,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    CMD_RESTART_MCU,
    MCU,
)
from mcu_proto.datapoint import WRITABLE, Attr, Scale, Schema
from mcu_proto.errors import AttrError, LocalError, RemoteError
from mcu_proto.frame import Frame
from mcu_proto.link import Acked, Failed, McuLink, Received, SendSerial
from mcu_proto.mcu_message import build_device_info, parse_module_status, parse_network_time
from mcu_proto.message import DeviceInfo, parse_device_info
from mcu_proto.module_info import parse_module_info

# Besides these the link's SendSerial, Acked, Failed and Illegal come out; the token of Acked and Failed is the command.
InfoSent = namedtuple("InfoSent", ())  # the module asked who we are and was told
Controlled = namedtuple("Controlled", ("values",))  # the module set these attributes, and they are set
StateRead = namedtuple("StateRead", ())  # the module asked for the state and got it
StatusChanged = namedtuple("StatusChanged", ("status",))  # the module's status word is another than before
HeartbeatSeen = namedtuple("HeartbeatSeen", ())  # and acked
RestartAsked = namedtuple("RestartAsked", ())  # the module wants the MCU to restart; `Restarted` follows
Restarted = namedtuple("Restarted", ())  # the MCU begins anew: sn 0, nothing under way; attributes are kept
TimeReceived = namedtuple("TimeReceived", ("time",))  # a message.NetworkTime
ModuleInfoReceived = namedtuple("ModuleInfoReceived", ("info",))  # a message.ModuleInfo or CellularInfo
TransparentReceived = namedtuple("TransparentReceived", ("data",))  # bytes that are no attributes
Ignored = namedtuple("Ignored", ("payload", "why"))  # acked or answered, but it means nothing to this product

# The manual's limit for reports of what the MCU measures; the user's own changes are exempt.
CHANGE_INTERVAL = 6_000
# The full report that heals whatever was lost.
REPORT_INTERVAL = 600_000
# The generated MCU code gives its ack of 0f this long to leave the line.
RESTART_DELAY = 600

# Firmware made by the vendor's generator always sets this bit.
_DEVICE_ATTR = 0x02


class McuSimulator:
    """An appliance of the product `definition`, all attributes zero but `values`; LocalError if either is unusable."""

    def __init__(
        self,
        definition: dict,
        values: dict | None = None,
        *,
        hard_ver: str = "01000001",
        soft_ver: str = "01000001",
        bindable_timeout: int = 0,
        product_secret: str | None = None,
        baud: int = 9600,
    ) -> None:
        self.schema = Schema.from_definition(definition)
        if self.schema.variable:
            raise LocalError("the product's protocolType is var_len, the simulator plays standard products")
        self.info = DeviceInfo(
            "00000004",
            "00000002",
            hard_ver,
            soft_ver,
            self.schema.product_key,
            bindable_timeout,
            _DEVICE_ATTR,
            product_secret,
            None,
        )
        self.status = 0
        # Like pulling its plug: hears nothing and says nothing, but the appliance's own changes still happen.
        self.silent = False
        self._info_payload = build_device_info(self.info)
        try:
            parse_device_info(self._info_payload)
        except RemoteError as e:
            raise LocalError(str(e)) from None
        self._writable = {attr.name for attr in self.schema.attrs if attr.access == WRITABLE}
        self._values = self._normal({attr.name: _zero(attr) for attr in self.schema.attrs} | (values or {}))
        self._link = McuLink(MCU, hold=(CMD_GET_INFO, CMD_P0_DOWN), baud=baud)
        self._reporting = False
        self._report_again = False
        self._changed_at: int | None = None
        self._change_due: int | None = None
        self._report_due: int | None = None
        self._restart_due: int | None = None

    @property
    def values(self) -> dict:
        """The attributes as they are now, name to value."""
        return dict(self._values)

    def start(self, now: int) -> list:
        """Power on: a report at once when anything differs from zero."""
        self._changed_at = None
        self._change_due = None
        self._restart_due = None
        self._report_due = now + REPORT_INTERVAL
        if not any(self._p0()[1:]):
            return []
        return self._report_change(now)

    def receive_serial(self, data: bytes, now: int) -> list:
        """Bytes from the module."""
        if self.silent:
            return []
        return self._digest(self._link.receive_bytes(data, now), now)

    def handle_timeout(self, now: int) -> list:
        """Whatever is due; harmless when early."""
        out = self._digest(self._link.handle_timeout(now), now)
        if _is_due(self._restart_due, now):
            out += self._restart(now)
        if _is_due(self._change_due, now):
            out += self._report_change(now)
        if _is_due(self._report_due, now):
            self._report_due = now + REPORT_INTERVAL
            out += self._report(now)
        return out

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do."""
        dues = (self._link.next_timeout(), self._restart_due, self._change_due, self._report_due)
        return min((due for due in dues if due is not None), default=None)

    def is_idle(self) -> bool:
        """True when no request of ours waits for its ack."""
        return self._link.is_idle()

    def set(self, values: dict, now: int) -> list:
        """The appliance changed these attributes itself; AttrError, and nothing is set, when one cannot be."""
        new = self._normal({**self._values, **values})
        changed = {name for name in new if new[name] != self._values[name]}
        self._values = new
        if not changed:
            return []
        if changed & self._writable or self._changed_at is None or now - self._changed_at >= CHANGE_INTERVAL:
            return self._report_change(now)
        self._change_due = self._changed_at + CHANGE_INTERVAL
        return []

    def request(self, cmd: int, payload: bytes, now: int) -> list:
        """Ask something of the module; ends in one Acked or Failed whose token is `cmd`."""
        return self._digest(self._link.request(cmd, payload, now, cmd), now)

    def _digest(self, effects: list, now: int) -> list:
        """What comes out for what the link said."""
        out: list = []
        for effect in effects:
            if isinstance(effect, Received):
                handler = self._REQUESTS.get(effect.frame.cmd)
                if handler is not None:
                    handler(self, effect.frame, now, out)
            elif not (self.silent and isinstance(effect, SendSerial)):
                out.append(effect)
            if isinstance(effect, Acked):
                self._on_answer(effect, out)
            if isinstance(effect, Acked | Failed) and effect.token == CMD_P0_UP:
                self._reporting = False
                if self._report_again:
                    out += self._report(now)
        return out

    def _on_get_info(self, frame: Frame, now: int, out: list) -> None:
        # It asks when it begins: what it told of itself before is void.
        self.status = 0
        out += self._link.reply(frame, self._info_payload)
        out.append(InfoSent())

    def _on_p0(self, frame: Frame, now: int, out: list) -> None:
        p0 = frame.payload
        if frame.flags & 1:
            self._ignore(frame, "meant for a sub-device", out)
        elif not p0:
            self._ignore(frame, "empty", out)
        elif p0[0] == ACTION_CONTROL:
            out += self._link.reply(frame)
            self._control(p0, now, out)
        elif p0[0] == ACTION_READ:
            out += self._link.reply(frame, self._p0(ACTION_READ_REPLY))
            out.append(StateRead())
        elif p0[0] == ACTION_TRANSPARENT_DOWN:
            out += self._link.reply(frame)
            out.append(TransparentReceived(p0[1:]))
        else:
            self._ignore(frame, "action %02x is not for this product" % p0[0], out)

    def _on_heartbeat(self, frame: Frame, now: int, out: list) -> None:
        out.append(HeartbeatSeen())

    def _on_status(self, frame: Frame, now: int, out: list) -> None:
        try:
            status = parse_module_status(frame.payload)
        except RemoteError as e:
            out.append(Ignored(frame.payload, str(e)))
            return
        if status != self.status:
            self.status = status
            out.append(StatusChanged(status))

    def _on_restart(self, frame: Frame, now: int, out: list) -> None:
        self._restart_due = now + RESTART_DELAY
        out.append(RestartAsked())

    _REQUESTS = {
        CMD_GET_INFO: _on_get_info,
        CMD_P0_DOWN: _on_p0,
        CMD_HEARTBEAT: _on_heartbeat,
        CMD_MODULE_STATUS: _on_status,
        CMD_RESTART_MCU: _on_restart,
    }
    # Requests whose ack says something: how to read it, and the effect that tells it.
    _ANSWERS = {
        CMD_GET_TIME: (parse_network_time, TimeReceived),
        CMD_GET_MODULE_INFO: (parse_module_info, ModuleInfoReceived),
    }

    def _on_answer(self, acked: Acked, out: list) -> None:
        if acked.token not in self._ANSWERS:
            return
        parse, effect = self._ANSWERS[acked.token]
        try:
            out.append(effect(parse(acked.frame.payload)))
        except RemoteError as e:
            out.append(Ignored(acked.frame.payload, str(e)))

    def _control(self, p0: bytes, now: int, out: list) -> None:
        try:
            wanted = self.schema.decode_control(p0)
            new = self._normal({**self._values, **wanted})
        except (RemoteError, AttrError) as e:
            out.append(Ignored(p0, str(e)))
            return
        self._values = new
        out.append(Controlled({name: new[name] for name in wanted}))
        out += self._report_change(now)

    def _ignore(self, frame: Frame, why: str, out: list) -> None:
        out += self._link.reply(frame)
        out.append(Ignored(frame.payload, why))

    def _restart(self, now: int) -> list:
        self._report_again = False
        out = self._digest(self._link.reset(), now)
        return [*out, Restarted(), *self.start(now)]

    def _report_change(self, now: int) -> list:
        self._changed_at = now
        return self._report(now)

    def _report(self, now: int) -> list:
        # One at a time: whatever changes meanwhile goes into one more report, so a dead line piles up nothing.
        self._change_due = None
        self._report_again = self._reporting
        if self._reporting:
            return []
        self._reporting = True
        return self.request(CMD_P0_UP, self._p0(), now)

    def _p0(self, *action: int) -> bytes:
        return self.schema.encode_report(self._values, *action)

    def _normal(self, values: dict) -> dict:
        """`values` as a peer would decode them; AttrError when one is impossible."""
        return self.schema.decode(self.schema.encode_report(values))


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
