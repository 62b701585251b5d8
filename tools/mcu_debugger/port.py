"""A serial line: a pseudo-terminal of its own, or any pyserial port or URL. One face for both.

    fileno() -> descriptor to wait on, None when the port has none     name -> where the other end finds it
    read() -> the bytes that are there, b"" for none                   write(data)     close()     reopen()

A line that breaks raises PortError from read or write; opening one that cannot be opened does so too, and says what to
do: which ports there are, which group to join.
"""

import contextlib
import errno
import io
import os
from collections.abc import Iterable, Sequence
from typing import Protocol

import serial
from serial.tools import list_ports

try:
    import grp
    import pty
    import tty
except ImportError:
    # Windows has neither pseudo-terminals nor groups.
    grp = pty = tty = None  # type: ignore[assignment]

_READ_SIZE = 65536
# A line that takes nothing for so long is stuck: flow control, or the far end of a network port.
_WRITE_TIMEOUT_S = 5

_OPEN_HINTS = {
    errno.EBUSY: "another program has it open; `fuser -v PORT` tells which",
    errno.EAGAIN: "another program has it open; `fuser -v PORT` tells which",
    errno.ENOTTY: "that is no serial port",
    errno.ECONNREFUSED: "nobody listens there",
}
_FORBIDDEN = (errno.EACCES, errno.EPERM)
# What owns serial ports where the file itself does not tell.
_USUAL_GROUP = "dialout"


class Port(Protocol):
    """What every line can do."""

    name: str

    def fileno(self) -> "int | None": ...

    def read(self) -> bytes: ...

    def write(self, data: bytes) -> None: ...

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class PortError(Exception):
    """A port that cannot be used; the text says why and what to do."""


def open_port(where: str, baud: int, link: str | None = None, framing: str = "8N1") -> "PtyPort | SerialPort":
    """`pty` for a new pseudo-terminal, with a symlink at `link`; else a device path or URL of pyserial."""
    if where == "pty":
        return _open_pty(link)
    port = SerialPort(where, baud, framing)
    port.reopen()
    return port


class PtyPort:
    """The master side; the slave is held open so that a module may come and go."""

    def __init__(self, master: int, slave: int, link: str | None) -> None:
        self.name = os.ttyname(slave)
        self._master = master
        self._slave = slave
        self._link = link

    def fileno(self) -> int:
        return self._master

    def read(self) -> bytes:
        try:
            return os.read(self._master, _READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError as e:
            raise PortError("the line %s is lost: %s" % (self.name, e.strerror)) from None

    def write(self, data: bytes) -> None:
        # Full means that nobody reads: the bytes fall on the floor, as on a line with nothing plugged in.
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, data)

    def reopen(self) -> None:
        """It is never lost."""

    def close(self) -> None:
        if self._link is not None and os.path.islink(self._link) and os.readlink(self._link) == self.name:
            os.unlink(self._link)
        os.close(self._slave)
        os.close(self._master)


class SerialPort:
    """A port of pyserial; `reopen` opens it, the first time and when it was lost."""

    def __init__(self, where: str, baud: int, framing: str) -> None:
        self.name = where
        self._where = where
        self._settings = {
            "baudrate": baud,
            "bytesize": int(framing[0]),
            "parity": framing[1],
            "stopbits": int(framing[2]),
        }
        self._port: serial.SerialBase = None

    def fileno(self) -> "int | None":
        try:
            return self._port.fileno()
        except (io.UnsupportedOperation, AttributeError, serial.PortNotOpenError):
            return None

    def read(self) -> bytes:
        try:
            return self._port.read(_READ_SIZE)
        except OSError as e:
            raise PortError("the line %s is lost: %s" % (self.name, e)) from None

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as e:
            raise PortError("the line %s is lost: %s" % (self.name, e)) from None

    def set_speed(self, baud: int, framing: str) -> None:
        """Another speed and framing, at once."""
        self._port.baudrate = baud
        self._port.bytesize = int(framing[0])
        self._port.parity = framing[1]
        self._port.stopbits = int(framing[2])

    def reopen(self) -> None:
        try:
            self._port = serial.serial_for_url(
                self._where, timeout=0, write_timeout=_WRITE_TIMEOUT_S, exclusive=True, **self._settings
            )
            self.name = self._port.name
        except ValueError as e:
            raise PortError(
                "port %s: %s; expected pty, a path like /dev/ttyUSB0 or a URL of pyserial" % (self._where, e)
            ) from None
        except OSError as e:
            raise PortError("port %s cannot be opened: %s" % (self._where, _open_hint(self._where, e))) from None

    def close(self) -> None:
        if self._port is not None:
            with contextlib.suppress(OSError):
                self._port.close()


def port_lines(found: Iterable) -> Sequence[str]:
    """A line for every port of this machine (pyserial's ListPortInfo): its path and what is plugged in there."""
    ports = sorted(found, key=lambda port: port.device)
    width = max((len(port.device) for port in ports), default=0)
    return ["%s  %s" % (port.device.ljust(width), _description(port)) for port in ports]


def group_of(path: str) -> str:
    """The group that may use the port."""
    try:
        name = grp.getgrgid(os.stat(path).st_gid).gr_name
    except (OSError, KeyError, AttributeError):
        return _USUAL_GROUP
    # Nobody is to be told to join root.
    return _USUAL_GROUP if name == "root" else name


def _description(port: object) -> str:
    words = [getattr(port, "description", "") or "", getattr(port, "hwid", "") or ""]
    return ", ".join(word for word in words if word and word != "n/a") or "no description"


def _open_hint(where: str, error: OSError) -> str:
    # pyserial hides some causes in the text only.
    known = [*_OPEN_HINTS, *_FORBIDDEN, errno.ENOENT]
    cause = error.errno or next((n for n in known if "Errno %d]" % n in str(error) or "(%d, " % n in str(error)), 0)
    if cause in _FORBIDDEN:
        return "not allowed; join its group with `sudo usermod -aG %s $USER`, then log in again" % group_of(where)
    if cause == errno.ENOENT:
        found = port_lines(list_ports.comports())
        if not found:
            return "there is no such device; is the adapter plugged in? No other serial port is there either"
        return "there is no such device; is the adapter plugged in? These ports are there:\n  " + "\n  ".join(found)
    return _OPEN_HINTS.get(cause, str(error)).replace("PORT", where)


def _open_pty(link: str | None) -> PtyPort:
    if pty is None:
        raise PortError("port pty: this system has no pseudo-terminals; name a real port, or a pair of virtual ones")
    master, slave = pty.openpty()
    # No echo, no line editing: bytes as they are.
    tty.setraw(slave)
    os.set_blocking(master, False)
    port = PtyPort(master, slave, link)
    if link is None:
        return port
    try:
        _make_link(port.name, link)
    except OSError as e:
        port.close()
        raise PortError("link %s cannot be made: %s; name a path that is free" % (link, e.strerror)) from None
    return port


def _make_link(target: str, link: str) -> None:
    # A link may be left over from a run that was killed; anything else is somebody's file.
    if os.path.islink(link):
        os.unlink(link)
    os.symlink(target, link)
