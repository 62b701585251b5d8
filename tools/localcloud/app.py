"""The wiring: one cloud, started and stopped as a whole, in a process of its own or inside a test.

HTTP ─► routes ─► handlers ─► store           dev2app/# ─► Cloud._receive ─► relay ─► store
                      └─► Cloud.send ─► app2dev/<did>/<client>
broker ─► accounts (who may log in), sessions (who is online)
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

from gagent import topics
from mcu_proto.datapoint import Schema
from mcu_proto.errors import RemoteError

from . import catalog, relay
from .accounts import Accounts
from .broker import Broker, make_broker
from .http_app import make_app
from .http_server import HttpServer
from .mqtt import CloudMqtt
from .presence import Sessions
from .request import Request
from .settings import Settings
from .store.database import StoreError
from .store.history import APP2DEV, DEV2APP, Message
from .store.products import App, Product
from .store.store import Store, open_store

# Seconds between two looks at what is too old to keep.
CLEANING_INTERVAL = 3600
# Expired tokens are remembered for a while: "expired" tells an app more than "invalid".
EXPIRED_TOKENS_S = 30 * 86400
DATABASE = "cloud.db"


class Cloud:
    """Everything but `settings` and `log` exists from `start` on."""

    log = logging.getLogger("localcloud")

    store: Store
    accounts: Accounts
    sessions: Sessions
    broker: Broker
    # At most two passwords are hashed at a time: each takes a core and 19 MiB.
    hashing: asyncio.Semaphore
    http_port: int

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._running = contextlib.AsyncExitStack()
        # One client id for all that the Open API sends: no app of it waits on a topic.
        self._client = relay.new_client()
        self._mqtt = CloudMqtt(self._receive)
        self._schemas: dict[str, tuple[str, Schema]] = {}

    async def start(self) -> None:
        """Returns when devices and apps can connect; undoes what it did when a part cannot start."""
        async with contextlib.AsyncExitStack() as stack:
            self.store = open_cloud_store(self.settings)
            stack.callback(self.store.close)
            self.hashing = asyncio.Semaphore(2)
            self.accounts = Accounts(self.store.devices, self.settings.adopt)
            self.sessions = Sessions(self.store.history, self.accounts)
            self.sessions.start()
            await self._start_mqtt(stack)
            http = HttpServer(make_app(self))
            await http.start(self.settings.http_host, self.settings.http_port)
            stack.push_async_callback(http.stop)
            self.http_port = http.port
            cleaning = asyncio.create_task(self._clean(), name="cleaning")
            stack.push_async_callback(_cancel, cleaning)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """Ends every session in order; what was stored stays."""
        await self._running.aclose()

    @property
    def mqtt_port(self) -> int:
        return self.broker.port

    def advertised_host(self, request: Request) -> str:
        """Where devices and apps find the broker: what the settings say, else the address they came to."""
        return self.settings.advertised_host or request.host

    def add_product(self, definition: dict[str, Any], secret: str, name: str = "", bools: str = "number") -> Product:
        """Adds or replaces a product; CatalogError says what is wrong with it."""
        return catalog.add_product(self.store, definition, secret, name, bools)[0]

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
        await self.sessions.wait_turn(did)
        payload = relay.command(p0)
        self._mqtt.publish(topics.app2dev(did, self._client), payload)
        self.store.history.add_message(
            Message(did, time.time(), APP2DEV, by.ip, payload, "client", by.caller.uid, by.app_id)
        )

    async def _start_mqtt(self, stack: contextlib.AsyncExitStack) -> None:
        settings = self.settings
        self.broker = make_broker(
            settings.broker,
            host=settings.mqtt_host,
            port=settings.mqtt_port,
            data_dir=settings.data_dir,
            credentials=self.accounts,
            listener=self.sessions,
        )
        await self.broker.start()
        stack.push_async_callback(self.broker.stop)
        await self._mqtt.start(
            settings.mqtt_host, self.broker.port, self.broker.cloud_username, self.broker.cloud_password
        )
        stack.push_async_callback(self._mqtt.stop)

    def _receive(self, topic: str, payload: bytes) -> None:
        """A message of a device. The broker lets it publish under its own did only."""
        kind, did, _client = topics.parse(topic)
        if kind != DEV2APP:
            return
        now = time.time()
        try:
            self.store.history.add_message(Message(did, now, DEV2APP, self.sessions.ip(did), payload))
            device = self.store.devices.get(did)
            schema = self.schema(device.product_key) if device else None
            attrs = relay.state_of(schema, payload) if schema else {}
            if attrs:
                self.store.devices.merge_attrs(did, attrs, now)
        except RemoteError as error:
            self.log.warning("device %s sent what cannot be read: %s", did, error)
        except SQLAlchemyError as error:
            self.log.error("message of device %s not stored: %s", did, error)

    async def _clean(self) -> None:
        while True:
            now = time.time()
            try:
                self.store.history.drop(before=now - self.settings.history_days * 86400)
                self.store.users.drop_tokens(expired_before=int(now) - EXPIRED_TOKENS_S)
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
