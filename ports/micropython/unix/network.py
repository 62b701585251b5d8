"""`network` of the unix profile: a station whose air the test makes. For tests only.

GAGENT_AIR is the path of a file with a line for each network in reach, `ssid key`; without it every network is there.
The test changes the file, and the station loses its network or finds it again.
"""

import os

STA_IF = 0
AP_IF = 1


class WLAN:
    def __init__(self, interface):
        self._wanted = None

    def connect(self, ssid, key):
        self._wanted = "%s %s\n" % (ssid, key)

    def disconnect(self, is_active=False):
        self._wanted = None

    # Switched on or off, it is connected to nothing.
    active = disconnect

    def isconnected(self):
        path = os.getenv("GAGENT_AIR")
        if self._wanted is None or not path:
            return self._wanted is not None
        with open(path) as file:
            return self._wanted in file.readlines()

    def status(self, what=None):
        """The strength of the signal; otherwise nothing that calls for another attempt."""
        return -60 if what else 0

    def config(self, what=None, **settings):
        """The address, whatever is asked; what is said is kept for the test."""
        self._settings = settings
        return b"\xa0\xb1\xc2\xd3\xe4\xf5"

    def ifconfig(self, addresses=None):
        # No DNS server: names of this machine are the resolver's business.
        return "127.0.0.1", "255.0.0.0", "127.0.0.1", ""
