"""What a service manager hears: the far end of $NOTIFY_SOCKET."""

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator

from .patience import PATIENCE_S


class NotifySocket:
    """`environ` belongs into the environment of the service; `heard` has each message so far, in order."""

    def __init__(self, sock: socket.socket, address: str) -> None:
        self._socket = sock
        self.environ = {"NOTIFY_SOCKET": address}
        self.heard: list[str] = []

    async def next(self) -> str:
        """The next message."""
        async with asyncio.timeout(PATIENCE_S):
            message = (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode()
        self.heard.append(message)
        return message

    def forget(self) -> None:
        """Only what is sent from here on."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(4096)
        self.heard.clear()

    async def hears(self, beginning: str) -> str:
        """The next message that begins so."""
        while not (message := await self.next()).startswith(beginning):
            pass
        return message


@contextlib.contextmanager
def notify_socket(is_abstract: bool = False) -> Iterator[NotifySocket]:
    """A service manager that listens. Its folder has a short name: an address has room for 107 bytes."""
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind("\0" + path if is_abstract else path)
        try:
            yield NotifySocket(sock, "@" + path if is_abstract else path)
        finally:
            shutil.rmtree(folder)
