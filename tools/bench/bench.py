"""The figures of this machine: codec, latency, load, outages, start-up, memory.

`README.md` beside this file says how to read them.

Every figure is the median of several runs of this one invocation, with the smallest and the largest, and where it makes
sense its ratio to something simpler measured in the same runs.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import burst
import codec
import durability
import footprint
import latency
import machine
import many_ports
import outage
import rate
import startup
from broker import KINDS, Broker, best_kind, running_broker
from errors import BenchError
from figure import Figure, document, table
from plan import FULL, QUICK, Plan

_PRODUCT = Path(__file__).parent.parent / "demo" / "heatpump.json"

EXAMPLES = """examples:
  make bench
  make bench ARGS='--json figures.json'
  make bench ARGS='--stage latency --broker embedded'
  make bench ARGS='--stage rate --stage burst'
"""


class Scene(NamedTuple):
    """What the stages share."""

    plan: Plan
    definition: dict[str, Any]
    broker: Broker
    folder: Path

    @property
    def product_key(self) -> str:
        return str(self.definition["product_key"])


# By name: what it says while it works, and the work. In the order they are run and printed.
STAGES: dict[str, tuple[str, Callable[[Scene], list[Figure]]]] = {
    "codec": ("frames and datapoints", lambda s: codec.measure(s.plan, s.definition)),
    "latency": ("reports and controls", lambda s: latency.measure(s.plan, s.definition, s.broker, s.folder)),
    "durability": ("reports on disk or not", lambda s: durability.measure(s.plan, s.definition, s.broker, s.folder)),
    "rate": ("more and more reports", lambda s: rate.measure(s.plan, s.definition, s.broker, s.folder)),
    "burst": ("many at once", lambda s: burst.measure(s.plan, s.definition, s.broker, s.folder)),
    "ports": ("many busy ports", lambda s: many_ports.measure(s.plan, s.definition, s.broker, s.folder)),
    "outage": ("a broker that goes and returns", lambda s: outage.measure(s.plan, s.product_key, s.broker, s.folder)),
    "startup": ("cold and warm starts", lambda s: startup.measure(s.plan, s.product_key, s.broker, s.folder)),
    "footprint": ("memory and idle CPU", lambda s: footprint.measure(s.plan, s.product_key, s.broker, s.folder)),
}


def main() -> int:
    """Measure, print, and the exit code."""
    arguments = _parser().parse_args()
    # Ended by SIGTERM it leaves no process behind either.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    about = machine.describe()
    try:
        about["broker"], figures = _measure(arguments)
        if arguments.json:
            content = json.dumps({"about": about, "figures": document(figures)}, indent=1)
            arguments.json.write_text(content + "\n", encoding="utf-8")
    except (BenchError, OSError) as error:
        print("bench: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for key, value in about.items():
        print("%-8s %s" % (key, value))
    print("\n" + table(figures))
    return 0


def _measure(arguments: argparse.Namespace) -> tuple[str, list[Figure]]:
    """(broker's name, the figures) of the stages asked for."""
    plan = QUICK if arguments.quick else FULL
    definition = json.loads(_PRODUCT.read_text(encoding="utf-8"))
    figures = []
    with (
        tempfile.TemporaryDirectory(prefix="gagent-bench-") as folder,
        running_broker(arguments.broker or best_kind(), Path(folder)) as broker,
    ):
        for name in arguments.stage or STAGES:
            home = Path(folder) / name
            home.mkdir()
            says, measure = STAGES[name]
            print("%s: %s ..." % (name, says), file=sys.stderr)
            figures += measure(Scene(plan, definition, broker, home))
        return broker.name, figures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Throughput, latency, load, outages, start-up and memory of this machine, in about four minutes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="everything once and briefly: shows that the bench works")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too, with every value")
    parser.add_argument("--stage", action="append", choices=STAGES, help="only this one; may be given again")
    parser.add_argument("--broker", choices=KINDS, help="default: mosquitto if it is installed, else embedded")
    return parser


if __name__ == "__main__":
    sys.exit(main())
