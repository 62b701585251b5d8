"""The full screen of `mcu-debugger tap` while a line is as busy as lines get.

    PYTHONPATH=tests:tools .venv/bin/python tests/soak/debugger_screen.py --seconds 20
    PYTHONPATH=tests:tools .venv/bin/python tests/soak/debugger_screen.py --seconds 20 --rate 96000

Two pseudo-terminals carry reports and acks, `--rate` bytes a second together (300000: 3 Mbaud); the command shows them
in a terminal of 150 x 42 and records them. It fails when a frame is missing in the capture, when a key is not answered,
or when memory grows. Figures on standard output.
"""

import argparse
import os
import re
import select
import statistics
import sys
import tempfile
import time
import tty
from collections import namedtuple
from pathlib import Path

from mcu_debugger.capture.load import load_capture
from mcu_debugger.capture.record import Chunk
from mcu_debugger.product import load_product
from testkit.debugger_terminal import DebuggerTerminal
from testkit.repository import ROOT

from mcu_proto.const import CMD_P0_UP, MCU, MODULE
from mcu_proto.datapoint import Schema
from mcu_proto.frame import Frame, FrameDecoder, encode_frame

PRODUCT = ROOT / "tools" / "demo" / "heatpump.json"
_STEP_S = 0.01
_CHANGES = 16

# `rows` is what the screen says it shows, a second; `key_ms` the median from a key to what it paints.
Figures = namedtuple("Figures", "sent_bytes sent_frames kept_frames seconds cpu rss_kb painted_bytes key_ms rows")


def measure(folder: Path, rate: int, seconds: float) -> Figures:
    """One run; AssertionError when the screen does not come or a key is not answered."""
    lines = {sender: os.openpty() for sender in (MODULE, MCU)}
    for master, slave in lines.values():
        tty.setraw(slave)
        os.set_blocking(master, False)
    capture = folder / "line.jsonl"
    names = {sender: os.ttyname(slave) for sender, (_, slave) in lines.items()}
    terminal = DebuggerTerminal(
        "tap", "--module", names[MODULE], "--mcu", names[MCU], "--product", PRODUCT, "--capture", capture,
        "--baud", 3000000,
    )  # fmt: skip
    try:
        terminal.wait_for("Quit")
        return _feed(terminal, {sender: master for sender, (master, _) in lines.items()}, rate, seconds, capture)
    finally:
        terminal.close()
        for pair in lines.values():
            for descriptor in pair:
                os.close(descriptor)


def _feed(terminal: DebuggerTerminal, masters: dict, rate: int, seconds: float, capture: Path) -> Figures:
    reports = _reports()
    cpu_before = _cpu(terminal.process.pid)
    painted_before = terminal.bytes_painted
    rss = 0
    sent = frames = 0
    keys: list[tuple[float, int]] = []
    begin = time.monotonic()
    key_due = begin + 1
    while (now := time.monotonic()) - begin < seconds:
        while sent < rate * (now - begin):
            report, ack = reports[frames // 2 % len(reports)]
            _write(masters[MCU], report, terminal)
            _write(masters[MODULE], ack, terminal)
            sent += len(report) + len(ack)
            frames += 2
        if now > key_due:
            keys.append(_key(terminal))
            key_due = time.monotonic() + 1
            rss = max(rss, _rss_kb(terminal.process.pid))
        terminal.read(_STEP_S)
    took = time.monotonic() - begin
    cpu = (_cpu(terminal.process.pid) - cpu_before) / took
    painted = terminal.bytes_painted - painted_before
    _settle(terminal, capture)
    terminal.press("q")
    code = terminal.end()
    assert code == 0, "the debugger ended with %s" % code
    kept = _frames_in(capture)
    key_ms = 1000 * statistics.median(key[0] for key in keys) if keys else 0.0
    rows = max((key[1] for key in keys), default=0)
    return Figures(sent, frames, kept, took, cpu, rss, painted, key_ms, rows)


def _reports() -> list[tuple[bytes, bytes]]:
    """A report and its ack, for a few different states and every sn."""
    schema = Schema.from_definition(load_product(str(PRODUCT)))
    out = []
    for sn in range(256):
        p0 = schema.encode_report({"water_in": 20 + sn % _CHANGES, "compressor_hz": sn % 100, "power": 1})
        out.append((encode_frame(CMD_P0_UP, sn, p0), encode_frame(CMD_P0_UP + 1, sn)))
    return out


def _write(master: int, data: bytes, terminal: DebuggerTerminal) -> None:
    while data:
        try:
            data = data[os.write(master, data) :]
        except BlockingIOError:
            terminal.read(0)
            select.select([], [master], [], 0.01)


def _key(terminal: DebuggerTerminal) -> tuple[float, int]:
    """(seconds from a key to what it paints, rows a second that the screen says it shows)."""
    terminal.painted = ""
    begin = time.monotonic()
    terminal.press("s")
    terminal.wait_for("left out of the view")
    took = time.monotonic() - begin
    found = re.findall(r"screen (\d+) rows/s", terminal.text())
    terminal.press("s")
    return took, int(found[-1]) if found else 0


def _settle(terminal: DebuggerTerminal, capture: Path) -> None:
    """Until the capture grows no more."""
    size = -1
    while size != capture.stat().st_size:
        size = capture.stat().st_size
        for _ in range(10):
            terminal.read(0.1)


def _frames_in(capture: Path) -> int:
    decoders = {MODULE: FrameDecoder(), MCU: FrameDecoder()}
    count = 0
    for record in load_capture(str(capture)):
        if isinstance(record, Chunk):
            count += sum(isinstance(item, Frame) for item in decoders[record.sender].feed(record.data))
    return count


def _cpu(pid: int) -> float:
    fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_kb(pid: int) -> int:
    status = Path("/proc/%d/status" % pid).read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=int, default=300_000, help="bytes a second on both lines together")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), args.rate, args.seconds)
    for name, value in figures._asdict().items():
        print("%-14s %s" % (name, round(value, 2)))
    print("%-14s %.0f" % ("frames/s", figures.sent_frames / figures.seconds))
    print("%-14s %.0f" % ("bytes/s", figures.sent_bytes / figures.seconds))
    return 0 if figures.kept_frames == figures.sent_frames else 1


if __name__ == "__main__":
    sys.exit(main())
