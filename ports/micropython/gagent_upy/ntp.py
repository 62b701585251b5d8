"""The time from a time server: for the MCU that asks, and for certificates that have dates. RFC 4330, a simple client.

Loaded only where the settings name a server; otherwise the agent takes the time from the cloud's answers. Survives:
lost, late and foreign answers; asked again after a minute, and every six hours once it is known.
"""

import select
import socket
import time

import machine

from mcu_proto.const import const

_PORT = const(123)
_AGAIN = const(60000)
_LOOK_AGAIN = const(1000)
_KNOWN = const(21600000)
# From 1900, where the protocol begins, to 1970.
_TO_1970 = 2208988800
# Before this an answer is nonsense: 2024-01-01.
_PLAUSIBLE = 1704067200
# Client, version 4.
_QUERY = b"\x23" + bytes(47)


class Ntp:
    """`feed(agent.set_utc, seconds since 1970)` when a server answered; the chip's clock is set as well.

    `due` is when `turn` has something to do though nothing came.
    """

    def __init__(self, poll, network, host, feed, agent, port=_PORT):
        self._poll = poll
        self._network = network
        self._host = host
        self._port = port
        self._feed = feed
        self._agent = agent
        self._lookup = None
        self._socket = None
        self.due = 0

    def turn(self, now):
        """Ask when it is due, take an answer that came."""
        try:
            if self._socket is not None:
                self._receive(now)
            if now >= self.due or self._lookup is not None:
                self._ask(now)
        except OSError:
            self._end(now + _AGAIN)

    def _ask(self, now):
        address = self._host
        if not self._network.ip:
            self._end(now + _LOOK_AGAIN)
            return
        if self._network.dns:
            if self._lookup is None:
                from .resolver import Lookup

                self._end(now)
                self._lookup = Lookup(address, self._network.dns, self._poll, now)
                self._patience = now + _AGAIN
            address = self._lookup.address(now)
            if not address:
                self.due = self._lookup.due
                if now >= self._patience:
                    self._end(now + _AGAIN)
                return
        server = socket.getaddrinfo(address, self._port)[0][-1]
        self._end(now + _AGAIN)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._poll.register(self._socket, select.POLLIN)
        self._socket.sendto(_QUERY, server)

    def _receive(self, now):
        try:
            data = self._socket.recv(64)
        except OSError:
            return  # nothing came
        # A server's answer, from one that knows the time itself.
        if len(data) < 48 or data[0] & 7 != 4 or not 0 < data[1] < 16:
            return
        utc = int.from_bytes(data[40:44], "big") - _TO_1970
        if utc < _PLAUSIBLE:
            return
        self._end(now + _KNOWN)
        self._feed(self._agent.set_utc, utc)
        # A chip's years begin in 1970 or in 2000.
        epoch = 0 if time.gmtime(0)[0] == 1970 else 946684800
        t = time.gmtime(utc - epoch)
        machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))

    def _end(self, due):
        self.due = due
        if self._lookup is not None:
            self._lookup.close()
            self._lookup = None
        if self._socket is not None:
            self._poll.unregister(self._socket)
            self._socket.close()
            self._socket = None
