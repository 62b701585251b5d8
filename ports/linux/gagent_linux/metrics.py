"""The status of a process as Prometheus reads it: text format 0.0.4, one family after the other."""

from collections.abc import Callable, Iterator
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# (labels besides `port`, value) of one family on one port.
_Samples = Iterator[tuple[dict[str, str], float]]


def build_page(status: dict[str, Any], utc: float) -> str:
    """The page for a status as `service` tells it; `utc` is now, for the time the process was started."""
    lines = _head("process_start_time_seconds", "gauge", "When the process was started, seconds since 1970.")
    lines.append("process_start_time_seconds %.2f" % (utc - status["up_s"]))
    for name, kind, text, read in _FAMILIES:
        lines += _head(name, kind, text)
        for port in status["ports"]:
            lines += [_sample(name, {"port": port["name"], **labels}, value) for labels, value in read(port)]
    return "\n".join(lines) + "\n"


def _one(key: str) -> Callable[[dict], _Samples]:
    return lambda port: iter([({}, float(port[key]))])


def _is(key: str, value: str) -> Callable[[dict], _Samples]:
    return lambda port: iter([({}, float(port[key] == value))])


def _table(key: str, label: str) -> Callable[[dict], _Samples]:
    return lambda port: (({label: name}, float(count)) for name, count in port[key].items())


def _of(table: str, key: str) -> Callable[[dict], _Samples]:
    return lambda port: iter([({}, float(port[table][key]))])


# Counts of the agent that have a family of their own; the others are events of the serial link.
_OWN_FAMILY = ("reports", "controls", "control_failures", "queue_peak")


def _link_events(port: dict) -> _Samples:
    return (({"event": name}, float(count)) for name, count in port["counts"].items() if name not in _OWN_FAMILY)


def _firmware(upgrade: dict) -> _Samples:
    if upgrade:
        labels = {key: str(upgrade[key]) for key in ("kind", "version", "state")}
        yield labels, float(upgrade["percent"])


_FAMILIES: tuple[tuple[str, str, str, Callable[[dict], _Samples]], ...] = (
    ("gagent_port_open", "gauge", "1 while the serial port is open.", _one("is_open")),
    ("gagent_mcu_ready", "gauge", "1 while the MCU answers.", _is("mcu", "ready")),
    ("gagent_cloud_online", "gauge", "1 while logged in to the cloud's broker.", _is("cloud", "online")),
    (
        "gagent_cloud_state",
        "gauge",
        "1, with the state of the cloud's side as a label.",
        lambda port: iter([({"state": port["cloud"]}, 1.0)]),
    ),
    ("gagent_apps_online", "gauge", "Apps that look at the device.", _one("app_count")),
    ("gagent_reports_total", "counter", "Reports of the MCU.", _of("counts", "reports")),
    ("gagent_controls_total", "counter", "Controls for the MCU.", _of("counts", "controls")),
    (
        "gagent_control_failures_total",
        "counter",
        "Controls that the MCU did not take.",
        _of("counts", "control_failures"),
    ),
    (
        "gagent_link_events_total",
        "counter",
        "Frames of the serial link: sent, sent again, given up, bad by reason.",
        _link_events,
    ),
    (
        "gagent_firmware_percent",
        "gauge",
        "How far the upgrade under way is, with what it is about as labels.",
        lambda port: _firmware(port["firmware"]),
    ),
    ("gagent_link_queue_peak", "gauge", "The most requests that waited for the MCU.", _of("counts", "queue_peak")),
    (
        "gagent_history_total",
        "counter",
        "How often the MCU, the login and the cloud came, failed and went.",
        _table("history", "event"),
    ),
    ("gagent_outbox_depth", "gauge", "Reports that wait for the cloud.", _of("outbox", "depth")),
    (
        "gagent_outbox_dropped_total",
        "counter",
        "Reports that were dropped, by reason.",
        lambda port: (({"reason": name}, float(count)) for name, count in port["outbox"]["dropped"].items()),
    ),
)


def _head(name: str, kind: str, text: str) -> list[str]:
    return ["# HELP %s %s" % (name, text), "# TYPE %s %s" % (name, kind)]


def _sample(name: str, labels: dict[str, str], value: float) -> str:
    shown = ",".join('%s="%s"' % (label, _escaped(text)) for label, text in labels.items())
    return "%s{%s} %s" % (name, shown, "%d" % value if value.is_integer() else repr(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
