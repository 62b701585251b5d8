"""How near a transfer to the MCU comes to what the line can carry: `firmware_speed.py --help`."""

import argparse
import contextlib
import io
import os
import re
import statistics
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[up] / part) for up, part in ((1, ""), (2, ""))]
sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("ports/linux", "tools")]

from mcu_debugger.capture.reader import read_capture  # noqa: E402
from mcu_debugger.capture.record import Chunk  # noqa: E402
from testkit.chain_running import PRODUCT_KEY, Chain  # noqa: E402
from testkit.processes_running import processes_running  # noqa: E402

from mcu_proto.const import MCU, MODULE  # noqa: E402

_EXAMPLES = """\
examples:
  firmware_speed.py                        9600 and 115200 baud, pieces of 64 to 512 bytes, three times each
  firmware_speed.py --baud 9600 --runs 1
Real processes: the local cloud, `gagent run`, `mcu-debugger sim` with a bootloader, over a line with ten bit times
a byte. Measured on the MCU's side, from the first byte of the first piece to the end of the last ack; the limit is
what these bytes take on the wire. The exit code says nothing of the figures.
"""
_HARD, _OLD = "00000001", "00000001"


def main() -> int:
    parser = argparse.ArgumentParser(epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baud", type=int, action="append", help="speed of the line (default 9600 and 115200)")
    parser.add_argument("--piece", type=int, action="append", help="piece size (default 64, 128, 256 and 512)")
    parser.add_argument("--runs", type=int, default=3, help="of each (default 3); the median is shown")
    arguments = parser.parse_args()
    print("   baud  piece  of the wire's speed")
    for baud in arguments.baud or (9600, 115200):
        for piece in arguments.piece or (64, 128, 256, 512):
            shares = [_measure(baud, piece) for _ in range(arguments.runs)]
            spread = "%.1f to %.1f %%" % (min(shares) * 100, max(shares) * 100)
            print("%7d  %5d  %.1f %% (%s)" % (baud, piece, statistics.median(shares) * 100, spread), flush=True)
    return 0


def _measure(baud: int, piece: int) -> float:
    """Which share of the wire's speed one upgrade reached."""
    # What the processes said is of no interest.
    with (
        tempfile.TemporaryDirectory() as name,
        contextlib.redirect_stdout(io.StringIO()),
        processes_running(Path(name)) as processes,
    ):
        capture = Path(name) / "capture.jsonl"
        _upgrade(Chain(processes), baud, piece, capture)
        return _share(capture, baud)


def _upgrade(chain: Chain, baud: int, piece: int, capture: Path) -> None:
    chain.add_product()
    image = chain.processes.folder / "image.bin"
    # Some five seconds of line.
    image.write_bytes(b"SOFT_VER=00000002\n" + os.urandom(baud // 2))
    versions = ("--hard", _HARD, "--soft", "00000002")
    chain.processes.run(
        "localcloud", "ota", "add", "--data", chain.data, image, "--product", PRODUCT_KEY, "--kind", "mcu", *versions
    )
    chain.start_cloud()
    flash = ("--flash", chain.processes.folder / "flash", "--hard-ver", _HARD, "--soft-ver", _OLD, "--piece", piece)
    chain.start_mcu("--baud", baud, "--pace", "--capture", capture, *flash)
    chain.start_agent("--baud", baud)
    chain.agent.says("online, did")
    did = chain.identity["did"]
    chain.processes.run("localcloud", "ota", "verify", "--data", chain.data, "1", did)
    chain.mcu.says("firmware good")
    chain.agent.says("firmware 00000002 runs")
    chain.mcu.stop()


def _share(capture: Path, baud: int) -> float:
    chunks = [record for record in read_capture(str(capture)) if isinstance(record, Chunk)]
    first = _found(chunks, MODULE, rb"\xff\xff..\x1d", 0)
    last = _found(chunks, MCU, rb"\xff\xff\x00\x05\x1e", -1)
    count = sum(len(chunk.data) for chunk in chunks[first : last + 1])
    # The first byte arrived when its time on the wire was over; the last ack still has its own before it.
    elapsed = (chunks[last].time_us - chunks[first].time_us) / 1e6
    elapsed += (len(chunks[first].data) + len(chunks[last].data)) * 10 / baud
    return count * 10 / baud / elapsed


def _found(chunks: list[Chunk], sender: int, pattern: bytes, which: int) -> int:
    """The chunk in which the first (0) or last (-1) such frame of this end begins."""
    stream = b"".join(bytes(chunk.data) for chunk in chunks if chunk.sender == sender)
    at = [match.start() for match in re.finditer(pattern, stream, re.DOTALL)][which]
    for index, chunk in enumerate(chunks):
        if chunk.sender == sender:
            at -= len(chunk.data)
            if at < 0:
                return index
    raise ValueError("no such frame in the capture")


if __name__ == "__main__":
    sys.exit(main())
