"""This worker's end of a broker that several share: accounts, sessions that are kept, events between the workers.

localcloud-reports-…, localcloud-presence   kept by the broker, QoS 1 (see `shared_sessions`)
<worker>                                    not kept: commands go out, events of the other workers come in
"""

import time
from collections.abc import Callable

from . import events
from .accounts import Accounts
from .app_sessions import AppCounts
from .certificate import TlsFiles
from .events import MqttBus
from .intake import Incoming
from .mqtt import CloudMqtt, Received
from .presence import Sessions
from .settings import Settings
from .shared_broker import ControlledBroker, SharedBroker, parse_url
from .shared_presence import FILTERS, UPTIME, SharedPresence
from .shared_sessions import SharedSessions, Work
from .store.store import Store

_SHARE = "$share/localcloud/"
_REPORT_FILTERS = (_SHARE + "dev2app/#", _SHARE + "dev2ser/+")
_BROKERS = {"control": ControlledBroker, "http": SharedBroker}


class SharedLink:
    """`receive` gets what devices publish."""

    def __init__(
        self, settings: Settings, store: Store, accounts: Accounts, worker: str, receive: Callable[[Incoming], None]
    ) -> None:
        self.bus = MqttBus(worker, self.publish)
        self._settings = settings
        self._store = store
        self._accounts = accounts
        self._worker = worker
        self._receive = receive
        self._address = parse_url(settings.broker, settings.data_dir / "tls" / "ca.crt")
        self._plain = CloudMqtt(self._hear, (events.FILTER, UPTIME), on_new=self._linked)
        self._linked_at = 0.0

    async def start(self, sessions: Sessions, apps: AppCounts, tls: TlsFiles | None) -> None:
        """Returns when devices and apps can connect; BrokerError when this cloud cannot."""
        self.broker = _BROKERS[self._settings.broker_accounts](
            self._address, self._accounts, sessions.device_disconnected
        )
        self._presence = SharedPresence(sessions, apps, self._accounts)
        self._kept = SharedSessions(
            self._store,
            self._worker,
            self._address.connect,
            Work(
                _REPORT_FILTERS,
                FILTERS[self._settings.broker_accounts],
                self._receive,
                self._presence.receive,
                apps.drop,
            ),
        )
        try:
            await self._address.connect(self._plain, self._worker)
            self._presence.start()
            await self.broker.start()
            await self._kept.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self._kept.stop()
        await self._presence.stop()
        await self.broker.stop()
        await self._plain.stop()

    def publish(self, topic: str, payload: bytes) -> None:
        self._plain.publish(topic, payload)

    def _linked(self) -> None:
        self._linked_at = time.time()

    def _hear(self, message: Received) -> None:
        if message.topic == UPTIME:
            self._presence.receive_uptime(message.payload, self._linked_at)
        else:
            self.bus.receive(message.topic, message.payload)
