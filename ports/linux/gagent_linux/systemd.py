"""What a service manager is told, over the datagram socket in $NOTIFY_SOCKET. systemd's manual: sd_notify, sd_watchdog.

Without the socket everything here does nothing. A service manager that does not listen is no reason to stop: what
cannot be sent is dropped.
"""

import os
import socket
import time
from collections.abc import Mapping

# Told three times in the time allowed, so that one late turn of the loop is no reason to be killed.
_BEATS = 3


class ServiceManager:
    """The service manager that `environ` names, if it names one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.beat_s = _beat(environ)

    def ready(self) -> None:
        """Started, or done with a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The settings are being read again; `ready` ends it."""
        self._send("RELOADING=1\nMONOTONIC_USEC=%d" % (time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))

    def stopping(self) -> None:
        """On the way out."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """A beat for the watchdog: everything makes progress."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            try:
                sock.sendto(message.encode(), self._address)
            except OSError:  # it is not there, or does not keep up
                pass


def _beat(environ: Mapping[str, str]) -> float | None:
    """Seconds between two beats for the watchdog; None when there is none, or it watches another process."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    pid = environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or int(microseconds) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 1e6 / _BEATS
