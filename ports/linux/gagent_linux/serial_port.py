"""The serial port of one MCU, by path or by any URL of pyserial: 8 data bits, no parity, 1 stop. Serial manual, 1.

It survives everything short of being closed: a port that is not there yet, not allowed, or in use is waited for; a port
that goes away is opened again when it returns. Each trouble is told once, with what to do, not once per try. What is
written while the port is away is dropped: the link sends again.
"""

import asyncio
import errno
import grp
import os
import termios
from collections.abc import Callable
from typing import Any

from . import worker
from .log import PortLog
from .serial_line import Line, make_line, open_port

# A plugged-in adapter is noticed within a second, and looking costs nothing to speak of.
RETRY_S = 0.7


class SerialPort:
    """`on_open()` and `on_lost()` when the line comes and goes, `on_data(bytes)` for what the MCU sends."""

    def __init__(
        self,
        url: str,
        baud: int,
        on_open: Callable[[], None],
        on_data: Callable[[bytes], None],
        on_lost: Callable[[], None],
        log: PortLog,
        retry_s: float = RETRY_S,
    ) -> None:
        self._url = url
        self._baud = baud
        self._on_open = on_open
        self._on_data = on_data
        self._on_lost = on_lost
        self._log = log
        self._retry_s = retry_s
        self._line: Line | None = None
        self._closed_line: Line | None = None
        self._task: asyncio.Task | None = None
        # Why it is not open, as it was told last; "" while it is.
        self.trouble = ""

    def start(self) -> None:
        """Open the port, now or when it can be."""
        self._task = asyncio.get_running_loop().create_task(self._keep_open())

    def write(self, data: bytes) -> None:
        """Send `data` to the MCU; dropped while the port is away."""
        if self._line is not None and not self._line.write(data):
            self._log.warning("%s takes no more bytes: a frame was dropped (is flow control holding it?)", self._url)

    def pause(self) -> None:
        """Read no more from the MCU until `resume`, or until the port was opened anew."""
        if self._line is not None:
            self._line.pause()

    def resume(self) -> None:
        """Read on."""
        if self._line is not None:
            self._line.resume()

    def close(self) -> None:
        """Let go of the port for good."""
        if self._task is not None:
            self._task.cancel()
        if self._line is not None:
            self._line.close()
            self._closed_line, self._line = self._line, None

    async def released(self) -> None:
        """Wait until a port that was closed can be opened again."""
        if self._closed_line is not None:
            await worker.run(self._closed_line.join)

    def is_open(self) -> bool:
        return self._line is not None

    def is_looked_after(self) -> bool:
        """Whether the task that opens it again and again is alive."""
        return self._task is not None and not self._task.done()

    async def _keep_open(self) -> None:
        while True:
            try:
                port = await worker.run(open_port, self._url, self._baud, discard=_close)
            except (OSError, ValueError) as error:
                self._tell_trouble(explain(self._url, error))
            else:
                await self._until_gone(port)
            await asyncio.sleep(self._retry_s)

    async def _until_gone(self, port: Any) -> None:
        gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._line = make_line(port, self._on_data, gone.set_result)
        self._line.start()
        self.trouble = ""
        self._log.info("%s is open at %d baud", self._url, self._baud)
        self._on_open()
        reason = await gone
        self._line = None
        self._log.warning("%s is gone (%s): waiting for it to come back", self._url, reason)
        # Said already: that it is not there now is no news.
        self.trouble = _MISSING % self._url
        self._on_lost()

    def _tell_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            self._log.error("%s", trouble)
        self.trouble = trouble


_MISSING = "%s does not exist: plug the adapter in or correct `port`; waiting for it"


def explain(url: str, error: Exception) -> str:
    """One line for a port that cannot be opened: what is wrong and what to do."""
    number = error_number(error)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO):
        return _MISSING % url
    if number in (errno.EACCES, errno.EPERM):
        return "no permission to open %s: add this user to its group (sudo usermod -aG %s %s) and log in again" % (
            url,
            _group(url),
            os.environ.get("USER", "$USER"),
        )
    if number in (errno.EBUSY, errno.EAGAIN):
        return "%s is in use by %s: stop it; waiting for the port" % (url, holders(url) or "another program")
    if number in (errno.ENOTTY, errno.EINVAL, errno.EISDIR):
        return "%s is not a serial port: correct `port`" % url
    return "%s cannot be opened (%s): trying again" % (url, error)


def error_number(error: Exception) -> int | None:
    """The errno of a port that cannot be opened, if there is one."""
    if isinstance(error.__context__, termios.error):  # pyserial wraps it and loses the number
        return error.__context__.args[0]
    return error.errno if isinstance(error, OSError) else None


def _group(path: str) -> str:
    try:
        return grp.getgrgid(os.stat(path).st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"


def holders(path: str) -> str:
    """Name and pid of each program that has `path` open, as far as this user may see."""
    device = os.path.realpath(path)
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        try:
            links = [os.readlink(entry.path) for entry in os.scandir("/proc/%s/fd" % pid)]
            if device in links:
                with open("/proc/%s/comm" % pid) as file:
                    found.append("%s (pid %s)" % (file.read().strip(), pid))
        except OSError:  # another user's, or it ended meanwhile
            continue
    return " and ".join(found)


def _close(port: Any) -> None:
    port.close()
