"""The MQTT broker devices log in to: what every kind of broker promises, and the choice of one.

Cloud manual, device side, chapter 4. Two kinds: `embedded` runs in this process and needs nothing installed;
`mosquitto` is a child process for many devices. Both take their accounts from `Credentials`, tell a `BrokerListener`
who comes and goes, keep nothing between connections, and let a device use its own topics only (see `access`).
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

_LOG = logging.getLogger("localcloud.broker")

# Why a device went offline, in the words of the cloud's log (chapter 4.8).
MQTT_DISCONNECT = "mqtt_disconnect"
NO_HEARTBEAT = "no_heartbeat"
TCP_CLOSED = "tcp_closed"
OFFLINE_RESET = "offline_reset"

# Imported on first use: each pulls in half a second of libraries the other does not need.
_KINDS = {
    "embedded": ("localcloud.embedded_broker", "EmbeddedBroker"),
    "mosquitto": ("localcloud.mosquitto", "MosquittoBroker"),
}


class BrokerError(Exception):
    """The broker cannot run; the text says what to do."""


@dataclass(frozen=True)
class DeviceLogin:
    """What a device may log in with. Passcode and product key are "" while an adopted device's are unknown."""

    did: str
    passcode: str = field(repr=False)
    product_key: str
    disabled: bool


class Credentials(Protocol):
    """Where the broker finds the devices: the cloud's store."""

    def device(self, did: str) -> DeviceLogin | None:
        """The login of one device, None when it is unknown."""

    def devices(self) -> Iterable[DeviceLogin]:
        """Every device there is."""

    def learn_passcode(self, did: str, passcode: str) -> None:
        """Keep the passcode an adopted device logged in with for the first time."""


class BrokerListener(Protocol):
    """Told who comes and goes; plain calls in the event loop."""

    def device_connected(self, did: str, *, keepalive_s: int, ip: str, again: bool) -> None:
        """A device logged in; `again` when it took over its own older session, which ends without a word."""

    def device_subscribed(self, did: str, topic_filter: str) -> None:
        """A filter of a device is being served from now on."""

    def device_disconnected(self, did: str, reason: str) -> None:
        """A device's session ended."""


class Broker(Protocol):
    """A broker, whatever its kind. `port` and the cloud's own account are valid after `start`."""

    port: int
    cloud_username: str
    cloud_password: str

    async def start(self) -> None:
        """Listen; BrokerError when that cannot be."""

    async def stop(self) -> None:
        """End every session, telling the listener, and free the port."""

    async def admit(self, login: DeviceLogin) -> None:
        """Once this returns the device can log in with what `login` says."""

    async def expel(self, did: str, reason: str) -> None:
        """End the device's session now; it may come back if its login is not disabled."""


def make_broker(
    kind: str, *, host: str, port: int, data_dir: Path, credentials: Credentials, listener: BrokerListener
) -> Broker:
    """A broker of the kind named, not started; BrokerError when there is no such kind."""
    if kind not in _KINDS:
        raise BrokerError('unknown broker "%s": use one of %s' % (kind, ", ".join(sorted(_KINDS))))
    module, name = _KINDS[kind]
    made: Broker = getattr(importlib.import_module(module), name)(
        host=host, port=port, data_dir=Path(data_dir), credentials=credentials, listener=_Guarded(listener)
    )
    return made


class _Guarded:
    """A listener whose errors are logged here: this is the pump; one bad call must not end a session."""

    def __init__(self, listener: BrokerListener) -> None:
        self._listener = listener

    def device_connected(self, did: str, *, keepalive_s: int, ip: str, again: bool) -> None:
        self._call(self._listener.device_connected, did, keepalive_s=keepalive_s, ip=ip, again=again)

    def device_subscribed(self, did: str, topic_filter: str) -> None:
        self._call(self._listener.device_subscribed, did, topic_filter)

    def device_disconnected(self, did: str, reason: str) -> None:
        self._call(self._listener.device_disconnected, did, reason)

    def _call(self, method: Callable[..., None], did: str, *args: str, **kwargs: Any) -> None:
        try:
            method(did, *args, **kwargs)
        except Exception:
            _LOG.exception("the presence of %s was not recorded", did)
