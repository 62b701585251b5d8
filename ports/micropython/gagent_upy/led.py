"""A status LED: on while the cloud is there, slow while it is not, fast while the device waits to be configured."""

from machine import Pin

from mcu_proto.const import const

from .uplink import READY
from .wifi import SOFTAP

_SLOW = const(1000)
_FAST = const(150)


class Led:
    """`pin` is its GPIO, high is on; `due` is when `turn` has something to do."""

    def __init__(self, pin, uplink, wifi):
        self._pin = Pin(pin, Pin.OUT)
        self._uplink = uplink
        self._wifi = wifi
        self._is_on = False
        self.due = 0

    def turn(self, now):
        """Show how things are."""
        if now < self.due:
            return
        self.due = now + (_FAST if self._wifi.state == SOFTAP else _SLOW)
        self._is_on = self._uplink.state == READY or not self._is_on
        self._pin.value(self._is_on)
