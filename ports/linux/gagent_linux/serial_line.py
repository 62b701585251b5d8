"""A serial line that is open: bytes out, bytes in, and its end told once. `serial_port` opens it again and again.

Two kinds. A device of this machine and `socket://` have a file descriptor and the event loop watches it. The other URLs
of pyserial (`rfc2217://`, `loop://`, `spy://`...) get two threads that only carry bytes. Both: writing never blocks the
loop and never keeps more than MAX_UNSENT bytes; after `close` nothing is told any more.
"""

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

import serial

# Four seconds of a 9600 baud line are 4 kB; what waits longer than this is stale, and the link sends it again anyhow.
MAX_UNSENT = 16384
_READ_SIZE = 4096
# How long a thread's read may keep a closed line from going away.
_THREAD_TIMEOUT_S = 0.2


class Line(Protocol):
    """What `serial_port` needs of a line."""

    def start(self) -> None: ...

    def write(self, data: bytes) -> bool: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self) -> None: ...

    def join(self) -> None: ...


def open_port(url: str, baud: int) -> Any:
    """The open port of pyserial at `url`. It may block, and raises OSError or ValueError."""
    return serial.serial_for_url(url, baudrate=baud, exclusive=True, timeout=_THREAD_TIMEOUT_S)


def make_line(port: Any, on_data: Callable[[bytes], None], on_gone: Callable[[str], None]) -> Line:
    """The line on an open port: `on_data(bytes)` for what comes, `on_gone(reason)` once when it ends."""
    # Not isinstance: `spy://` is a Serial too, and sees nothing of what goes past its own methods.
    has_descriptor = type(port) is serial.Serial or port.port.startswith("socket://")
    kind: type[DescriptorLine] | type[ThreadedLine] = DescriptorLine if has_descriptor else ThreadedLine
    return kind(port, on_data, on_gone)


class DescriptorLine:
    """A line whose descriptor the loop watches. Its descriptor is non-blocking: pyserial opens it so."""

    def __init__(self, port: Any, on_data: Callable[[bytes], None], on_gone: Callable[[str], None]) -> None:
        self._port = port
        self._on_data = on_data
        self._on_gone = on_gone
        self._unsent = bytearray()
        self._loop = asyncio.get_running_loop()
        # Closing waits: a tty until its output has left, a socket of pyserial for a fixed time.
        self._closing = threading.Thread(target=port.close, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._loop.add_reader(self._port.fileno(), self._read)

    def write(self, data: bytes) -> bool:
        """Whether `data` was taken; what does not fit is refused as a whole."""
        if len(self._unsent) + len(data) > MAX_UNSENT:
            return False
        if self._unsent:
            self._unsent += data
            return True
        sent = self._send(data)
        if sent < len(data) and self._port is not None:
            self._unsent += data[sent:]
            self._loop.add_writer(self._port.fileno(), self._write_more)
        return True

    def pause(self) -> None:
        """Read no more until `resume`: what comes waits in the driver, and the sender when that is full."""
        if self._port is not None:
            self._loop.remove_reader(self._port.fileno())

    def resume(self) -> None:
        """Read on."""
        if self._port is not None:
            self._loop.add_reader(self._port.fileno(), self._read)

    def close(self) -> None:
        """Let go of the port."""
        if self._port is None:
            return
        self._loop.remove_reader(self._port.fileno())
        self._loop.remove_writer(self._port.fileno())
        self._port = None
        self._closing.start()

    def join(self) -> None:
        """Block until a closed port is really free."""
        self._closing.join()

    def _read(self) -> None:
        try:
            data = os.read(self._port.fileno(), _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(str(error))
            return
        if not data:
            # A device that was pulled out is readable and has nothing to read.
            self._end("unplugged, or what is behind it ended")
            return
        self._on_data(data)

    def _write_more(self) -> None:
        sent = self._send(self._unsent)
        self._unsent = self._unsent[sent:]
        if not self._unsent and self._port is not None:
            self._loop.remove_writer(self._port.fileno())

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._port.fileno(), data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            # Not at once: whoever writes is in the middle of performing effects.
            self._loop.call_soon(self._end, str(error))
            return len(data)

    def _end(self, reason: str) -> None:
        if self._port is None:
            return
        self.close()
        self._on_gone(reason)


class ThreadedLine:
    """A line without a descriptor: one thread reads, one writes, neither knows more than bytes."""

    def __init__(self, port: Any, on_data: Callable[[bytes], None], on_gone: Callable[[str], None]) -> None:
        self._port = port
        self._on_data = on_data
        self._on_gone = on_gone
        self._closed = False
        self._unsent = 0
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._may_read = threading.Event()
        self._may_read.set()
        self._reader = threading.Thread(target=self._read_all, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._reader.start()
        threading.Thread(target=self._write_all, daemon=True).start()

    def write(self, data: bytes) -> bool:
        """Whether `data` was taken; what does not fit is refused as a whole."""
        if self._unsent + len(data) > MAX_UNSENT:
            return False
        self._unsent += len(data)
        self._outgoing.put(bytes(data))
        return True

    def pause(self) -> None:
        """Read no more until `resume`, but for what is being read."""
        self._may_read.clear()

    def resume(self) -> None:
        """Read on."""
        self._may_read.set()

    def close(self) -> None:
        """Let go of the port; the threads close it when they notice, within the time of one read."""
        self._closed = True
        self._may_read.set()
        self._outgoing.put(None)

    def join(self) -> None:
        """Block until a closed port is really free."""
        self._reader.join()

    # In the threads.

    def _read_all(self) -> None:
        reason = "closed"
        try:
            while not self._closed:
                self._may_read.wait()
                data = self._port.read(1)
                if data:
                    data += self._port.read(min(self._port.in_waiting, _READ_SIZE))
                    self._tell(self._received, data)
        except (OSError, ValueError) as error:
            reason = str(error)
        self._tell(self._end, reason)
        try:
            self._port.close()
        except OSError:  # the far end is gone: there is nothing left to close
            pass

    def _write_all(self) -> None:
        while True:
            data = self._outgoing.get()
            if data is None:
                return
            try:
                self._port.write(data)
            except (OSError, ValueError) as error:
                self._tell(self._end, str(error))
                return
            self._tell(self._sent, len(data))

    def _tell(self, method: Callable, argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(method, argument)
        except RuntimeError:  # the loop is closed: the process is stopping
            pass

    # In the loop.

    def _received(self, data: bytes) -> None:
        if not self._closed:
            self._on_data(data)

    def _sent(self, count: int) -> None:
        self._unsent -= count

    def _end(self, reason: str) -> None:
        if self._closed:
            return
        self.close()
        self._on_gone(reason)
