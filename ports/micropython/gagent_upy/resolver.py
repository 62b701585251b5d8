"""One name looked up in the DNS, without waiting. RFC 1035, 4.1.

`socket.getaddrinfo` stands still for seconds when the name server is silent: longer than an MCU waits for its ack and
than the watchdog waits for us. Survives: lost, late, foreign and garbled answers; the question is asked again every
second and a half, until the one who asks has no more patience.
"""

import os
import select
import socket

from mcu_proto.const import const

_ASK_AGAIN = const(1500)
_PORT = const(53)
_MAX_ANSWER = const(512)


class Lookup:
    """`server` is the name server's address; `due` is when to look here again."""

    def __init__(self, host, server, poll, now, port=_PORT):
        self._query = os.urandom(2) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + _name(host) + b"\x00\x01\x00\x01"
        self._server = socket.getaddrinfo(server, port)[0][-1]
        self._poll = poll
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        poll.register(self._socket, select.POLLIN)
        self.due = now

    def address(self, now) -> str:
        """The address, or "" when it is not known yet; OSError when there is no such name."""
        if now >= self.due:
            self.due = now + _ASK_AGAIN
            self._socket.sendto(self._query, self._server)
        try:
            data = self._socket.recv(_MAX_ANSWER)
        except OSError:
            return ""  # nothing came
        # Its own id and question are what tells an answer from anything else.
        if data[:2] != self._query[:2] or data[12 : len(self._query)] != self._query[12:]:
            return ""
        return _first_address(data, len(self._query))

    def close(self):
        """Ask no more."""
        self._poll.unregister(self._socket)
        self._socket.close()


def _name(host) -> bytes:
    out = b""
    for label in host.split("."):
        data = label.encode()
        if not 0 < len(data) < 64:
            raise OSError("'%s' is no host name" % host[:40])
        out += bytes((len(data),)) + data
    return out + b"\x00"


def _first_address(data, at) -> str:
    """The first address among the records from `at`."""
    count = data[6] << 8 | data[7]
    while count and at + 12 <= len(data):
        # A record's name is a pointer, or labels that may end in one.
        while data[at] and data[at] < 0xC0 and at + data[at] + 12 < len(data):
            at += 1 + data[at]
        at += 2 if data[at] >= 0xC0 else 1
        head = data[at : at + 10]
        if len(head) < 10:
            break
        size = head[8] << 8 | head[9]
        at += 10
        if head[:4] == b"\x00\x01\x00\x01" and size == 4 and at + 4 <= len(data):
            return "%d.%d.%d.%d" % (data[at], data[at + 1], data[at + 2], data[at + 3])
        at += size
        count -= 1
    raise OSError("the name server knows no address")
