"""`ModulePlayer`: the module's end of a serial line, to test an MCU with no cloud. Serial manual, 3-9, 12.1.

No I/O and no clock of its own: bytes, time and what a person wants go in, effects to be performed in order come out
(`module_events`). It behaves as a module does:

    01 until a 02 comes (ten rounds, a pause of a second, again)      07 after 55 s without a frame of the MCU
    0d at every change of the status word, and every 10 minutes       three unanswered: lost, 01 again
    17 -> the time, 21 -> who we are, 09 0b 13 15 29 -> ack and what they mean

Firmware is in `module_upgrade`. It survives whatever an MCU sends; what means nothing is told.
"""

from collections.abc import Callable

from mcu_proto.const import (
    CMD_BINDABLE,
    CMD_CONFIG_MODE,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_HEARTBEAT,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    CMD_PRODUCTION_TEST,
    CMD_READY,
    CMD_REGISTER_SUBDEVICES,
    CMD_RESET_MODULE,
    CMD_RESTART_MODULE,
    CMD_STOP_RECEIVING,
    CMD_SUBDEVICES_REGISTERED,
    CMD_TRANSACTION,
    CMD_TRANSACTION_RESULT,
    MODULE,
)
from mcu_proto.datapoint import Schema
from mcu_proto.errors import RemoteError
from mcu_proto.frame import Frame
from mcu_proto.link import Acked, Failed, McuLink, Received
from mcu_proto.message import DeviceInfo, build_module_status, build_network_time, parse_device_info

from .mcu_state import McuState
from .module_answers import RESTARTS, module_info, status_after
from .module_events import InfoRefused, McuAsked, McuFound, McuLost, RawReported, Restarting, TimeTold
from .module_gateway import look_for, register
from .module_upgrade import Image, ModuleUpgrade

HEARTBEAT = 55_000
LOST_AFTER = 3
STATUS_REFRESH = 600_000
# A push that was not acked is told again.
STATUS_AGAIN = 1_000
ROUNDS = 10
ROUND_PAUSE = 1_000
# Names of `facts`.
FACTS = ("ready", "version", "sent")


class ModulePlayer:
    """`utc` gives the seconds since 1970, 0 for unknown; `heartbeat` in ms, 0: none."""

    def __init__(
        self,
        schema: Schema | None,
        utc: Callable[[], int],
        *,
        tz_minutes: int = 0,
        baud: int = 9600,
        heartbeat: int = HEARTBEAT,
        status: int = 0,
    ) -> None:
        self.schema = schema
        self.status = status
        self.info: DeviceInfo | None = None
        self._state = McuState(schema)
        self._utc = utc
        self._tz_minutes = tz_minutes
        self._heartbeat = heartbeat
        self._link = McuLink(
            MODULE,
            hold=(CMD_READY, CMD_GET_TIME, CMD_GET_MODULE_INFO),
            serves=bytes((CMD_READY, CMD_STOP_RECEIVING, CMD_TRANSACTION, CMD_REGISTER_SUBDEVICES)),
            baud=baud,
        )
        self.upgrade = ModuleUpgrade(self._link)
        # The image that a transaction of the MCU finds, None: nothing.
        self.offer: Image | None = None
        self._rounds = 0
        self._unanswered = 0
        self._hello_due: int | None = None
        self._heartbeat_due: int | None = None
        self._status_due: int | None = None
        self._restart_due: int | None = None

    @property
    def values(self) -> dict:
        """Attributes as the MCU reported them last."""
        return self._state.values

    def facts(self) -> dict:
        """What a script may wait for besides attributes."""
        version = "" if self.info is None else self.info.soft_ver
        return {"ready": self.info is not None, "version": version, "sent": self.upgrade.is_sent}

    def start(self, now: int) -> list:
        """Power on: ask the MCU who it is."""
        self.info = None
        self._rounds = 0
        self._unanswered = 0
        self._heartbeat_due = self._status_due = self._restart_due = None
        self._hello_due = None
        return self.request(CMD_GET_INFO, b"", now)

    def receive_from(self, sender: int | None, data: bytes, now: int) -> list:
        """Bytes from the MCU."""
        return self._digest(self._link.receive_bytes(data, now), now)

    def handle_timeout(self, now: int) -> list:
        """Whatever is due; harmless when early."""
        out = self._digest(self._link.handle_timeout(now), now)
        out += self._digest(self.upgrade.handle_timeout(now), now)
        if _is_due(self._restart_due, now):
            out += [*self._digest(self._link.reset(), now), *self.start(now)]
        if _is_due(self._hello_due, now):
            self._hello_due = None
            out += self.request(CMD_GET_INFO, b"", now)
        if _is_due(self._status_due, now):
            out += self._push_status(now)
        if _is_due(self._heartbeat_due, now):
            self._heartbeat_due = now + self._heartbeat
            out += self.request(CMD_HEARTBEAT, b"", now)
        return out

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do."""
        dues = (
            self._link.next_timeout(),
            self.upgrade.next_timeout(),
            self._restart_due,
            self._hello_due,
            self._status_due,
            self._heartbeat_due,
        )
        return min((due for due in dues if due is not None), default=None)

    def is_idle(self) -> bool:
        """True when no request of ours waits for its ack."""
        return self._link.is_idle() or self.info is None

    def line_lost(self, now: int) -> list:
        """The adapter was pulled: begin again when it is back."""
        return [*self._digest(self._link.reset(), now), *self.start(now)]

    def request(self, cmd: int, payload: bytes, now: int) -> list:
        """Ask something of the MCU; ends in one Acked or Failed whose token is `cmd`."""
        return self._digest(self._link.request(cmd, payload, now, cmd), now)

    def set_status(self, status: int, now: int) -> list:
        """Another status word, told at once."""
        self.status = status
        return self._push_status(now) if self.info is not None else []

    def restart(self, why: str, delay: int, now: int) -> list:
        """The module starts over after so many ms."""
        self._restart_due = now + delay
        return [Restarting(why)]

    def send_firmware(self, image: Image, now: int) -> list:
        """Announce it and send it."""
        return self._digest(self.upgrade.start(image, now), now)

    def stop_firmware(self, now: int) -> list:
        return self._digest(self.upgrade.stop(now), now)

    def _push_status(self, now: int) -> list:
        self._status_due = now + STATUS_REFRESH
        return self.request(CMD_MODULE_STATUS, build_module_status(self.status), now)

    def _digest(self, effects: list, now: int) -> list:
        out: list = []
        for effect in effects:
            if isinstance(effect, Received):
                self._alive(now)
                self._on_request(effect.frame, now, out)
            elif isinstance(effect, Acked | Failed) and self.upgrade.owns(effect.token):
                out += self._digest(self.upgrade.outcome(effect, now), now)
            elif isinstance(effect, Acked):
                self._alive(now)
                out.append(effect)
                self._on_ack(effect, now, out)
            elif isinstance(effect, Failed):
                self._on_failed(effect, now, out)
            else:
                out.append(effect)
        return out

    def _alive(self, now: int) -> None:
        self._unanswered = 0
        if self.info is not None and self._heartbeat:
            self._heartbeat_due = now + self._heartbeat

    def _on_ack(self, acked: Acked, now: int, out: list) -> None:
        payload = acked.frame.payload
        if acked.token == CMD_GET_INFO:
            self._on_info(payload, now, out)
        elif acked.token == CMD_P0_DOWN:
            try:
                out += self._state.answered(payload)
            except RemoteError as e:
                out += [RawReported(payload), InfoRefused(str(e))]

    def _on_info(self, payload: bytes, now: int, out: list) -> None:
        try:
            self.info = parse_device_info(payload)
        except RemoteError as e:
            out.append(InfoRefused(str(e)))
            self._hello_due = now + ROUND_PAUSE
            return
        out.append(McuFound(self.info))
        self._alive(now)
        out += self._push_status(now)

    def _on_failed(self, failed: Failed, now: int, out: list) -> None:
        if failed.token == CMD_GET_INFO:
            self._rounds += 1
            # Not told each time: an MCU may come much later.
            if self._rounds == 1:
                out.append(failed)
            self._hello_due = now + (ROUND_PAUSE if self._rounds % ROUNDS == 0 else 1)
            return
        out.append(failed)
        if failed.token == CMD_MODULE_STATUS:
            self._status_due = now + STATUS_AGAIN
        elif failed.token == CMD_HEARTBEAT:
            self._unanswered += 1
            if self._unanswered >= LOST_AFTER:
                out += [McuLost(), *self._digest(self._link.reset(), now), *self.start(now)]

    def _on_request(self, frame: Frame, now: int, out: list) -> None:
        handler = self._REQUESTS.get(frame.cmd)
        try:
            if handler is not None:
                handler(self, frame, now, out)
            else:
                out.append(McuAsked(frame.cmd, frame.payload))
        except RemoteError as e:
            out += [RawReported(frame.payload), InfoRefused(str(e))]

    def _on_report(self, frame: Frame, now: int, out: list) -> None:
        out += self._state.reported(frame)

    def _on_management(self, frame: Frame, now: int, out: list) -> None:
        out.append(McuAsked(frame.cmd, frame.payload))
        status = status_after(frame.cmd, self.status)
        if status != self.status:
            out += self.set_status(status, now)
        restart = RESTARTS.get(frame.cmd)
        if restart is not None:
            out += self.restart(restart.why, restart.delay, now)

    def _on_get_time(self, frame: Frame, now: int, out: list) -> None:
        utc = self._utc()
        out += self._link.reply(frame, build_network_time(utc, self._tz_minutes))
        out.append(TimeTold(utc))

    def _on_get_module_info(self, frame: Frame, now: int, out: list) -> None:
        out += self._link.reply(frame, module_info(self.info))
        out.append(McuAsked(frame.cmd, frame.payload))

    def _on_register(self, frame: Frame, now: int, out: list) -> None:
        event, result = register(frame.payload)
        out += [event, *self.request(CMD_SUBDEVICES_REGISTERED, result, now)]

    def _on_transaction(self, frame: Frame, now: int, out: list) -> None:
        event, answer, is_sent = look_for(frame.payload, self.offer)
        out += [event, *self.request(CMD_TRANSACTION_RESULT, answer, now)]
        if is_sent and self.offer is not None:
            out += self.send_firmware(self.offer, now)

    def _on_transfer(self, frame: Frame, now: int, out: list) -> None:
        out += self._digest(self.upgrade.receive(frame, now), now)

    _REQUESTS = {
        CMD_P0_UP: _on_report,
        CMD_CONFIG_MODE: _on_management,
        CMD_RESET_MODULE: _on_management,
        CMD_PRODUCTION_TEST: _on_management,
        CMD_BINDABLE: _on_management,
        CMD_RESTART_MODULE: _on_management,
        CMD_GET_TIME: _on_get_time,
        CMD_GET_MODULE_INFO: _on_get_module_info,
        CMD_REGISTER_SUBDEVICES: _on_register,
        CMD_TRANSACTION: _on_transaction,
        CMD_READY: _on_transfer,
        CMD_STOP_RECEIVING: _on_transfer,
    }


def _is_due(due: int | None, now: int) -> bool:
    return due is not None and now >= due
