"""The pump of one port: an input goes into the Agent, the effects that come out are performed, in order.

The same ten lines as on the chip. Everything runs in one event loop; an input that arrives while effects are being
performed waits its turn, so the Agent is never entered twice. One timer stands for all of the Agent's deadlines.
"""

import asyncio
import collections
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gagent import effects as e
from gagent.agent import Agent

from .bridge import Bridge, Module
from .delivery import Delivery
from .firmware import Firmware
from .firmware_store import FirmwareStore
from .history import History
from .http_client import HttpClient
from .log import PortLog, Redactor
from .outbox import Outbox
from .progress import Progress
from .serial_port import SerialPort
from .settings import PortSettings
from .storage import IdentityFile, StorageError
from .tls import PLAIN, Route
from .uplink import Uplink

# Before this the system clock was never set: 2024-01-01.
_PLAUSIBLE_UTC = 1704067200
_UTC_EVERY_S = 3600
# After an error inside the agent its deadlines may lie in the past for ever: no faster than this.
_PAUSE_AFTER_ERROR = 1000
# How often a port on its way out looks whether all has left.
_LOOK_AGAIN_S = 0.02

# Reports under way before the MCU is read no more, and from where on it is read again: less than a second's work.
_TOO_FAST = 256
_CAUGHT_UP = 64

# Of the agent's snapshot, for the status.
_SHOWN = ("did", "mac", "product_key", "mcu_hard_ver", "mcu_soft_ver", "app_count", "counts", "firmware")


class Runner:
    """One Agent with its serial port, its broker session, its HTTP and its identity file."""

    def __init__(
        self,
        port: PortSettings,
        agent: Agent,
        identity: IdentityFile,
        outbox: Outbox,
        redactor: Redactor,
        log: PortLog,
        route: Route = PLAIN,
        bridge: Bridge | None = None,
        *,
        install: Callable[[str, str], None],
    ) -> None:
        self.name = port.name
        self._port = port
        self.agent = agent
        self._identity = identity
        self._redactor = redactor
        self._log = log
        self._serial = SerialPort(
            port.port, port.baud, self._serial_open, self._receive_serial, self._feeder(agent.serial_lost), log
        )
        self._uplink = Uplink(self._mqtt_connected, self._mqtt_lost, self._receive_publish, log, route=route)
        self._outbox = outbox
        self._delivery = Delivery(outbox, self._uplink.deliver)
        outbox.on_change = self._outbox_changed
        # Bytes for the MCU, each with the report that must be safe before they leave.
        self._held: collections.deque[tuple[int, bytes]] = collections.deque()
        self._may_hold = False
        self._paused = False
        self._http = HttpClient(self._http_response, self._feeder(agent.http_failed), tls=route.tls)
        self._bridge = bridge
        self._firmware = Firmware(
            FirmwareStore(identity.folder, port.name),
            route.tls,
            self._feeder(agent.firmware),
            install,
        )
        self._perform: dict[type, Callable] = {
            e.SendSerial: self._send_serial,
            e.MqttConnect: self._connect,
            e.MqttPublish: self._publish,
            e.MqttDisconnect: self._disconnect,
            e.HttpRequest: self._http.request,
            e.SaveConfig: self._save,
            e.ConfigureNetwork: self._configure_network,
            e.Restart: lambda effect: self._inbox.appendleft((agent.start, ())),
            e.Notice: self._notice,
            **self._firmware.effects,
        }
        if bridge is not None:
            self._perform[e.Reported] = bridge.reported
        self._history = History(_now())
        self._progress = Progress()
        self._inbox: collections.deque[tuple[Callable, tuple]] = collections.deque()
        self._pumping = False
        self._started = False
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for: int | None = None
        self._not_before = 0
        self._clock_timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Open the port in the running loop; the agent begins when it is open."""
        self._outbox.open()
        self._outbox.keep_only(self.agent.snapshot()["did"])
        if self._bridge is not None:
            agent = self.agent
            self._bridge.start(Module(self._feeder(agent.control), self._feeder(agent.local_online), agent.snapshot))
        self._serial.start()

    def stop(self) -> None:
        """Say goodbye to the broker and let go of everything."""
        self._delivery.end()
        self._uplink.disconnect()
        if self._bridge is not None:
            self._bridge.stop()
        self._http.close()
        self._firmware.close()
        self._serial.close()
        self._outbox.close()
        for timer in (self._timer, self._clock_timer):
            if timer is not None:
                timer.cancel()

    async def drain(self) -> None:
        """Take nothing more from the MCU, and return when all that can be published has left."""
        self._serial.close()
        while self._uplink.is_sending():  # noqa: ASYNC110  once in a life, for a moment
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def released(self) -> None:
        """Wait until the serial port of a stopped runner can be opened by another."""
        await self._serial.released()

    def status(self) -> dict[str, Any]:
        """What this port does and went through, as plain values without secrets."""
        now = _now()
        snapshot = self.agent.snapshot()
        return {
            "name": self.name,
            "port": self._port.port,
            "baud": self._port.baud,
            "is_open": self._serial.is_open(),
            "trouble": self._serial.trouble,
            "mcu": self._mcu_state(snapshot["state"]),
            "mcu_since_s": self._history.since_s("mcu", now),
            "uplink": self._port.uplink,
            "cloud": snapshot["cloud"],
            "cloud_since_s": self._history.since_s("cloud", now),
            **{key: snapshot[key] for key in _SHOWN},
            "history": self._history.counts(),
            "outbox": {"depth": len(self._outbox), "dropped": dict(self._outbox.tally.dropped)},
        }

    def blocked(self) -> str:
        """Why this port makes no progress, or ""."""
        if not self._serial.is_looked_after():
            return "its serial port is no longer looked after"
        return self._progress.blocked(self.agent.next_timeout() if self._started else None, _now())

    def feed(self, method: Callable[..., list], *args: object) -> None:
        """An input: call `method(*args, now)` of the agent and perform its effects, when those before are done."""
        self._inbox.append((method, args))
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._inbox:
                self._pump(*self._inbox.popleft())
        finally:
            self._pumping = False
        deadline = self.agent.next_timeout()
        self._arm(deadline if deadline is None else max(deadline, self._not_before))

    def _pump(self, method: Callable[..., list], args: tuple) -> None:
        # A control has nothing to do with what the MCU told us, and goes at once.
        self._may_hold = method not in (self.agent.receive_publish, self.agent.control)
        try:
            for effect in method(*args, _now()):
                self._log.effect(effect)
                self._perform[type(effect)](effect)
            self._progress.done(method.__name__)
        except Exception:  # one port's fault must not take the other ports down
            self._log.exception("internal error in %s: please report it; going on", method.__name__)
            self._progress.failed(method.__name__)
            self._not_before = _now() + _PAUSE_AFTER_ERROR

    def _feeder(self, method: Callable[..., list]) -> Callable[..., None]:
        return partial(self.feed, method)

    # Time.

    def _arm(self, deadline: int | None) -> None:
        if deadline == self._armed_for:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = deadline
        if deadline is None:
            self._timer = None
            return
        # Half a millisecond late, so that `now` is never one short of the deadline.
        self._timer = asyncio.get_running_loop().call_at((deadline + 0.5) / 1000, self._time_is_up)

    def _time_is_up(self) -> None:
        self._armed_for = self._timer = None
        self.feed(self.agent.handle_timeout)

    def _tell_utc(self) -> None:
        self._clock_timer = asyncio.get_running_loop().call_later(_UTC_EVERY_S, self._tell_utc)
        utc = int(time.time())
        if utc >= _PLAUSIBLE_UTC:
            self.feed(self.agent.set_utc, utc)

    # Inputs that are more than one call.

    def _serial_open(self) -> None:
        self._paused = False
        if self._started:
            return
        # Not before: what the agent said first would be lost, and it would ask for an MCU that cannot answer.
        self._started = True
        self.feed(self.agent.start)
        self._tell_utc()
        self._tell_network()

    def _tell_network(self) -> None:
        # A gateway is on the network by other means than ours; full signal is what a cable has.
        self.feed(self.agent.network_changed, True, 100)

    def _receive_serial(self, data: bytes) -> None:
        self._log.serial("from MCU", data)
        self.feed(self.agent.receive_serial, data)
        self._look_at_load()

    def _mqtt_connected(self) -> None:
        self.feed(self.agent.mqtt_connected)
        self._delivery.begin()

    def _mqtt_lost(self, code: int) -> None:
        self._delivery.end()
        self.feed(self.agent.mqtt_lost, code)
        self._look_at_load()

    def _receive_publish(self, topic: str, payload: bytes) -> None:
        self._log.message(topic, payload)
        self.feed(self.agent.receive_publish, topic, payload)

    def _http_response(self, ref: int, status: int, body: bytes) -> None:
        self._log.answer(status, body)
        self.feed(self.agent.http_response, ref, status, body)

    # Effects that are more than one call.

    def _notice(self, notice: e.Notice) -> None:
        if notice.code == e.NOTICE_MCU_SILENT and not self._serial.is_open():
            return  # that the port is gone was said; wiring and baud rate are not to blame
        self._history.note(notice, _now())
        self._log.notice(notice)
        if self._bridge is not None:
            self._bridge.notice(notice)

    def _send_serial(self, effect: e.SendSerial) -> None:
        self._log.serial("to MCU", effect.data)
        outbox = self._outbox
        if self._may_hold and outbox.safe < outbox.newest:
            self._held.append((outbox.newest, effect.data))
        else:
            self._serial.write(effect.data)

    def _publish(self, effect: e.MqttPublish) -> None:
        if effect.qos == 0:
            self._uplink.publish(*effect)
            return
        self._outbox.put(effect.topic, effect.payload)
        self._delivery.wake()

    def _connect(self, effect: e.MqttConnect) -> None:
        self._delivery.end()
        self._uplink.connect(effect)

    def _disconnect(self, effect: e.MqttDisconnect) -> None:
        self._delivery.end()
        self._uplink.disconnect()
        self._log.because("left the broker")

    def _save(self, effect: e.SaveConfig) -> None:
        self._redactor.learn(effect.record)
        self._outbox.keep_only(effect.record["did"])
        try:
            # In the loop, not in a thread: it happens a few times in a life, and what follows in the list (telling the
            # cloud of it) must not overtake it.
            self._identity.save(effect.record)
        except StorageError as error:
            self._log.error("%s", error)

    # The outbox.

    def _outbox_changed(self) -> None:
        """More is on disk, or with the broker."""
        while self._held and self._held[0][0] <= self._outbox.safe:
            self._serial.write(self._held.popleft()[1])
        self._delivery.wake()
        self._look_at_load()

    def _look_at_load(self) -> None:
        """An MCU that reports faster than disk or broker take it is not read until they have caught up."""
        limit = _CAUGHT_UP if self._paused else _TOO_FAST
        busy = self._delivery.is_behind(limit) or self._outbox.newest - self._outbox.safe > limit
        if busy != self._paused:
            self._paused = busy
            (self._serial.pause if busy else self._serial.resume)()

    def _configure_network(self, effect: e.ConfigureNetwork) -> None:
        self._log.info("the MCU asked for network configuration: a gateway is on the network already, nothing to do")
        self._tell_network()

    def _mcu_state(self, state: str) -> str:
        if not self._serial.is_open():
            return "no port"
        return "ready" if state == "run" else "silent"


def _now() -> int:
    """The agent's clock: milliseconds, monotonic. The event loop's, so that deadlines and timers agree."""
    return int(asyncio.get_running_loop().time() * 1000)
