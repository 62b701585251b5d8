"""The wiring: one cloud, started and stopped as a whole, in a process of its own or inside a test.

HTTP ─► routes ─► handlers ─► store           broker ─► DeviceSide ─► Intake ─► store ─► bus
                      └─► Cloud.send ─► DeviceSide ─► app2dev/<did>/<client>
"""

import asyncio
import contextlib
import json
import logging
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from mcu_proto.datapoint import Schema

from . import catalog, console, relay
from .accounts import Accounts
from .admission import Admission
from .app_sessions import AppCounts
from .broker import Broker
from .certificate import TlsFiles, find_certificate
from .device_side import DeviceSide
from .events import Bus
from .http_app import make_app
from .http_server import HttpServer
from .limits import Limits
from .ota_service import OtaService
from .presence import Sessions
from .request import Request
from .senders import Sender, make_sender
from .settings import Settings
from .store.database import StoreError
from .store.history import APP2DEV, Message
from .store.products import App, Product
from .store.store import Store, open_store
from .websocket_server import WebSocketServer

# Seconds between two looks at what is too old to keep.
CLEANING_INTERVAL = 3600
# Between two portions: SQLite lets one writer in at a time and keeps no queue of those who wait.
CLEANING_PAUSE = 0.02
DATABASE = "cloud.db"


class Cloud:
    """Everything but `settings` and `log` exists from `start` on."""

    log = logging.getLogger("localcloud")

    store: Store
    accounts: Accounts
    # For brokers that ask over HTTP.
    admission: Admission
    devices: DeviceSide
    websocket: WebSocketServer
    ota: OtaService
    tls: TlsFiles | None
    # At most two passwords are hashed at a time: each takes a core and 19 MiB.
    hashing: asyncio.Semaphore
    sender: Sender
    limits: Limits
    http_port: int
    https_port: int

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._running = contextlib.AsyncExitStack()
        # One client id for all that the Open API sends: no app of it waits on a topic.
        self._client = relay.new_client()
        self._schemas: dict[str, tuple[str, Schema]] = {}

    async def start(self) -> None:
        """Returns when devices and apps can connect; undoes what it did when a part cannot start."""
        async with contextlib.AsyncExitStack() as stack:
            self.store = open_cloud_store(self.settings)
            stack.callback(self.store.close)
            self.hashing = asyncio.Semaphore(2)
            self.sender = make_sender(self.settings.sender, self.store.codes)
            self.limits = Limits(self.settings.requests_per_minute)
            self.accounts = Accounts(self.store, self.settings.adopt)
            self.admission = Admission(self.accounts)
            self.tls = find_certificate(self.settings.data_dir)
            self.devices = DeviceSide(
                self.settings, self.store, self.accounts, self.schema, self._learned, self._progress
            )
            self.ota = OtaService(self.store, self.devices)
            await self.devices.start(self.tls)
            stack.push_async_callback(self.devices.stop)
            if self.settings.apps == "listed":
                self.add_app(console.APP_NAME, console.APP_ID)
            await self._start_websocket(stack)
            await self._start_http(stack)
            self.ota.start()
            stack.push_async_callback(self.ota.stop)
            cleaning = asyncio.create_task(self._clean(), name="cleaning")
            stack.push_async_callback(_cancel, cleaning)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """Ends every session in order; what was stored stays."""
        await self._running.aclose()

    @property
    def bus(self) -> Bus:
        return self.devices.bus

    @property
    def sessions(self) -> Sessions:
        return self.devices.sessions

    @property
    def app_sessions(self) -> AppCounts:
        return self.devices.apps

    @property
    def broker(self) -> Broker:
        return self.devices.broker

    @property
    def mqtt_port(self) -> int:
        return self.broker.port

    @property
    def mqtts_port(self) -> int:
        """0 without a certificate."""
        return self.broker.tls_port

    def advertised_host(self, request: Request) -> str:
        """Where devices find the broker: what the settings say, else the address they came to."""
        return self.settings.advertised_host or request.host

    def app_host(self, request: Request) -> str:
        """Where apps find broker and WebSocket API: the host of the region whose name they called, else the same."""
        name = request.headers.get("host", "").partition(":")[0].lower()
        return self.settings.regions.get(name) or self.advertised_host(request)

    def add_product(
        self, definition: dict[str, Any], secret: str, name: str = "", bools: str = "number", sharing: bool = False
    ) -> Product:
        """Adds or replaces a product; CatalogError says what is wrong with it."""
        return catalog.add_product(self.store, definition, secret, name, bools, sharing)[0]

    def add_app(self, name: str = "", app_id: str = "") -> App:
        """Adds an app, with a new id when none is given."""
        return catalog.add_app(self.store, name, app_id)

    def schema(self, product_key: str) -> Schema | None:
        """The datapoints of a product, None when the product is not known."""
        product = self.store.products.get(product_key)
        if product is None:
            return None
        text, schema = self._schemas.get(product_key, ("", None))
        # The definition may have been replaced by the command, in another process.
        if schema is None or text != product.definition:
            schema = Schema.from_definition(json.loads(product.definition))
            self._schemas[product_key] = (product.definition, schema)
        return schema

    async def send(self, did: str, p0: bytes, by: Request) -> None:
        """Sends P0 to a device on behalf of a user; ApiError when the device cannot get it."""
        await self.send_envelope(did, relay.command(p0), self._client, by)

    async def send_envelope(self, did: str, payload: bytes, client: str, by: Request) -> None:
        """The same with a whole envelope; what the device answers to `client` comes as an event with that client."""
        await self.sessions.wait_turn(did)
        self.store.history.add_message(
            Message(did, time.time(), APP2DEV, by.ip, payload, "client", by.caller.uid, by.app_id)
        )
        self.devices.publish(did, client, payload)

    async def admit_app(self, app_id: str, uid: str, token: str) -> None:
        """An app can log in to the broker with a token that was just issued, once this returns."""
        login = self.accounts.app(app_id, uid, token)
        if login is not None:
            await self.broker.admit_app(login, token)

    def _learned(self, did: str, columns: dict[str, str]) -> None:
        self.ota.learned(did, columns)

    def _progress(self, did: str, body: bytes) -> None:
        self.ota.progress(did, body)

    async def _start_websocket(self, stack: contextlib.AsyncExitStack) -> None:
        settings = self.settings
        self.websocket = WebSocketServer(self)
        await self.websocket.start(settings.http_host, settings.ws_port, settings.wss_port, self.tls)
        stack.push_async_callback(self.websocket.stop)

    async def _start_http(self, stack: contextlib.AsyncExitStack) -> None:
        app = make_app(self)
        http = HttpServer(app)
        await http.start(self.settings.http_host, self.settings.http_port)
        stack.push_async_callback(http.stop)
        self.http_port = http.port
        self.https_port = 0
        if self.tls is not None:
            https = HttpServer(app, self.tls)
            await https.start(self.settings.http_host, self.settings.https_port)
            stack.push_async_callback(https.stop)
            self.https_port = https.port

    async def _clean(self) -> None:
        while True:
            keep = (self.settings.history_days, self.settings.latest_hours)
            try:
                # In portions, so that stopping need not wait for all of it.
                while gone := await asyncio.to_thread(self.store.retention.apply, time.time(), *keep):
                    self.log.debug("%d old rows removed", gone)
                    await asyncio.sleep(CLEANING_PAUSE)
            except SQLAlchemyError as error:
                self.log.error("old records not removed: %s", error)
            await asyncio.sleep(CLEANING_INTERVAL)


def open_cloud_store(settings: Settings) -> Store:
    """The store of the settings, in a directory that only this user can read; StoreError says why not."""
    try:
        _make_private(settings.data_dir)
    except OSError as error:
        raise StoreError("data directory %s: %s; see --data" % (settings.data_dir, error.strerror)) from None
    return open_store(settings.database_url or URL.create("sqlite", database=str(settings.data_dir / DATABASE)))


def _make_private(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A directory with other things in it is somebody's own; the files in it are private anyway.
    if (path / DATABASE).exists() or not any(path.iterdir()):
        path.chmod(0o700)


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
