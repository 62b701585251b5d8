"""Finding, starting and ending the mosquitto program. It never outlives the cloud: the kernel ends it with us.

Every failure is a BrokerError that says what is missing or in the way.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from localcloud.broker import BrokerError

_PLUGIN = "mosquitto_dynamic_security.so"
_PLUGIN_DIRS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib")
# Debian keeps servers in sbin, which an ordinary user's PATH lacks.
_SYSTEM_DIRS = ("/usr/local/sbin", "/usr/sbin", "/opt/homebrew/sbin")
_INSTALL = "install it (Debian: apt-get install mosquitto) or use the embedded broker"

_START_TIMEOUT_S = 10
_STOP_TIMEOUT_S = 5
# A log line holds a topic at most, and a topic at most a packet.
_MAX_LINE = 0x40000
_PR_SET_PDEATHSIG = 1


def find_binary(folders: Sequence[str] = _SYSTEM_DIRS) -> str:
    """The path of mosquitto, from PATH or one of `folders`."""
    found = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), *folders]))
    if found is None:
        raise BrokerError("the program mosquitto is not on this machine: " + _INSTALL)
    return found


def find_plugin(folders: Sequence[str] = _PLUGIN_DIRS) -> Path:
    """The path of mosquitto's dynamic security plugin, in one of `folders` or one level below."""
    for folder in map(Path, folders):
        for found in (folder / _PLUGIN, *sorted(folder.glob("*/" + _PLUGIN))):
            if found.is_file():
                return found
    raise BrokerError(
        "mosquitto's plugin %s (version 2.0 and later) is not under %s: %s" % (_PLUGIN, ", ".join(folders), _INSTALL)
    )


def find_free_port(host: str) -> int:
    """A port nobody listens on at the moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
    return port


async def launch(binary: str, settings: Path) -> asyncio.subprocess.Process:
    """Start mosquitto; it listens when this returns."""
    process = await asyncio.create_subprocess_exec(
        binary,
        "-c",
        str(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_MAX_LINE,
        preexec_fn=_die_with_parent(),
    )
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            await _await_running(process)
    except TimeoutError:
        await end(process)
        raise BrokerError("mosquitto does not start within %d s" % _START_TIMEOUT_S) from None
    except BaseException:
        await end(process)
        raise
    return process


async def log_lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """What mosquitto says, until it ends."""
    if process.stdout is not None:
        async for line in process.stdout:
            yield line.decode(errors="replace").rstrip("\r\n")


async def end(process: asyncio.subprocess.Process) -> None:
    """Make mosquitto end, in peace if it can; harmless when it has ended."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _await_running(process: asyncio.subprocess.Process) -> None:
    problem = "it ended without a word"
    async for line in log_lines(process):
        if line.startswith("mosquitto version") and line.endswith("running"):
            return
        if line.startswith("Error"):
            problem = line
    if "in use" in problem:
        problem += " (stop what uses the port or choose another)"
    raise BrokerError("mosquitto does not start: " + problem)


def _die_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes mosquitto; only Linux has a way to say it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask_kernel
