"""A broker in a process of its own: mosquitto, as most people run one, or else the embedded one of the local cloud."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from errors import BenchError
from localcloud.broker import BrokerError
from localcloud.mosquitto_process import find_binary, find_free_port

KINDS = ("mosquitto", "embedded")
_HOST = "127.0.0.1"
_START_S = 20
_STOP_S = 5
_EMBEDDED = Path(__file__).with_name("embedded.py")


class Broker(NamedTuple):
    """Where it listens and how an app logs in; a module may come with any did."""

    kind: str
    name: str
    host: str
    port: int
    username: str | None
    password: str | None


def best_kind() -> str:
    """The one that tells most about the agent: mosquitto if it is installed."""
    try:
        find_binary()
    except BrokerError:
        return "embedded"
    return "mosquitto"


@contextmanager
def running_broker(kind: str, folder: Path, port: int | None = None) -> Iterator[Broker]:
    """It listens when this yields, on `port` or any that is free; its files go into `folder`."""
    port = port or find_free_port(_HOST)
    if kind == "mosquitto":
        process = _start([find_binary(), "-c", str(_write_settings(folder, port))])
    else:
        process = _start([sys.executable, str(_EMBEDDED), str(folder), str(port)])
    try:
        if kind == "mosquitto":
            _await_line(process, lambda line: line.endswith(" running"))
            yield Broker(kind, "mosquitto %s" % _mosquitto_version(), _HOST, port, None, None)
        else:
            login = json.loads(_await_line(process, lambda line: line.startswith("{")))
            yield Broker(kind, "embedded, amqtt %s" % metadata.version("amqtt"), _HOST, port, **login)
    finally:
        end(process)


def end(process: subprocess.Popen) -> None:
    """End a process of ours, in peace if it can."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _start(command: list[str]) -> subprocess.Popen:
    return subprocess.Popen(  # noqa: S603 - the command is ours
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _await_line(process: subprocess.Popen, is_wanted: Callable[[str], bool]) -> str:
    """The first line of the process that is wanted; BenchError when it ends, or is silent too long."""
    said = []
    too_long = threading.Timer(_START_S, process.kill)
    too_long.start()
    try:
        for line in process.stdout or ():
            said.append(line.strip())
            if is_wanted(said[-1]):
                return said[-1]
    finally:
        too_long.cancel()
    raise BenchError("the broker does not listen; it said: %s" % ("; ".join(said[-3:]) or "nothing"))


def _write_settings(folder: Path, port: int) -> Path:
    path = folder / "mosquitto.conf"
    lines = (
        # Started as root it would change to a user that may not be there; as anyone else it ignores this.
        "user root",
        "listener %d %s" % (port, _HOST),
        "allow_anonymous true",
        "persistence false",
        "set_tcp_nodelay true",
        # Nobody reads what it says once it listens.
        "connection_messages false",
        "log_dest stderr",
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _mosquitto_version() -> str:
    answer = subprocess.run([find_binary(), "-h"], capture_output=True, text=True)  # noqa: S603 - as above
    found = re.search(r"mosquitto version (\S+)", answer.stdout)
    return found.group(1) if found else "of unknown version"
