"""One TCP connection, plain or TLS, that never waits: resolve, connect, handshake, send and receive in small steps.

Survives: names that do not resolve, refusals, resets, a network that takes only a part of what is sent. Time is its
owner's: a peer that says nothing is given up by who waits for it.
"""

import errno
import select
import socket

from .loading import let_go

# A connection that is being opened says so in different words on different chips.
_OPENING = (errno.EALREADY, errno.EINPROGRESS, errno.ENOTCONN)


class Connection:
    """`network.dns` is the name server's address, "" where the platform resolves.

    `out` is what the network has not taken yet, `due` when to step though nothing came, and `reason` why the last
    connection was over.
    """

    def __init__(self, poll, network):
        self._poll = poll
        self._network = network
        self._socket = None
        self._lookup = None
        # As if opened to nowhere: an `open` that found no room must still come to its end.
        self._host = ""
        self._port = 0
        self._tls = None
        self._is_open = False
        self.out = b""
        self.due = None
        self.reason = ""

    def open(self, host, port, tls=None):
        """Begin, secured by `tls` if there is one; an open connection is closed first."""
        self.close()
        self._host = host
        self._port = port
        self._tls = tls
        self._is_open = False
        self.due = 0

    def write(self, data):
        """Send, as soon as the network takes it; troubles are told by the next step."""
        # Mostly nothing waits, and nothing is copied.
        self.out = self.out + data if self.out else data
        if self._socket is None or not self._is_open:
            return
        try:
            n = self._socket.write(self.out)
        except OSError:
            return
        if n:
            self.out = b"" if n == len(self.out) else self.out[n:]
        if self.out:
            self._poll.modify(self._socket, select.POLLIN | select.POLLOUT)

    def step(self, buf, now) -> int:
        """Go on; how many bytes came into `buf`, or -1: the connection is over, for `reason`."""
        try:
            if self._socket is None and not self._connect(now):
                return 0
            if self._tls is not None:
                sock = self._tls.secured(self._socket, self._host, self._poll)
                if sock is None:
                    return 0
                self._socket = sock
                self._tls = None
            return self._exchange(buf)
        # ValueError: a certificate that is not right.
        except (OSError, ValueError) as error:
            what = error.args[-1]
            if not self._is_open and what in _OPENING:
                return 0
            if isinstance(what, int):
                what = getattr(errno, "errorcode", {}).get(what, "error %d" % what)
            self.close()
            self.reason = "%s:%d: %s" % (self._host, self._port, what.strip())
            return -1

    def close(self):
        """Let go of everything; harmless when there is nothing."""
        if self._lookup is not None:
            self._lookup.close()
            self._lookup = None
        if self._socket is not None:
            self._poll.unregister(self._socket)
            self._socket.close()
            self._socket = None
        self.out = b""
        self.due = None

    def _connect(self, now) -> bool:
        address = self._host
        if self._network.dns and not address.replace(".", "").isdigit():
            if self._lookup is None:
                from .resolver import Lookup

                self._lookup = Lookup(address, self._network.dns, self._poll, now)
            address = self._lookup.address(now)
            self.due = self._lookup.due
            if not address:
                return False
            self._lookup.close()
            self._lookup = None
            let_go("gagent_upy.resolver")
        self.due = None
        target = socket.getaddrinfo(address, self._port)[0][-1]
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._poll.register(self._socket, select.POLLIN | select.POLLOUT)
        self._socket.connect(target)
        return True

    def _exchange(self, buf) -> int:
        if self.out:
            n = self._socket.write(self.out)
            if n:
                self._is_open = True
                self.out = self.out[n:]
                if not self.out:
                    self._poll.modify(self._socket, select.POLLIN)
        n = self._socket.readinto(buf)
        if n is None:
            return 0
        self._is_open = True
        if n == 0:
            raise OSError("closed by the other side")
        return n
