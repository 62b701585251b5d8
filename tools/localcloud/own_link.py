"""A broker of this cloud's own, embedded or a mosquitto that it starts, and the cloud's session on it.

There is one worker, this one: what the broker had when it ends is gone with it, and events stay in this process.
"""

from collections.abc import Callable

from . import access
from .accounts import Accounts
from .app_sessions import AppCounts
from .broker import TlsListener, make_broker
from .certificate import TlsFiles
from .mqtt import CloudMqtt, Received
from .presence import Sessions
from .settings import Settings

FILTERS = ("dev2app/#", "dev2ser/+", *access.SERVICE_TOPICS)


class OwnLink:
    """`receive` gets what devices publish."""

    def __init__(self, settings: Settings, accounts: Accounts, receive: Callable[[Received], None]) -> None:
        self._settings = settings
        self._accounts = accounts
        self._mqtt = CloudMqtt(receive, FILTERS)

    async def start(self, sessions: Sessions, apps: AppCounts, tls: TlsFiles | None) -> None:
        """Returns when devices and apps can connect; BrokerError when they never will."""
        # The broker begins with this cloud: whoever the records show was cut off by a crash.
        sessions.all_gone("offline_exception")
        apps.drop_all()
        settings = self._settings
        self.broker = make_broker(
            settings.broker,
            host=settings.mqtt_host,
            port=settings.mqtt_port,
            data_dir=settings.data_dir,
            credentials=self._accounts,
            listener=_Listener(sessions, apps),
            tls=TlsListener(settings.mqtts_port, tls) if tls else None,
        )
        await self.broker.start()
        try:
            await self._mqtt.start(
                settings.mqtt_host, self.broker.port, self.broker.cloud_username, self.broker.cloud_password
            )
        except BaseException:
            await self.broker.stop()
            raise

    async def stop(self) -> None:
        await self._mqtt.stop()
        await self.broker.stop()

    def publish(self, topic: str, payload: bytes) -> None:
        self._mqtt.publish(topic, payload)


class _Listener:
    """The broker's listener: devices to one, apps to the other."""

    def __init__(self, sessions: Sessions, apps: AppCounts) -> None:
        self.device_connected = sessions.device_connected
        self.device_subscribed = sessions.device_subscribed
        self.device_disconnected = sessions.device_disconnected
        self.app_joined = apps.join
        self.app_left = apps.leave
