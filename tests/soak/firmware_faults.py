"""Upgrades with a fault in each: `firmware_faults.py --help`."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[up] / part) for up, part in ((1, ""), (2, ""))]
sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("ports/linux", "tools")]

from testkit.firmware_world import WORLD_FAULTS, Broken, run_with  # noqa: E402

_EXAMPLES = """\
examples:
  firmware_faults.py                       2800 upgrades, some three minutes
  firmware_faults.py --count 280 --seed 7
  firmware_faults.py --only 'power cut of the MCU' --count 500
Exit code 0 only when the MCU could boot at every moment, took no wrong image, and ran the new version in the end.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Upgrade an MCU again and again, with one fault each time.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=2800, help="upgrades (default 2800)")
    parser.add_argument("--seed", type=int, default=0, help="of the first upgrade (default 0); the others count on")
    parser.add_argument(
        "--only", choices=WORLD_FAULTS, metavar="FAULT", help="this fault only: " + "; ".join(WORLD_FAULTS)
    )
    arguments = parser.parse_args()
    faults = [arguments.only] if arguments.only else list(WORLD_FAULTS)
    struck: Counter[str] = Counter()
    broken = 0
    began = time.monotonic()
    for number in range(arguments.count):
        fault = faults[number % len(faults)]
        with tempfile.TemporaryDirectory() as folder:
            try:
                happened, _ = run_with(fault, Path(folder), arguments.seed + number)
            except Broken as error:
                broken += 1
                print("BROKEN: %s" % error)
                continue
        struck[fault] += happened
        if sys.stderr.isatty() and number % 28 == 0:
            print("\r%d of %d" % (number, arguments.count), end="", file=sys.stderr, flush=True)
    print("%d upgrades in %d s" % (arguments.count, time.monotonic() - began))
    print("%d faults struck, of each kind:" % struck.total())
    for fault in faults:
        print("  %5d  %s" % (struck[fault], fault))
    print("%d broken: an MCU that cannot boot, a wrong image taken, or an upgrade that never came through" % broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
