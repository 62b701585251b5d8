"""The Unix socket over which a running process tells what it does: whoever connects gets one JSON text, then the end.

The socket is `control-PID.sock` in the state directory, mode 0600, so several processes may share a directory. One that
a killed process left behind is removed by whoever looks next. Nothing is read from a client, and one that does not take
its answer is dropped: it cannot hold up the agents.
"""

import asyncio
import contextlib
import glob
import json
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

_ANSWER_S = 5
# 64 ports take some 60 kB.
_MAX_ANSWER = 4 * 1024 * 1024
_PATTERN = "control-*.sock"


class ControlSocket:
    """Answers with `tell()` in the directory `state`."""

    def __init__(self, state: str, tell: Callable[[], dict[str, Any]]) -> None:
        self._state = state
        self._tell = tell
        self._name = "control-%d.sock" % os.getpid()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; OSError when the directory does not allow it."""
        os.makedirs(self._state, mode=0o700, exist_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(sock.fileno(), 0o600)  # before bind: at no time can another user connect
            # Under its name only when it listens: whoever finds one that does not takes it for a dead process's.
            unnamed = "." + self._name
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self._state, unnamed))  # of a dead process that had our number
            with _address(self._state, unnamed) as address:
                sock.bind(address)
            sock.listen()
            os.replace(os.path.join(self._state, unnamed), self._path())
            self._server = await asyncio.start_unix_server(self._answer, sock=sock)
        except OSError:
            sock.close()
            raise

    def close(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        with contextlib.suppress(OSError):
            os.unlink(self._path())

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                writer.write(json.dumps(self._tell()).encode())
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError):
            writer.transport.abort()

    def _path(self) -> str:
        return os.path.join(self._state, self._name)


class NotAllowed(Exception):
    """The state directory, or a socket in it, is another user's."""


def ask(state: str) -> list[dict[str, Any]]:
    """What each process that runs in the directory `state` tells; NotAllowed when it may not be asked."""
    try:
        os.listdir(state)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NotAllowed("%s: %s" % (state, error.strerror)) from error
    answers = [_ask_one(state, os.path.basename(path)) for path in sorted(glob.glob(os.path.join(state, _PATTERN)))]
    return [answer for answer in answers if answer is not None]


def _ask_one(state: str, name: str) -> dict[str, Any] | None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, _address(state, name) as address:
        sock.settimeout(_ANSWER_S)
        try:
            sock.connect(address)
            return _read(sock)
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(state, name))
            return None
        except PermissionError as error:
            raise NotAllowed("%s: %s" % (os.path.join(state, name), error.strerror)) from error
        except (OSError, ValueError):  # it ended while it answered, or hangs
            return None


def _read(sock: socket.socket) -> dict[str, Any]:
    data = b""
    while piece := sock.recv(65536):
        data += piece
        if len(data) > _MAX_ANSWER:
            raise ValueError("answer without an end")
    answer: dict[str, Any] = json.loads(data)
    return answer


@contextlib.contextmanager
def _address(state: str, name: str) -> Iterator[str]:
    # The address of a Unix socket has room for 107 bytes, and the path of a directory may be longer.
    directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield "/proc/self/fd/%d/%s" % (directory, name)
    finally:
        os.close(directory)
