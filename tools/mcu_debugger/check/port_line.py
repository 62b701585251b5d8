"""A real port as the line of a bench."""

import select
import time

from ..port import PtyPort, SerialPort

# A port without a descriptor (an RFC 2217 server) is looked at this often.
_POLL_S = 0.005


class PortLine:
    """Milliseconds count from when it is made."""

    def __init__(self, port: PtyPort | SerialPort) -> None:
        self._port = port
        self._begin = time.monotonic()

    def now(self) -> int:
        return int((time.monotonic() - self._begin) * 1000)

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def read(self, until: int) -> bytes:
        """The bytes that came; b"" when `until` has come first."""
        descriptor = self._port.fileno()
        while True:
            wait = max(0.0, until / 1000 - (time.monotonic() - self._begin))
            if descriptor is not None:
                ready, _, _ = select.select([descriptor], [], [], wait)
                return self._port.read() if ready else b""
            data = self._port.read()
            if data or not wait:
                return data
            time.sleep(min(wait, _POLL_S))
