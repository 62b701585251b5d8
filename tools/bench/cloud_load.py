"""How much a local cloud takes: devices that each report once a second, and an app that asks meanwhile.

Starts a cloud of its own in a directory that is new, lets DEVICES connect and report, asks the Open API all the while,
and counts afterwards what is in the database. With --saturate the rate goes up until reports are lost or lie for longer
than they take to come. What it prints is one row of the table in `tools/localcloud/README.md` for each rate.
"""

import argparse
import asyncio
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from localcloud import mqtt_packet as mqtt
from localcloud.catalog import add_product
from localcloud.store.store import open_store
from localcloud.store.tables import messages
from sqlalchemy import Engine, create_engine, func, select

from gagent import wire

PASSCODE = "ABCDEFGHIJ"
SECRET = "5e" * 16
DEFINITION = json.loads((Path(__file__).parent.parent / "demo" / "heatpump.json").read_text(encoding="utf-8"))
PRODUCT_KEY = DEFINITION["product_key"]
# Between two questions of the app.
ASK_S = 0.02
# How long the database may take to show the last report.
SETTLE_S = 10.0
EXAMPLES = """examples:
  python tools/bench/cloud_load.py --broker embedded
  python tools/bench/cloud_load.py --broker mosquitto --saturate
  python tools/bench/cloud_load.py --broker mosquitto --database postgresql+psycopg://user@/name?host=/run/postgresql
"""


class Row(NamedTuple):
    rate: float  # reports a second, as they were sent
    sent: int
    lost: int
    lag_s: float  # from the last report to the moment the database had it
    p50_ms: float
    p99_ms: float
    cloud_mb: int
    broker_mb: int


class CloudUnderLoad:
    """`localcloud run` in a process of its own."""

    def __init__(self, folder: Path, broker: str, database: str) -> None:
        settings = {
            "data_dir": str(folder / "cloud"),
            "database_url": database,
            "broker": broker,
            "http_host": "127.0.0.1",
            "mqtt_host": "127.0.0.1",
            **{"%s_port" % name: 0 for name in ("http", "mqtt", "ws", "wss")},
            "requests_per_minute": 0,
        }
        path = folder / "settings.toml"
        path.write_text("".join("%s = %s\n" % (key, json.dumps(value)) for key, value in settings.items()))
        self.process = subprocess.Popen(  # noqa: S603 -- this interpreter, and files of our own
            [sys.executable, "-m", "localcloud", "run", "--config", str(path)], stderr=subprocess.PIPE, text=True
        )
        self.http_port = self.mqtt_port = 0
        for line in self.process.stderr or ():
            found = re.search(r"(device API on http|MQTT broker .* on mqtt)://[^:]+:(\d+)", line)
            if found and "http" in found[1]:
                self.http_port = int(found[2])
            elif found:
                self.mqtt_port = int(found[2])
            if "ready; Ctrl-C" in line:
                break
        else:
            raise SystemExit("the cloud does not start: run `localcloud run --config %s` to see why" % path)
        threading.Thread(target=lambda: list(self.process.stderr or ()), daemon=True).start()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def memory_mb(self) -> tuple[int, int]:
        """(the cloud's, its broker child's) resident memory."""
        children = Path("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)).read_text().split()
        return _rss_mb(self.process.pid), sum(_rss_mb(int(pid)) for pid in children)


class Device:
    """One connection that says who it is, and reports."""

    def __init__(self, did: str) -> None:
        self.did = did
        topic = ("dev2app/" + did).encode()
        payload = wire.encode(wire.CLOUD_REPORT, b"\x04" + bytes(8))
        self._report = mqtt.build_packet(mqtt.PUBLISH << 4, len(topic).to_bytes(2, "big") + topic + payload)

    async def connect(self, port: int) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        did, passcode = _text(self.did), _text(PASSCODE)
        self._writer.write(mqtt.build_packet(0x10, _text("MQIsdp") + b"\x03\xc2\x01\x2c" + did + did + passcode))
        if await self._reader.readexactly(4) != b"\x20\x02\x00\x00":
            raise SystemExit("the broker refuses device %s" % self.did)

    async def report(self, rounds: int, period_s: float, start: float) -> None:
        for number in range(rounds):
            await asyncio.sleep(start + number * period_s - time.monotonic())
            self._writer.write(self._report)
            await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class App:
    """Asks for the latest state of a device, again and again, and keeps how long each answer took."""

    def __init__(self, port: int, did: str) -> None:
        self._port = port
        self._path = "/app/devdata/%s/latest" % did
        self._is_over = threading.Event()
        self._took: list[float] = []
        self._thread = threading.Thread(target=self._ask)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> list[float]:
        """How long the answers took, in milliseconds, the shortest first."""
        self._is_over.set()
        self._thread.join()
        return sorted(self._took)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        # Once at least: there is always something to tell.
        while not self._took or not self._is_over.wait(ASK_S):
            began = time.monotonic()
            connection.request("GET", self._path, headers={"X-Gizwits-Application-Id": "0" * 32})
            connection.getresponse().read()
            self._took.append((time.monotonic() - began) * 1000)


def main() -> int:
    """Measures and prints a table."""
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="cloud-load-") as folder:
        database = args.database or "sqlite:///%s" % (Path(folder) / "cloud.db")
        store = open_store(database)
        add_product(store, DEFINITION, SECRET)
        store.close()
        cloud = CloudUnderLoad(Path(folder), args.broker, database)
        try:
            asyncio.run(_measure(cloud, create_engine(database), args))
        finally:
            cloud.stop()
    return 0


async def _measure(cloud: CloudUnderLoad, engine: Engine, args: argparse.Namespace) -> None:
    dids = [_register(cloud, number) for number in range(args.devices)]
    print("%d devices registered" % len(dids), file=sys.stderr)
    devices = [Device(did) for did in dids]
    for i in range(0, len(devices), 50):
        await asyncio.gather(*(device.connect(cloud.mqtt_port) for device in devices[i : i + 50]))
    print("%d devices connected" % len(devices), file=sys.stderr)
    print("| reports/s | sent | lost | lag s | API p50 ms | API p99 ms | cloud MB | broker MB |")
    print("|---|---|---|---|---|---|---|---|")
    factor = 1.0
    while True:
        row = await _load(cloud, engine, devices, args.seconds, factor)
        print("| %.0f | %d | %d | %.1f | %.1f | %.1f | %d | %d |" % row, flush=True)
        if not args.saturate or row.lost or row.lag_s > 2.0:
            break
        factor *= 1.5
    for device in devices:
        device.close()


async def _load(cloud: CloudUnderLoad, engine: Engine, devices: list[Device], seconds: float, factor: float) -> Row:
    before = _count(engine)
    app = App(cloud.http_port, devices[0].did)
    app.start()
    period = 1 / factor
    rounds = max(1, round(seconds / period))
    began = time.monotonic()
    # Spread over the period: a thousand devices do not report at the same moment.
    starts = [began + 0.5 + period * i / len(devices) for i in range(len(devices))]
    await asyncio.gather(*(device.report(rounds, period, start) for device, start in zip(devices, starts, strict=True)))
    ended = time.monotonic()
    sent, memory = rounds * len(devices), cloud.memory_mb()
    took = app.stop()
    # A database tells nobody that it is done.
    while (stored := _count(engine) - before) < sent and time.monotonic() < ended + SETTLE_S:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    lag = time.monotonic() - ended
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]
    return Row(sent / (ended - began - 0.5), sent, sent - stored, lag, p50, p99, *memory)


def _register(cloud: CloudUnderLoad, number: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", cloud.http_port, timeout=30)
    mac = "%012X" % number
    connection.request("POST", "/dev/devices", "passcode=%s&mac=%s&product_key=%s" % (PASSCODE, mac, PRODUCT_KEY))
    did = connection.getresponse().read().decode().removeprefix("did=")
    connection.close()
    return did


def _count(engine: Engine) -> int:
    with engine.begin() as connection:
        return connection.execute(select(func.count()).select_from(messages)).scalar_one()


def _rss_mb(pid: int) -> int:
    text = Path("/proc/%d/status" % pid).read_text()
    return int(text.split("VmRSS:")[1].split()[0]) // 1024


def _text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--broker", default="embedded", help="embedded, mosquitto, or a URL (embedded)")
    parser.add_argument("--database", help="a SQLAlchemy URL (an SQLite file that is new)")
    parser.add_argument("--devices", type=int, default=1000, help="how many devices (1000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long at each rate (30)")
    parser.add_argument("--saturate", action="store_true", help="go on with half as many again until it is too much")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
