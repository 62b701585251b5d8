"""The device side of a cloud: broker, who is on it, what comes in, what goes out.

broker ─► Sessions (who is online), AppCounts (who looks)      dev2app/# ─► Intake ─► store, bus
Cloud ─► publish ─► app2dev/<did>/<client>                      dev2ser/# ─► Service ─► ser2cli_res/<did>
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

from gagent import topics
from mcu_proto.datapoint import Schema

from . import access, events
from .accounts import Accounts
from .app_sessions import AppCounts
from .broker import OFFLINE_RESET, Broker
from .certificate import TlsFiles
from .events import Bus, Event, LocalBus
from .intake import Incoming, Intake
from .mqtt import Received
from .own_link import OwnLink
from .presence import Sessions
from .service import Service
from .settings import Settings
from .shared_link import SharedLink
from .store.store import Store

log = logging.getLogger("localcloud")


class DeviceSide:
    """Everything but `worker` and `bus` exists from `start` on. `schema` gives the datapoints of a product key.

    `learned(did, columns)` hears which versions a device told, `progress(did, body)` how far an upgrade is.
    """

    sessions: Sessions
    apps: AppCounts

    def __init__(
        self,
        settings: Settings,
        store: Store,
        accounts: Accounts,
        schema: Callable[[str], Schema | None],
        learned: Callable[[str, dict[str, str]], None],
        progress: Callable[[str, bytes], None],
    ) -> None:
        self.worker = "worker-" + secrets.token_hex(8)
        self._settings = settings
        self._store = store
        self._accounts = accounts
        self._schema = schema
        self._learned = learned
        self._progress = progress
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = contextlib.AsyncExitStack()
        if "://" in settings.broker:
            shared = SharedLink(settings, store, accounts, self.worker, self._receive)
            self._link: OwnLink | SharedLink = shared
            self.bus: Bus = shared.bus
        else:
            self._link = OwnLink(settings, accounts, self._receive_unkept)
            self.bus = LocalBus()

    @property
    def broker(self) -> Broker:
        return self._link.broker

    async def start(self, tls: TlsFiles | None) -> None:
        """Returns when devices and apps can connect to the broker."""
        async with contextlib.AsyncExitStack() as stack:
            self._intake = Intake(self._store.intake, self._schema, self.bus)
            stack.callback(self._intake.stop)
            self.sessions = Sessions(self._store.device_sessions, self._accounts, self.bus, self._count_soon)
            self.apps = AppCounts(self._store.app_sessions, self.sessions, self.worker, self.send_service)
            self._service = Service(self.send_service, self._count_soon, self._learn, self.reset, self._progress)
            stack.callback(self.apps.stop)
            await self._link.start(self.sessions, self.apps, tls)
            stack.push_async_callback(self._link.stop)
            stack.callback(self.bus.subscribe(self._hear))
            stack.push_async_callback(self._finish_tasks)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """Ends every session in order."""
        await self._running.aclose()

    def publish(self, did: str, client: str, payload: bytes) -> None:
        """Sends an envelope to a device whose turn it is."""
        self._link.publish(topics.app2dev(did, client), payload)
        self.sessions.sent(did)

    def send_service(self, did: str, payload: bytes) -> None:
        """Sends a device a message of the service itself."""
        self._link.publish(topics.ser2cli_res(did), payload)

    def online(self, dids: list[str]) -> set[str]:
        """Those of the devices that are on line."""
        return self.sessions.online(dids)

    async def reset(self, did: str) -> None:
        """Takes a device back: it may not log in again, and nobody is bound to it."""
        uids = self._store.bindings.users_of(did)
        self._store.devices.disable(did)
        log.info("device %s was reset: disabled", did)
        await self.expel_reset(did, uids)

    async def expel_reset(self, did: str, uids: list[str]) -> None:
        """Ends the session of a device that was reset, and tells the users it was bound to."""
        for uid in uids:
            self.bus.publish(Event(events.BINDING, did, {"uid": uid, "bind": False}))
        await self.broker.expel(did, OFFLINE_RESET)

    def _receive_unkept(self, message: Received) -> None:
        self._receive(Incoming(message.topic, message.payload, time.time()))

    def _receive(self, message: Incoming) -> None:
        """A message of a device. The broker lets it publish under its own did only."""
        kind, did, _ = topics.parse(message.topic)
        if kind == "dev2app":
            self._intake.receive(message)
            return
        if kind == "dev2ser":
            self._do(self._service.receive(did, message.payload))
        elif kind in access.SERVICE_TOPICS:
            self._do(self._serve_unnamed(message))
        if message.ack is not None:
            message.ack()

    async def _serve_unnamed(self, message: Incoming) -> None:
        did = await self.broker.sender(message.topic, message.payload)
        if did:
            await self._service.receive(did, message.payload)
        else:
            log.warning("a message on %s was dropped: the broker does not tell who sent it", message.topic)

    def _hear(self, event: Event) -> None:
        """What changes the rights of an app on the broker."""
        if event.kind == events.TOKEN:
            self._do(self.broker.expel_app(event.data["uid"], event.data["token_hash"]))
        elif event.kind == events.BINDING:
            self._do(self.broker.rebind_app(event.data["uid"]))

    def _count_soon(self, did: str) -> None:
        self.apps.push_soon(did)

    def _learn(self, did: str, columns: dict[str, str]) -> None:
        self._store.devices.learn(did, **columns)
        self._learned(did, columns)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs what takes a while; it ends with the cloud."""
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish_tasks(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        # This is the pump: whoever asked is a device, and gets no answer.
        log.exception("what the broker was to do was not done")
