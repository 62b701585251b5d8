"""`gagent status`: what the running processes say of their ports, as a table for people or as JSON."""

from typing import Any

ALL_ONLINE = 0
NOT_ALL_ONLINE = 1
NO_PROCESS = 2

_HEADS = ("PORT", "SERIAL", "MCU", "CLOUD", "DID", "REPORTS", "CONTROLS", "FAILED", "OUTBOX")
_GAP = "  "


def exit_code(processes: list[dict[str, Any]]) -> int:
    """0 when every port of every process is on line, 1 when one is not, 2 when there is no process."""
    if not processes:
        return NO_PROCESS
    good = all(is_good(port) for process in processes for port in process["ports"])
    return ALL_ONLINE if good else NOT_ALL_ONLINE


def is_good(port: dict[str, Any]) -> bool:
    """Whether a port does all it is there for."""
    return bool(port["mcu"] == "ready" and (port["cloud"] == "online" or port["uplink"] == "none"))


def describe(process: dict[str, Any]) -> str:
    """The status of one process for a person."""
    rows: list[tuple[str, ...]] = [_HEADS]
    troubles = {}
    upgrades = {}
    for port in process["ports"]:
        rows.append(_row(port))
        if port["trouble"]:
            troubles[port["name"]] = port["trouble"]
        if port["firmware"]:
            upgrades[port["name"]] = _upgrade(port["firmware"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = ["process %d, up %s" % (process["pid"], duration(process["up_s"]))]
    lines += [_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["%s: %s" % item for item in [*troubles.items(), *upgrades.items()]]
    return "\n".join(lines)


def _upgrade(firmware: dict[str, Any]) -> str:
    what = "firmware %s of the %s" % (firmware["version"], firmware["kind"])
    if firmware["state"] != "idle":
        return "%s: %s, %d %%" % (what, firmware["state"], firmware["percent"])
    return "%s: not taken: %s" % (what, firmware["failed"]) if firmware["failed"] else "%s: done" % what


def duration(seconds: float) -> str:
    """A time in its two largest units."""
    left = int(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append("%d %s" % (count, unit))
    return " ".join(parts[:2])


def _row(port: dict[str, Any]) -> tuple[str, ...]:
    counts, outbox = port["counts"], port["outbox"]
    dropped = sum(outbox["dropped"].values())
    return (
        port["name"],
        port["port"],
        "%s %s" % (port["mcu"], duration(port["mcu_since_s"])),
        "%s %s" % (port["cloud"], duration(port["cloud_since_s"])),
        port["did"] or "-",
        "%d" % counts["reports"],
        "%d" % counts["controls"],
        "%d" % counts["control_failures"],
        "%d" % outbox["depth"] + (" (%d dropped)" % dropped if dropped else ""),
    )
