"""The main job in one command: a device comes online in a local cloud, reports, and is controlled.

With the simulated MCU every step is played and seen from its far end. With a real MCU (`--port`) the steps that could
switch an appliance are left to you: the demo only reads its state.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from localcloud.broker import BrokerError
from localcloud.catalog import CatalogError
from localcloud.listener import ListenError
from localcloud.store.database import StoreError
from mcu_debugger.product import ProductError, load_product
from open_api_client import OpenApiError
from parts import quiet_libraries
from play import PATIENCE_S, PATIENCE_WITH_HARDWARE_S, Demo, NotSeen

HERE = Path(__file__).parent
PREFIX = "gagent-demo-"
EXAMPLES = """examples:
  make demo
  make demo ARGS=--once
  make run PORT=/dev/ttyUSB0 ARGS='--product my-heater.json'
"""


def main() -> int:
    parser = _parser()
    arguments = parser.parse_args()
    if not arguments.port and (arguments.product or arguments.secret):
        parser.error("--product and --secret are about a real MCU, see --port; the simulated one is a heat pump")
    definition = None
    try:
        if arguments.product or not arguments.port:
            definition = load_product(arguments.product or str(HERE / "heatpump.json"))
    except ProductError as error:
        parser.error(str(error))
    quiet_libraries()
    with contextlib.ExitStack() as stack:
        try:
            folder = _kept(arguments.keep) or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
        except OSError as error:
            parser.error("nothing can be kept in %s: %s" % (error.filename, error.strerror))
        demo = Demo(arguments, folder, definition)
        try:
            asyncio.run(demo.run())
        except (NotSeen, OpenApiError, BrokerError, ListenError, StoreError, CatalogError) as error:
            demo.failed(error)
            return 1
        except (KeyboardInterrupt, asyncio.CancelledError):
            return 130
    return 0


def _kept(path: str | None) -> Path | None:
    if not path:
        return None
    folder = Path(path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="A local cloud, an MCU and one agent between them; every step is shown when it was seen.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="end after the story; exit 0 only if every step was seen")
    parser.add_argument("--port", help="a real MCU's serial port (path or pyserial URL) instead of the simulated one")
    parser.add_argument("--baud", type=int, default=9600, help="speed of that port (default 9600)")
    parser.add_argument("--product", metavar="FILE", help="product definition, as GET /app/datapoint serves it")
    parser.add_argument("--secret", metavar="HEX", help="product secret, 32 hex digits (default: one made up here)")
    parser.add_argument(
        "--keep", metavar="DIR", help="keep identity and cloud data there (default: forgotten at the end)"
    )
    parser.add_argument("--http-port", type=int, default=8000, help="of the cloud (default 8000; a free one if taken)")
    parser.add_argument("--mqtt-port", type=int, default=1883, help="of the cloud (default 1883; a free one if taken)")
    parser.add_argument(
        "--patience",
        type=_seconds,
        metavar="SECONDS",
        help="how long a step may take (default %d; until a real MCU answers %d)"
        % (PATIENCE_S, PATIENCE_WITH_HARDWARE_S),
    )
    parser.add_argument("--broker", choices=("embedded", "mosquitto"), default="embedded", help="default: embedded")
    return parser


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("%r is no whole number of seconds from 1 on" % text)
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
