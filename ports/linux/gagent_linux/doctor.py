"""`gagent doctor`: which layer fails, from the serial node to the cloud's topics, and what to do about it.

Two halves, the line and the cloud, each ends at the first failure that makes the rest meaningless. A port that a
running process serves is not touched: that process is asked.
"""

import os
from collections.abc import Iterator
from typing import Any

from .cloud_checks import CloudChecks
from .control_socket import NotAllowed, ask
from .finding import Finding
from .line_checks import LineChecks
from .settings import PortSettings, Settings
from .status import duration
from .storage import IdentityFile, StorageError


def examine(settings: Settings, port: PortSettings, definition: str = "") -> Iterator[Finding]:
    """Every finding about `port`."""
    try:
        served, pid = _served(settings.state, port.port)
    except NotAllowed as error:
        yield Finding("state", str(error), "run this as root, or as the user that runs gagent")
        return
    secret = ""
    if served is not None:
        yield from _ask_process(served, pid)
    else:
        line = LineChecks(port, definition or port.product)
        yield from line.run()
        secret = (line.info.product_secret or "") if line.info else ""
    if port.uplink == "none":
        return
    try:
        record = IdentityFile(settings.state, port.name).load()
    except StorageError as error:
        yield Finding("identity", *str(error).rsplit(": ", 1))
        return
    yield from CloudChecks(settings, record, secret).run(with_login=served is None)


def _served(state: str, path: str) -> tuple[dict[str, Any] | None, int]:
    """(status, pid) of the running process that has the serial port."""
    for process in ask(state):
        for port in process["ports"]:
            if os.path.realpath(port["port"]) == os.path.realpath(path):
                return port, process["pid"]
    return None, 0


def _ask_process(port: dict[str, Any], pid: int) -> Iterator[Finding]:
    who = "gagent, process %d" % pid
    if not port["is_open"]:
        seen, _, fix = (port["trouble"] or "it is being opened: look again").partition(": ")
        yield Finding("node", "%s serves this port, and says: %s" % (who, seen), fix)
        return
    yield Finding("busy", "%s has it open: these are its findings" % who)
    counts = port["counts"]
    bad = sum(count for name, count in counts.items() if name.startswith("bad_"))
    if port["mcu"] != "ready":
        seen = "the MCU has not answered for %s" % duration(port["mcu_since_s"])
        if bad:
            yield Finding("baud", "%s, and %d damaged frames came" % (seen, bad), "check baud, then the cable")
        else:
            yield Finding("silence", seen, "stop that process and run this again: it then tries every speed")
        return
    yield Finding("checksum", "%d damaged frames since its start" % bad)
    yield Finding("handshake", "done %s ago, product key %s" % (duration(port["mcu_since_s"]), port["product_key"]))
    if port["cloud"] == "online":
        yield Finding("login", "on line for %s, did %s" % (duration(port["cloud_since_s"]), port["did"]))
