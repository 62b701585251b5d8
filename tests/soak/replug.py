"""USB unplug and replug, again and again: how long after the node's return the device is on line again.

    python tests/soak/replug.py --times 50

A pseudo-terminal behind a symbolic link stands for the adapter, stubs for the cloud. Exit code 1 when it takes more
than 2 s once.
"""

import argparse
import asyncio
import pathlib
import statistics
import sys
import tempfile

sys.path[:0] = [str(path) for path in [pathlib.Path(__file__).parents[1]]]

from testkit.replugging import replug  # noqa: E402  it is found by the line above

_LIMIT_S = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50, metavar="N")
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        took = asyncio.run(replug(pathlib.Path(folder), times))
    print("%d times: median %.2f s, longest %.2f s" % (times, statistics.median(took), max(took)))
    return 0 if max(took) <= _LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
