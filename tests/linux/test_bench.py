"""The bench runs and prints every figure. What the figures are is not a test's business."""

import json
import subprocess
import sys

import pytest
from testkit.patience import PATIENCE_S
from testkit.repository import ROOT

BENCH = ROOT / "tools" / "bench" / "bench.py"

CODEC = [
    *("decode frames, payload %d, reads of %d" % (size, read) for size in (8, 46, 512) for read in (64, 4096)),
    *("decode frames, payload %d, 10 %% noise" % size for size in (8, 46, 512)),
    *("encode frames, payload %d" % size for size in (8, 46, 512)),
    "decode reports, 22 attributes",
    "encode reports, 22 attributes",
    "encode controls, 9 attributes",
]
LATENCY = [
    *(
        "%s, %s" % (what, share)
        for what in (
            "broker alone, publish to subscriber",
            "report, last serial byte to subscriber",
            "control, publish to last serial byte",
            "control, publish to its ack at the app",
        )
        for share in ("p50", "p99")
    ),
    "CPU time of a report",
]
DURABILITY = [
    'durability "%s", report %s, p50' % (setting, way)
    for way in ("to subscriber", "to its ack")
    for setting in ("offline", "always")
]
RATE = [
    "one port, highest report rate kept",
    "one port, 100 reports/s offered, taken",
    "one port, 100 reports/s offered, longest wait",
    "one port, lost at all rates",
]
BURST = ["80 reports in one write, arrived", "50 controls back to back, at the MCU"]
PORTS = ["3 ports, 6 reports/s each, CPU", "3 ports, 6 reports/s each, lost"]
OUTAGE = ["broker away 0.1 s, online after its return"]
STARTUP = ["bare Python, start to end", "start to first serial byte", "cold start to online", "warm start to online"]
FOOTPRINT = [
    *(
        "%s, %s" % (what, kind)
        for what in ("bare Python", "one port", "2 ports", "each further port")
        for kind in ("resident (RSS)", "proportional (Pss)")
    ),
    "CPU, idle, online, one port",
]


def bench(*arguments):
    command = [sys.executable, str(BENCH), "--quick", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10 * PATIENCE_S)


def figures_of(output):
    """Name -> the cells of its row, from the printed table."""
    rows = [line.split("  ") for line in output.split("\n\n", 1)[1].splitlines()[2:]]
    return {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}


@pytest.mark.mosquitto
def test_every_figure_is_printed_below_the_name_of_the_machine(tmp_path):
    result = bench("--json", str(tmp_path / "figures.json"))
    assert result.returncode == 0, result.stderr
    printed = figures_of(result.stdout)
    assert sorted(printed) == sorted(CODEC + LATENCY + DURABILITY + RATE + BURST + PORTS + OUTAGE + STARTUP + FOOTPRINT)
    assert all(len(cells) >= 3 for cells in printed.values()), result.stdout
    about = dict(line.split(maxsplit=1) for line in result.stdout.split("\n\n", 1)[0].splitlines())
    assert list(about) == ["machine", "cpu", "system", "python", "load", "date", "broker"]
    assert about["broker"].startswith("mosquitto ")
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["about"] == about
    assert [figure["name"] for figure in written["figures"]] == list(printed)
    assert all(len(figure["values"]) == 1 for figure in written["figures"])


@pytest.mark.mosquitto
def test_nothing_is_lost_in_a_burst_or_under_load():
    result = bench(*(part for stage in ("rate", "burst", "ports") for part in ("--stage", stage)))
    assert result.returncode == 0, result.stderr
    medians = {name: cells[0] for name, cells in figures_of(result.stdout).items()}
    assert sorted(medians) == sorted(RATE + BURST + PORTS)
    assert [medians[name] for name in BURST] == ["80", "50"]
    assert [medians[name] for name in medians if name.endswith("lost") or "lost at" in name] == ["0", "0"]


def test_a_broker_that_is_ended_and_started_again_may_be_the_embedded_one():
    result = bench("--stage", "outage", "--broker", "embedded")
    assert result.returncode == 0, result.stderr
    assert sorted(figures_of(result.stdout)) == OUTAGE


def test_without_mosquitto_the_embedded_broker_is_measured():
    result = bench("--stage", "latency", "--broker", "embedded")
    assert result.returncode == 0, result.stderr
    assert sorted(figures_of(result.stdout)) == sorted(LATENCY)
    assert "embedded, amqtt" in result.stdout


def test_an_unknown_stage_is_a_misuse():
    assert bench("--stage", "lunch").returncode == 2
