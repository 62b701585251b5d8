"""The station side of the radio: which network, whether there is one, how strong. LAN notes, chapter 9.7.

    start ──┬─ a network is known ─▶ JOINING ─ joined ─▶ UP
            └─ none ─▶ SOFTAP          ▲  └─ 30 s: the other network; 2 min: the radio anew
                │  ▲                   └──────── lost ───┘
                │  └─ the MCU asks, from anywhere
                └─ configured, or 5 minutes: JOINING, or OFF when there is nothing to join

Two networks are kept: the one configured last, and the last one that was joined. A new one that turns out wrong does
not cut off a device that had a good one.
"""

import network

from gagent.status import signal_bits
from mcu_proto.const import const

from . import records
from .loading import let_go

_OFF = const(0)
_JOINING = const(1)
_UP = const(2)
SOFTAP = const(3)

_LOOK_EVERY = const(500)
_OTHER_AFTER = const(30000)
_ANEW_AFTER = const(120000)
# An appliance moves seldom: the level shown may be this old.
_SIGNAL_EVERY = const(60000)


class Wifi:
    """`on_change(up, percent)` hears of the link.

    `mac` is the station's address, by which the cloud knows the module; `ip` and `dns` ours and the name server's, ""
    without a link; `state` is SOFTAP while somebody may configure us; `due` is when `turn` has something to do.
    """

    def __init__(self, poll, settings, log, on_change):
        self._poll = poll
        self._form_port = settings.form_port
        self._password = settings.ap_password
        self._log = log
        self._on_change = on_change
        self._station = network.WLAN(network.STA_IF)
        self._station.active(True)
        self._is_asked = False
        self._onboarding = None
        self._signal_at = 0
        self._signal = None
        self.mac = self._station.config("mac").hex().upper()
        self.ip = self.dns = ""
        self.state = _OFF
        self.due = 0
        # current, last_good and given are [ssid, key]: configured last, joined last, and the settings' one.
        self._stored = records.load("networks")[0] or {}
        given = [settings.ssid, settings.key] if settings.ssid else None
        if given and given != self._stored.get("given"):
            self._store(given=given, current=given)

    def configure(self):
        """Offer a network of our own, from the next turn on, until one is named to join or five minutes are over."""
        self._is_asked = True
        self.due = 0

    def tell(self):
        """Let `on_change` hear once more how things are, in the next turn."""
        self._signal = None
        self.due = self._signal_at = 0

    def forget(self):
        """Know no network any more, and be configured at the next start: a factory reset."""
        self._store(current=None, last_good=None, softap=True)

    def turn(self, now):
        """Look how things are."""
        if self.due is None or (now < self.due and self.state != SOFTAP):
            return
        self.due = now + _LOOK_EVERY
        if self._is_asked:
            self._open_softap(now)
        elif self.state == SOFTAP:
            self._onboard(now)
            return
        elif self.state == _OFF:
            self._join(now)
        elif self._station.isconnected():
            self._on_joined(now)
        elif self.state == _UP:
            self._log.say("the Wi-Fi is gone")
            self._join(now)
            self._on_change(False, 0)
        elif now >= self._anew_at:
            # What the radio's firmware has got itself into is known to go away with this.
            self._station.active(False)
            self._station.active(True)
            self._join(now)
        elif now >= self._other_at:
            self._other_at = now + _OTHER_AFTER
            current = self._stored.get("current")
            other = self._stored.get("last_good") if self._target == current else current
            self._connect(other or self._target)
        elif self._station.status() < 0:
            # Some radios try again by themselves, this one (Pico W) does not.
            self._connect(self._target)

    def _join(self, now):
        stored = self._stored
        target = stored.get("current") or stored.get("last_good") or stored.get("given")
        self.ip = self.dns = ""
        if stored.get("softap") or not target:
            self.configure()
            return
        self.state = _JOINING
        self._other_at = now + _OTHER_AFTER
        self._anew_at = now + _ANEW_AFTER
        self._connect(target)

    def _connect(self, target):
        self._target = target
        self._log.say("joining Wi-Fi %s" % target[0])
        for call, arguments in ((self._station.disconnect, ()), (self._station.connect, target)):
            try:
                call(*arguments)
            except OSError:
                pass  # not connected, or busy with the attempt before; there will be another

    def _on_joined(self, now):
        percent = min(max(2 * (self._station.status("rssi") + 100), 1), 100)
        if self.state != _UP:
            self.state = _UP
            self.ip, _, _, self.dns = self._station.ifconfig()
            self._log.say("Wi-Fi %s is joined" % self._target[0])
            self._store(current=self._target, last_good=self._target)
        elif now < self._signal_at or signal_bits(percent) == self._signal:
            return
        self._signal = signal_bits(percent)
        self._signal_at = now + _SIGNAL_EVERY
        self._on_change(True, percent)

    def _open_softap(self, now):
        self._is_asked = False
        if self.state == SOFTAP:
            return
        was_up = self.state == _UP
        self.state = SOFTAP
        self.ip = self.dns = ""
        self._station.active(False)
        # A power cut in between ends here again.
        self._store(softap=True)
        if was_up:
            self._on_change(False, 0)
        # Needed once in the life of a device, if all goes well.
        from .onboarding import Onboarding, draw_password

        password = self._password or self._stored.get("ap_password")
        if not password:
            password = draw_password()
            self._store(ap_password=password)
        self._onboarding = Onboarding(self._poll, self._form_port, password, self.mac, now)
        self._log.say("SoftAP %s is open for configuration" % self._onboarding.ssid)

    def _onboard(self, now):
        found = self._onboarding.turn(now)
        if found is None:
            self.due = self._onboarding.due
            return
        self._onboarding = None
        let_go("gagent_upy.onboarding")
        self._station.active(True)
        self.state = _OFF
        self._store(softap=False, current=found or self._stored.get("current"))
        stored = self._stored
        if not (stored.get("current") or stored.get("last_good") or stored.get("given")):
            self._log.say("nobody named a network: no Wi-Fi until the next start")
            self.due = None
        else:
            self.due = now
        # Configuration is over, whatever comes of it.
        self._on_change(False, 0)

    def _store(self, **changes):
        """Keep these, if they are new."""
        before = dict(self._stored)
        self._stored.update(changes)
        if self._stored != before:
            records.save("networks", self._stored, self._log)
