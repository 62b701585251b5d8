"""The debugger under load: a gigabyte of frames through a tap, not a byte lost, memory flat; and the bridge.

    python tests/soak/debugger_gigabyte.py                 1 GB, some tens of minutes
    python tests/soak/debugger_gigabyte.py --megabytes 20

The tap runs in a process of its own as `mcu-debugger tap --capture` does, decoding, pairing and recording; its
resident memory is read while it works. The bridge is timed with one frame at a time, against the same ptys without it.
"""

import argparse
import hashlib
import json
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tty
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from mcu_debugger.bridge import Bridge, bridge_line  # noqa: E402
from mcu_debugger.capture.reader import read_parts  # noqa: E402
from mcu_debugger.capture.record import Chunk  # noqa: E402
from mcu_debugger.capture.writer import CaptureWriter, parts_of  # noqa: E402
from mcu_debugger.port import open_port  # noqa: E402
from mcu_debugger.product import load_product  # noqa: E402
from mcu_debugger.session import Role, Session  # noqa: E402
from mcu_debugger.tap import Tap  # noqa: E402

from mcu_proto.const import CMD_P0_DOWN, CMD_P0_UP, MCU, MODULE  # noqa: E402
from mcu_proto.datapoint import Schema  # noqa: E402
from mcu_proto.frame import encode_frame  # noqa: E402

PRODUCT = ROOT / "tools" / "demo" / "heatpump.json"
# Bytes a second of 3 Mbaud, start and stop bits included.
WIRE = 300_000
PART = 100 << 20


def tap_in_a_child(module: str, mcu: str, capture: str) -> None:
    """The child: listen until the parent closes our standard input, then say what was seen."""
    schema = Schema.from_definition(load_product(str(PRODUCT)))
    lines = {MODULE: open_port(module, 3_000_000), MCU: open_port(mcu, 3_000_000)}
    session = Session(Role("tap", Tap(), {}, lambda event: ""), "soak", lines, schema)
    writer = CaptureWriter(capture, "soak", PART)
    writer.open()
    session.record(writer)
    threading.Thread(target=_stop_at_the_end, args=(session,), daemon=True).start()
    print("ready", flush=True)
    session.run()
    writer.close()
    counts = session.observer.counts
    told = {"frames": counts.frames, "bytes": counts.bytes, "bad": counts.bad, "noise": counts.noise_bytes}
    print(json.dumps(told | {"cpu_s": time.process_time(), "capture": writer.error}), flush=True)


def _stop_at_the_end(session: Session) -> None:
    sys.stdin.read()
    session.stop()


def traffic(megabytes: float):
    """(sender, bytes) of reports with their acks, and controls: a busy appliance, with stuffing now and then."""
    schema = Schema.from_definition(load_product(str(PRODUCT)))
    blocks = []
    together: dict[int, bytes] = {MODULE: b"", MCU: b""}
    for n in range(256):
        report = schema.encode_report({"water_in": n / 4, "timer": 255 if n % 4 == 0 else n, "power": n % 2})
        control = schema.encode_control({"target_temp": n / 4})
        together[MCU] += encode_frame(CMD_P0_UP, n, report) + encode_frame(CMD_P0_DOWN + 1, n)
        together[MODULE] += encode_frame(CMD_P0_UP + 1, n) + encode_frame(CMD_P0_DOWN, n, control)
        if n % 8 == 7:
            # A burst, as adapters deliver it: some frames a read.
            blocks += [(MCU, together[MCU]), (MODULE, together[MODULE])]
            together = {MODULE: b"", MCU: b""}
    left = int(megabytes * 1_000_000)
    while left > 0:
        for sender, data in blocks:
            yield sender, data
            left -= len(data)
            if left <= 0:
                return


def resident_kb(pid: int) -> int:
    for line in Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def soak(megabytes: float) -> dict:
    """The figures; AssertionError when a byte is lost or memory grows."""
    with tempfile.TemporaryDirectory() as folder:
        return _soak(megabytes, os.path.join(folder, "line.jsonl.gz"))


def _soak(megabytes: float, capture: str) -> dict:
    ends = {}
    for sender in (MODULE, MCU):
        master, slave = pty.openpty()
        tty.setraw(slave)
        ends[sender] = (master, slave)
    child = subprocess.Popen(
        [sys.executable, __file__, "--child", *[os.ttyname(slave) for _, slave in ends.values()], capture],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    digests = {MODULE: hashlib.sha256(), MCU: hashlib.sha256()}
    sent = {MODULE: 0, MCU: 0}
    memory = []
    begin = time.monotonic()
    look_at = 0.0
    for sender, data in traffic(megabytes):
        rest = data
        while rest:
            # A pty takes what there is room for: nothing is lost on our side.
            rest = rest[os.write(ends[sender][0], rest) :]
        digests[sender].update(data)
        sent[sender] += len(data)
        if time.monotonic() > look_at:
            memory.append(resident_kb(child.pid))
            look_at = time.monotonic() + max(0.05, megabytes / 1000)
    _wait_until_read(ends)
    seconds = time.monotonic() - begin
    memory.append(resident_kb(child.pid))
    out, _ = child.communicate(timeout=60)
    seen = json.loads(out)
    for master, slave in ends.values():
        os.close(master)
        os.close(slave)
    assert seen["capture"] is None, seen
    assert seen["bytes"] == [sent[MODULE], sent[MCU]], (seen, sent)
    assert seen["bad"] == {} and seen["noise"] == 0, seen
    recorded = {MODULE: hashlib.sha256(), MCU: hashlib.sha256()}
    for record in read_parts(capture):
        if isinstance(record, Chunk):
            recorded[record.sender].update(record.data)
    assert [each.digest() for each in recorded.values()] == [each.digest() for each in digests.values()]
    size = sum(os.path.getsize(path) for path in [*parts_of(capture), capture])
    half = memory[len(memory) // 2]
    frames = sum(seen["frames"])
    return {
        "megabytes": sum(sent.values()) / 1e6,
        "frames": frames,
        "frames_per_s": frames / seconds,
        "times_3_mbaud": sum(sent.values()) / seconds / WIRE,
        "cpu_of_one_core": seen["cpu_s"] / seconds,
        "cpu_us_per_frame": seen["cpu_s"] / frames * 1e6,
        "memory_kb_at_half": half,
        "memory_kb_at_end": memory[-1],
        "capture_to_traffic": size / sum(sent.values()),
    }


def _wait_until_read(ends: dict) -> None:
    """Nothing is left in the kernel: the slave's queue, which FIONREAD of the slave tells."""
    import fcntl
    import struct
    import termios

    for _, slave in ends.values():
        while struct.unpack("i", fcntl.ioctl(slave, termios.FIONREAD, bytes(4)))[0]:
            select.select([], [], [], 0.01)
    # What was taken last is being decoded.
    select.select([], [], [], 0.5)


def bridge_figures(frames: int) -> dict:
    """Median and 99th percentile of what the bridge adds to a frame of 200 bytes, in ms."""
    ends = [pty.openpty() for _ in range(2)]
    for pair in ends:
        for fd in pair:
            tty.setraw(fd)
    frame = encode_frame(CMD_P0_UP, 1, b"\x06" + bytes(range(200)))
    (module, module_slave), (mcu, mcu_slave) = ends
    direct = _trips(mcu, mcu_slave, frame, frames)
    lines = {MODULE: open_port(os.ttyname(module_slave), 115200), MCU: open_port(os.ttyname(mcu_slave), 115200)}
    sys.setswitchinterval(0.0005)
    session = Session(Role("bridge", Bridge([]), {}, bridge_line), "soak", lines)
    thread = threading.Thread(target=session.run)
    thread.start()
    through = _trips(mcu, module, frame, frames)
    session.stop()
    thread.join()
    for port in lines.values():
        port.close()
    for pair in ends:
        for fd in pair:
            os.close(fd)
    at = int(frames * 0.99)
    return {
        "added_ms_median": (statistics.median(through) - statistics.median(direct)) * 1e3,
        "added_ms_p99": (sorted(through)[at] - statistics.median(direct)) * 1e3,
    }


def _trips(write_fd: int, read_fd: int, frame: bytes, frames: int) -> list[float]:
    times = []
    for _ in range(frames):
        begin = time.perf_counter()
        os.write(write_fd, frame)
        data = b""
        while len(data) < len(frame):
            assert select.select([read_fd], [], [], 20)[0], "%d of %d bytes came" % (len(data), len(frame))
            data += os.read(read_fd, 65536)
        times.append(time.perf_counter() - begin)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--frames", type=int, default=2000, help="frames through the bridge (default 2000)")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        tap_in_a_child(*args.child)
        return 0
    for name, value in (bridge_figures(args.frames) | soak(args.megabytes)).items():
        print("%-20s %12.3f" % (name, value))
    return 0


if __name__ == "__main__":
    sys.exit(main())
