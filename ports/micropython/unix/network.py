"""`network` of the unix profile: a station whose air the test makes. For tests only.

GAGENT_AIR is the path of a file with a line for each network in reach, `ssid key`; without it every network is there.
The test changes the file, and the station loses its network or finds it again. GAGENT_MAC is the address, in hex.
"""

import os

STA_IF = 0
AP_IF = 1

STAT_IDLE = 0
STAT_CONNECTING = 1
STAT_WRONG_PASSWORD = 2
STAT_NO_AP_FOUND = 3
STAT_CONNECT_FAIL = 4
STAT_GOT_IP = 5

AUTH_OPEN = 0
AUTH_WPA_WPA2_PSK = 4

_MAC = "a0b1c2d3e4f5"


class WLAN:
    IF_STA = STA_IF
    IF_AP = AP_IF
    SEC_OPEN = AUTH_OPEN
    SEC_WPA_WPA2 = AUTH_WPA_WPA2_PSK
    PM_NONE = 0

    def __init__(self, interface=STA_IF):
        self._interface = interface
        self._active = False
        self._wanted = None
        self._settings = {}

    def active(self, on=None):
        if on is None:
            return self._active
        self._active = bool(on)
        return self._active

    def connect(self, ssid=None, key=None, **options):
        if ssid is not None:
            self._wanted = (ssid, key or "")

    def disconnect(self):
        self._wanted = None

    def isconnected(self):
        if self._interface == AP_IF:
            return False
        return self.status() == STAT_GOT_IP

    def status(self, what=None):
        if what == "rssi":
            return -60
        if not self._active or self._wanted is None:
            return STAT_IDLE
        air = _air()
        if air is None or self._wanted in air:
            return STAT_GOT_IP
        return STAT_WRONG_PASSWORD if self._wanted[0] in [ssid for ssid, key in air] else STAT_NO_AP_FOUND

    def config(self, what=None, **settings):
        if what == "mac":
            return bytes.fromhex(os.getenv("GAGENT_MAC") or _MAC)
        self._settings.update(settings)
        return self._settings.get(what)

    def ifconfig(self, addresses=None):
        # No DNS server: names of this machine are the resolver's business.
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "")

    def scan(self):
        return [(ssid.encode(), b"\0" * 6, 1, -60, 4, 0) for ssid, key in _air() or ()]


def hostname(name=None):
    return name or "gagent"


def country(code=None):
    return code or "XX"


def _air():
    """[(ssid, key)] in reach, None for everything."""
    path = os.getenv("GAGENT_AIR")
    if not path:
        return None
    with open(path) as file:
        return [tuple(line.strip().split(" ", 1)) for line in file if " " in line]
