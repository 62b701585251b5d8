"""The line of the simulator: a pseudo-terminal of its own, or any pyserial port or URL. One face for both.

    fileno() -> descriptor to wait on, None when the port has none     name -> where the module finds it
    read() -> the bytes that are there, b"" for none                   write(data)     close()

A line that breaks raises PortError from read or write; opening one that cannot be opened does so too.
"""

import contextlib
import errno
import io
import os
import pty
import tty

import serial

_READ_SIZE = 4096
# A line that takes nothing for so long is stuck: flow control, or the far end of a network port.
_WRITE_TIMEOUT_S = 5

_OPEN_HINTS = {
    errno.ENOENT: "there is no such device; is the adapter plugged in? `ls /dev/serial/by-id` lists them",
    errno.EACCES: "not allowed; add yourself to its group, often `sudo usermod -aG dialout $USER`, and log in again",
    errno.EPERM: "not allowed; add yourself to its group, often `sudo usermod -aG dialout $USER`, and log in again",
    errno.EBUSY: "another program has it open; `fuser -v PORT` tells which",
    errno.EAGAIN: "another program has it open; `fuser -v PORT` tells which",
    errno.ENOTTY: "that is no serial port",
    errno.ECONNREFUSED: "nobody listens there",
}


class PortError(Exception):
    """A port that cannot be used; the text says why and what to do."""


def open_port(where: str, baud: int, link: str | None = None) -> "PtyPort | SerialPort":
    """`pty` for a new pseudo-terminal, with a symlink at `link`; else a device path or URL of pyserial."""
    if where == "pty":
        return _open_pty(link)
    return _open_serial(where, baud)


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

    def close(self) -> None:
        if self._link is not None and os.path.islink(self._link) and os.readlink(self._link) == self.name:
            os.unlink(self._link)
        os.close(self._slave)
        os.close(self._master)


class SerialPort:
    """A port of pyserial."""

    def __init__(self, port: serial.SerialBase) -> None:
        self.name = port.name
        self._port = port

    def fileno(self) -> "int | None":
        try:
            return self._port.fileno()
        except (io.UnsupportedOperation, AttributeError):
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

    def close(self) -> None:
        self._port.close()


def _open_pty(link: str | None) -> PtyPort:
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


def _open_serial(where: str, baud: int) -> SerialPort:
    try:
        return SerialPort(
            serial.serial_for_url(where, baudrate=baud, timeout=0, write_timeout=_WRITE_TIMEOUT_S, exclusive=True)
        )
    except ValueError as e:
        raise PortError(
            "port %s: %s; expected pty, a path like /dev/ttyUSB0 or a URL of pyserial" % (where, e)
        ) from None
    except OSError as e:
        # pyserial hides some causes in the text only.
        cause = e.errno or next((n for n in _OPEN_HINTS if "Errno %d]" % n in str(e) or "(%d, " % n in str(e)), None)
        hint = _OPEN_HINTS.get(cause or 0, str(e))
        raise PortError("port %s cannot be opened: %s" % (where, hint.replace("PORT", where))) from None
