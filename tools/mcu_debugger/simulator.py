"""`McuSimulator`: the MCU end of a serial line, driven by a product definition. Serial manual, chapters 3-5, 7, 12.2.

No I/O and no clock: bytes, time and the appliance's own changes go in as method calls, a list of effects to be
performed in order comes out (`mcu_events`). It answers, acks and reports like the generated MCU code does, and survives
whatever a module sends: a payload that means nothing is acked and told of in `Ignored`.

    01 -> 02 device info          03 control -> 04, Controlled, 05 with the new state
    07 0d 0f -> ack               03 read -> 04 with the state
    19 1b 1d 1f 27                firmware, when it has a `bootloader`
    appliance changed: 05 (writable at once, the rest at most every 6 s), and every 10 minutes in any case

P0 is in `p0_conversation` and `appliance`, firmware in `bootloader`, faults on order in `mischief`.
"""

from mcu_proto.const import (
    ATTR_GENERATED,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_HEARTBEAT,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    CMD_PIECE,
    CMD_RESTART_MCU,
    CMD_RESTART_MODULE,
    MCU,
    STATUS_CLOUD,
    TRANSFER_REQUESTS,
)
from mcu_proto.datapoint import Schema
from mcu_proto.errors import LocalError, RemoteError
from mcu_proto.frame import Frame
from mcu_proto.link import Acked, Failed, McuLink, Received, SendSerial
from mcu_proto.mcu_message import build_device_info, parse_module_status, parse_network_time
from mcu_proto.message import DeviceInfo, parse_device_info
from mcu_proto.module_info import parse_module_info

from .appliance import Appliance
from .bootloader import RESTART_DELAY, Bootloader, BootOptions
from .mcu_events import (
    HeartbeatSeen,
    Ignored,
    InfoSent,
    ModuleInfoReceived,
    RestartAsked,
    Restarted,
    StatusChanged,
    TimeReceived,
)
from .mischief import Mischief
from .p0_conversation import P0Conversation
from .waveform import Waves

# Names of `facts`.
FACTS = ("online", "version")


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
        boot: BootOptions | None = None,
    ) -> None:
        self.schema = Schema.from_definition(definition)
        self.info = DeviceInfo(
            "00000004",
            "00000002",
            hard_ver,
            soft_ver,
            self.schema.product_key,
            bindable_timeout,
            # Firmware made by the vendor's generator always sets this bit, and no other.
            ATTR_GENERATED,
            product_secret,
            None,
        )
        self.status = 0
        # Like pulling its plug: hears nothing and says nothing, but the appliance's own changes still happen.
        self.silent = False
        self.mischief = Mischief()
        self.waves = Waves(self.schema)
        try:
            parse_device_info(build_device_info(self.info))
        except RemoteError as e:
            raise LocalError(str(e)) from None
        self._appliance = Appliance(self.schema, values or {})
        serves = b"" if boot is None else TRANSFER_REQUESTS
        self._link = McuLink(MCU, hold=(CMD_GET_INFO, CMD_P0_DOWN, CMD_PIECE), serves=serves, baud=baud)
        self.bootloader = None if boot is None else Bootloader(self._link, boot, soft_ver)
        self._p0 = P0Conversation(self._link, self._appliance)
        self._restart_due: int | None = None
        self._now = 0

    @property
    def values(self) -> dict:
        """The attributes as they are now, name to value."""
        return self._appliance.values

    def facts(self) -> dict:
        """What a script may wait for besides attributes."""
        return {"online": bool(self.status & STATUS_CLOUD), "version": self.info.soft_ver}

    def start(self, now: int) -> list:
        """Power on: a report at once when anything differs from zero."""
        self._restart_due = None
        self._appliance.power_on(now)
        return self._report_due(now)

    def receive_serial(self, data: bytes, now: int) -> list:
        """Bytes from the module."""
        self._now = now
        if self.silent:
            return []
        return self._digest(self._link.receive_bytes(data, now), now)

    def receive_from(self, sender: int | None, data: bytes, now: int) -> list:
        """The same; a simulator has one peer."""
        return self.receive_serial(data, now)

    def handle_timeout(self, now: int) -> list:
        """Whatever is due; harmless when early."""
        self._now = now
        out: list = [] if self.silent else [SendSerial(data) for data in self.mischief.late(now)]
        out += self._digest(self._link.handle_timeout(now), now)
        if self.bootloader is not None:
            out += self._digest(self.bootloader.handle_timeout(now), now)
        if (self._restart_due is not None and now >= self._restart_due) or self.mischief.is_reboot_due(now):
            out += self.restart(now)
        values = self.waves.due_values(now)
        if values:
            self._appliance.set(values, now)
        return out + self._report_due(now)

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do."""
        dues = [self._link.next_timeout(), self._p0.next_timeout(), self._restart_due]
        dues += [self.mischief.next_timeout(), self.waves.next_timeout()]
        if self.bootloader is not None:
            dues.append(self.bootloader.next_timeout())
        return min((due for due in dues if due is not None), default=None)

    def is_idle(self) -> bool:
        """True when no request of ours waits for its ack."""
        return self._link.is_idle()

    def line_lost(self, now: int) -> list:
        """The adapter was pulled: what was under way is over; the appliance goes on."""
        return self._digest(self._link.reset(), now)

    def set(self, values: dict, now: int) -> list:
        """The appliance changed these attributes itself; AttrError, and nothing is set, when one cannot be."""
        self._now = now
        self._appliance.set(values, now)
        return self._report_due(now)

    def request(self, cmd: int, payload: bytes, now: int) -> list:
        """Ask something of the module; ends in one Acked or Failed whose token is `cmd`."""
        self._now = now
        return self._digest(self._link.request(cmd, payload, now, cmd), now)

    def restart(self, now: int) -> list:
        """Power off and on: sn 0 again, nothing under way; attributes are kept, and the committed firmware runs."""
        self._restart_due = None
        is_new = False
        out: list = []
        if self.bootloader is not None:
            is_new, self.bootloader.is_new = self.bootloader.is_new, False
            self.info = self.info._replace(soft_ver=self.bootloader.soft_ver)
            self.bootloader.power_on()
        out += self._digest(self._link.reset(), now)
        out += [Restarted(), *self.start(now)]
        # The module reads the new version only when it starts anew itself.
        return out + self.request(CMD_RESTART_MODULE, b"", now) if is_new else out

    def _digest(self, effects: list, now: int) -> list:
        """What comes out for what the link and the bootloader said."""
        out: list = []
        for effect in effects:
            if isinstance(effect, SendSerial):
                if not self.silent:
                    out += [SendSerial(data) for data in self.mischief.spoil(effect.data, now)]
                continue
            if isinstance(effect, Received):
                self._on_request(effect.frame, now, out)
                continue
            out.append(effect)
            if isinstance(effect, Acked):
                self._on_answer(effect, out)
            if isinstance(effect, Acked | Failed) and effect.token == CMD_P0_UP:
                out += self._digest(self._p0.report_over(now), now)
        if self.bootloader is not None and self.bootloader.restart_in is not None:
            due, self.bootloader.restart_in = now + self.bootloader.restart_in, None
            self._restart_due = due
            if due <= now:
                out += self.restart(now)
        return out

    def _on_request(self, frame: Frame, now: int, out: list) -> None:
        if frame.cmd in TRANSFER_REQUESTS and self.bootloader is not None:
            out += self._digest(self.bootloader.receive(frame, now), now)
        elif frame.cmd in self._REQUESTS:
            self._REQUESTS[frame.cmd](self, frame, now, out)

    def _on_get_info(self, frame: Frame, now: int, out: list) -> None:
        # It asks when it begins: what it told of itself before is void.
        self.status = 0
        self._reply(frame, build_device_info(self.info), now, out)
        out.append(InfoSent())

    def _on_p0(self, frame: Frame, now: int, out: list) -> None:
        out += self._digest(self._p0.receive(frame, now), now)

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

    def _reply(self, frame: Frame, payload: bytes, now: int, out: list) -> None:
        out += self._digest(self._link.reply(frame, payload), now)

    def _report_due(self, now: int) -> list:
        return self._digest(self._p0.report_due(now), now)
