"""The pump: an input goes into the Agent, the effects that come out are performed, in order.

Every part is looked at in every turn: it takes what came and does what is due, and never waits. Between turns the loop
sleeps in one poll over all sockets and the UART, until something comes or is due.
"""

from gagent import effects as e
from mcu_proto.const import CONFIG_AIRLINK, CONFIG_SOFTAP, const

from . import records

# The watchdog wants to be fed every five seconds at the latest.
_MAX_SLEEP = const(1000)
# After an error inside the agent its deadlines may lie in the past for ever: no faster than this.
_PAUSE_AFTER_ERROR = const(1000)
# So many errors, with less than this between them, are not an accident any more.
_MAX_ERRORS = const(5)
_FORGIVEN_AFTER = const(600000)


class Runner:
    """One Agent with its parts: `serial`, `uplink`, `http`, `wifi`, and others that few chips have.

    A part has `due`, when it wants its turn though nothing came, or None, and `turn(now)`; the UART's bytes wake by
    themselves. `restart()` is the chip's; `watchdog` None: there is none.
    """

    def __init__(self, clock, poll, log, restart, watchdog):
        self._clock = clock
        self._poll = poll
        self._log = log
        self._restart = restart
        self._watchdog = watchdog
        self._firmware = None
        self._errors = 0
        self._forgiven_at = 0
        self._not_before = 0
        self._is_shaken = False

    def join(self, agent, config, serial, wifi, uplink, http, *others):
        """The agent with its config, and the parts, which were made with our methods to be called."""
        self._agent = agent
        self._config = config
        self._serial = serial
        self._wifi = wifi
        self._uplink = uplink
        self._http = http
        self._others = others

    def run(self):
        """Until a person stops it; the broker is told goodbye. After a crash the only way on is a new start."""
        self.feed(self._agent.start)
        try:
            while True:
                self._turn()
        except KeyboardInterrupt:
            pass
        except Exception as error:
            self._log.error(error)
            self._restart()
        finally:
            self._uplink.disconnect()

    def feed(self, method, *arguments):
        """An input: call `method(*arguments, now)` of the agent and perform its effects."""
        try:
            for effect in method(*arguments, self._clock.now()):
                self._perform(effect)
        except Exception as error:  # no room, most likely: what the agent was about is half done, so it begins anew
            self._on_error(error)
            self._is_shaken = True

    def network_changed(self, up, percent):
        """There is a network, or there is none any more."""
        self._config.ip = self._wifi.ip
        self.feed(self._agent.network_changed, up, percent)
        if not up:
            self._http.give_up("the Wi-Fi is gone")

    def _turn(self):
        """Wait until something comes or is due; take it."""
        now = self._clock.now()
        first = self._agent.next_timeout()
        first = now + _MAX_SLEEP if first is None else max(first, self._not_before)
        for due in (self._wifi.due, self._uplink.due, self._http.due):
            first = _sooner(first, due)
        for part in self._others:
            first = _sooner(first, part.due)
        self._poll.poll(min(max(0, first - now), _MAX_SLEEP))
        if self._watchdog is not None:
            self._watchdog.feed()
        for turn in (self._serial.turn, self._wifi.turn, self._uplink.turn, self._http.turn):
            self._give_turn(turn)
        for part in self._others:
            self._give_turn(part.turn)
        now = self._clock.now()
        at = self._agent.next_timeout()
        if now < self._not_before:
            return
        if self._is_shaken:
            self._is_shaken = False
            self.feed(self._agent.start)
        elif at is not None and now >= at:
            self.feed(self._agent.handle_timeout)

    def _give_turn(self, turn):
        try:
            turn(self._clock.now())
        except Exception as error:  # no room for a large message, most likely; the part goes on with the next
            self._on_error(error)

    def _on_error(self, error):
        now = self._clock.now()
        self._log.error(error)
        self._errors = self._errors + 1 if now < self._forgiven_at else 1
        self._forgiven_at = now + _FORGIVEN_AFTER
        self._not_before = now + _PAUSE_AFTER_ERROR
        if self._errors >= _MAX_ERRORS:
            self._restart()

    def _perform(self, effect):
        """By frequency; a table would cost a word of heap for every row."""
        if isinstance(effect, e.SendSerial):
            self._serial.write(effect.data)
        elif isinstance(effect, e.MqttPublish):
            self._uplink.publish(effect.topic, effect.payload, effect.qos, self._clock.now())
        elif isinstance(effect, e.Notice):
            self._log.notice(effect)
            if effect.code == e.NOTICE_OFFLINE:
                self._log.say("%s; reports dropped: %d" % (self._uplink.reason, self._uplink.dropped))
        elif isinstance(effect, e.HttpRequest):
            self._http.request(effect)
        elif isinstance(effect, e.MqttConnect):
            self._uplink.connect(effect, self._clock.now())
        elif isinstance(effect, e.MqttDisconnect):
            self._uplink.disconnect()
        elif isinstance(effect, e.SaveConfig):
            if not effect.record["did"]:
                # What waits was said by a device that we are not any more.
                self._uplink.reports = []
            records.save("identity", effect.record, self._log)
        elif isinstance(effect, e.ConfigureNetwork):
            # Deviation: MicroPython cannot listen as AirLink does; SoftAP is what follows it anyway, a minute later.
            if effect.mode == CONFIG_SOFTAP or effect.mode == CONFIG_AIRLINK:
                self._wifi.configure()
            else:
                self._log.say("network configuration mode %d is not served" % effect.mode)
                self._wifi.tell()
        elif isinstance(effect, e.Restart):
            if effect.reason == e.NOTICE_RESET:
                self._wifi.forget()
            self._restart()
        else:
            # Of an upgrade: what carries it out is loaded with the first, and is a part from then on.
            if self._firmware is None:
                from .firmware import Firmware

                tls, restart = self._http.tls, self._restart
                self._firmware = Firmware(self._poll, self._wifi, self.feed, self._agent, tls, restart, self._watchdog)
                self._others += (self._firmware,)
            self._firmware.perform(effect)


def _sooner(first, due) -> int:
    """The sooner of two deadlines; the second may be None."""
    return first if due is None or first < due else due
