"""The pump of one port: an input goes into the Agent, the effects that come out are performed, in order.

The same ten lines as on the chip. Everything runs in one event loop; an input that arrives while effects are being
performed waits its turn, so the Agent is never entered twice. One timer stands for all of the Agent's deadlines.
"""

import asyncio
import collections
import time
from collections.abc import Callable
from functools import partial

from gagent import effects as e
from gagent.agent import Agent

from .http_client import HttpClient
from .log import PortLog, Redactor
from .serial_port import SerialPort
from .settings import PortSettings
from .storage import IdentityFile, StorageError
from .uplink import Uplink

# Before this the system clock was never set: 2024-01-01.
_PLAUSIBLE_UTC = 1704067200
_UTC_EVERY_S = 3600
# After an error inside the agent its deadlines may lie in the past for ever: no faster than this.
_PAUSE_AFTER_ERROR = 1000


class Runner:
    """One Agent with its serial port, its broker session, its HTTP and its identity file."""

    def __init__(
        self, port: PortSettings, agent: Agent, identity: IdentityFile, redactor: Redactor, log: PortLog
    ) -> None:
        self.name = port.name
        self.agent = agent
        self._identity = identity
        self._redactor = redactor
        self._log = log
        self._serial = SerialPort(
            port.port, port.baud, self._serial_open, self._receive_serial, self._feeder(agent.serial_lost), log
        )
        self._uplink = Uplink(
            self._feeder(agent.mqtt_connected), self._feeder(agent.mqtt_lost), self._receive_publish, log
        )
        self._http = HttpClient(self._http_response, self._feeder(agent.http_failed))
        self._perform: dict[type, Callable] = {
            e.SendSerial: self._send_serial,
            e.MqttConnect: self._uplink.connect,
            e.MqttPublish: lambda effect: self._uplink.publish(*effect),
            e.MqttDisconnect: self._disconnect,
            e.HttpRequest: self._http.request,
            e.SaveConfig: self._save,
            e.ConfigureNetwork: self._configure_network,
            e.Restart: lambda effect: self._inbox.appendleft((agent.start, ())),
            e.Notice: log.notice,
        }
        self._inbox: collections.deque[tuple[Callable, tuple]] = collections.deque()
        self._pumping = False
        self._started = False
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for: int | None = None
        self._clock_timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Open the port in the running loop; the agent begins when it is open."""
        self._serial.start()

    def stop(self) -> None:
        """Say goodbye to the broker and let go of everything."""
        self._uplink.disconnect()
        self._http.close()
        self._serial.close()
        for timer in (self._timer, self._clock_timer):
            if timer is not None:
                timer.cancel()

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
        self._arm(self.agent.next_timeout())

    def _pump(self, method: Callable[..., list], args: tuple) -> None:
        try:
            for effect in method(*args, _now()):
                self._log.effect(effect)
                self._perform[type(effect)](effect)
        except Exception:  # one port's fault must not take the other ports down
            self._log.exception("internal error in %s: please report it; going on", method.__name__)
            self._arm(_now() + _PAUSE_AFTER_ERROR)

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

    def _receive_publish(self, topic: str, payload: bytes) -> None:
        self._log.message(topic, payload)
        self.feed(self.agent.receive_publish, topic, payload)

    def _http_response(self, ref: int, status: int, body: bytes) -> None:
        self._log.answer(status, body)
        self.feed(self.agent.http_response, ref, status, body)

    # Effects that are more than one call.

    def _send_serial(self, effect: e.SendSerial) -> None:
        self._log.serial("to MCU", effect.data)
        self._serial.write(effect.data)

    def _disconnect(self, effect: e.MqttDisconnect) -> None:
        self._uplink.disconnect()
        self._log.because("left the broker")

    def _save(self, effect: e.SaveConfig) -> None:
        self._redactor.learn(effect.record)
        try:
            # In the loop, not in a thread: it happens a few times in a life, and what follows in the list (telling the
            # cloud of it) must not overtake it.
            self._identity.save(effect.record)
        except StorageError as error:
            self._log.error("%s", error)

    def _configure_network(self, effect: e.ConfigureNetwork) -> None:
        self._log.info("the MCU asked for network configuration: a gateway is on the network already, nothing to do")
        self._tell_network()


def _now() -> int:
    """The agent's clock: milliseconds, monotonic. The event loop's, so that deadlines and timers agree."""
    return int(asyncio.get_running_loop().time() * 1000)
