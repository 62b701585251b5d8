"""Kill the gateway at random moments while an MCU reports, and see what arrives: `kill_minus_nine.py --help`."""

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[up] / part) for up, part in ((1, ""), (2, ""))]
sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("ports/linux", "tools")]

from testkit.killed_gateway import Figures, KilledGateway, device_api_running  # noqa: E402
from testkit.mosquitto_running import mosquitto_running  # noqa: E402

_EXAMPLES = """\
examples:
  kill_minus_nine.py                              1000 kills, two gateways at a time: some ten minutes
  kill_minus_nine.py --kills 100 --gateways 1
  kill_minus_nine.py --seed 7                     the same moments again
Exit code 0 only when nothing was lost, nothing came out of order, every file could be read after every kill and no
kill repeated more than one report.
"""


def main() -> int:
    arguments = _parser().parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(1 << 32)
    print("seed %d" % seed, file=sys.stderr)
    began = time.monotonic()
    figures = _run(arguments.kills, arguments.gateways, arguments.longest, seed, arguments.folder)
    return _tell(figures, time.monotonic() - began)


def _run(kills: int, gateways: int, longest_s: float, seed: int, parent: str | None) -> Figures:
    total = Figures()
    done = [0]

    def count() -> None:
        done[0] += 1
        if done[0] % 50 == 0:
            print("%d kills" % done[0], file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        with mosquitto_running(folder) as broker, device_api_running(broker) as url:
            threads = []
            for number in range(gateways):
                chance = random.Random(seed + number)
                gateway = KilledGateway(folder / str(number), "%012X" % (number + 1), url, broker, chance)
                share = kills // gateways + (number < kills % gateways)
                run = lambda gateway=gateway, share=share: total.add(gateway.run(share, longest_s, count))  # noqa: E731
                threads.append(threading.Thread(target=run))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    return total


def _tell(figures: Figures, seconds: float) -> int:
    print("kills                          %d in %d s" % (figures.kills, seconds))
    print("  of these while online        %d" % figures.online_kills)
    print("reports the MCU saw acked      %d" % figures.acked)
    print("reports that arrived           %d" % figures.arrived)
    print("lost                           %d" % figures.lost)
    print("out of order                   %d" % figures.out_of_order)
    print("repeated                       %d" % figures.duplicates)
    print("repeated by one kill, at most  %d" % figures.most_duplicates)
    print("waiting after a kill, at most  %d" % figures.most_stored)
    print("files not readable             %d" % len(figures.unreadable))
    for line in figures.unreadable[:20]:
        print("  " + line)
    bad = figures.lost or figures.out_of_order or figures.unreadable or figures.most_duplicates > 1
    return 1 if bad or not figures.acked else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Kill the gateway at random moments while an MCU reports, and see what arrives.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=1000, metavar="N", help="how many (default 1000)")
    parser.add_argument("--gateways", type=int, default=2, metavar="N", help="at the same time (default 2)")
    parser.add_argument("--longest", type=float, default=1.5, metavar="S", help="longest life in seconds (default 1.5)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the random moments (default: another each time)")
    parser.add_argument("--folder", metavar="DIR", help="where the files go: on the disk to try (default: temporary)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
