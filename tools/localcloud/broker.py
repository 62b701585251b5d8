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
from typing import Any, NamedTuple, Protocol

from localcloud.certificate import TlsFiles

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


@dataclass(frozen=True)
class AppLogin:
    """A user's app that showed a valid token."""

    app_id: str
    uid: str
    token_hash: str = field(repr=False)


class Credentials(Protocol):
    """Where the broker finds the devices and the users' tokens: the cloud's store."""

    def device(self, did: str) -> DeviceLogin | None:
        """The login of one device, None when it is unknown."""

    def devices(self) -> Iterable[DeviceLogin]:
        """Every device there is."""

    def learn_passcode(self, did: str, passcode: str) -> None:
        """Keep the passcode an adopted device logged in with for the first time."""

    def app(self, app_id: str, uid: str, token: str) -> AppLogin | None:
        """The login of an app, None when the token is not one of that user or is over."""

    def is_bound(self, uid: str, did: str) -> bool:
        """Whether a user may see and control a device."""

    def bound_dids(self, uid: str) -> list[str]:
        """All the devices of a user."""

    def is_token(self, uid: str, token_hash: str) -> bool:
        """Whether the token of that hash is one of the user's and not over."""


class BrokerListener(Protocol):
    """Told who comes and goes; plain calls in the event loop."""

    def device_connected(self, did: str, *, keepalive_s: int, ip: str, again: bool) -> None:
        """A device logged in; `again` when it took over its own older session, which ends without a word."""

    def device_subscribed(self, did: str, topic_filter: str) -> None:
        """A filter of a device is being served from now on."""

    def device_disconnected(self, did: str, reason: str) -> None:
        """A device's session ended."""

    def app_joined(self, did: str, client: str) -> None:
        """An app, known by its client id, is served the reports of a device from now on."""

    def app_left(self, did: str, client: str) -> None:
        """It is no longer."""


class Broker(Protocol):
    """A broker, whatever its kind. `port` and the cloud's own account are valid after `start`."""

    port: int
    tls_port: int  # 0 without a certificate
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

    async def sender(self, topic: str, payload: bytes) -> str:
        """Who sent a message to `cli2ser_req` or `cli2ser`, asked for each in turn; "" when this broker cannot tell."""

    async def admit_app(self, login: AppLogin, token: str) -> None:
        """Once this returns an app can log in with a token that was just issued."""

    async def expel_app(self, uid: str, token_hash: str | None) -> None:
        """A token is over, or (None) some of the user's are: no session lives on with one."""

    async def rebind_app(self, uid: str) -> None:
        """The devices of a user are others than before: its apps reach those and no longer the rest."""


class TlsListener(NamedTuple):
    """Where the broker listens with TLS, and with which certificate. Port 0: any free one."""

    port: int
    files: TlsFiles


def make_broker(
    kind: str,
    *,
    host: str,
    port: int,
    data_dir: Path,
    credentials: Credentials,
    listener: BrokerListener,
    tls: TlsListener | None = None,
) -> Broker:
    """A broker of the kind named, not started; BrokerError when there is no such kind."""
    if kind not in _KINDS:
        raise BrokerError('unknown broker "%s": use one of %s' % (kind, ", ".join(sorted(_KINDS))))
    module, name = _KINDS[kind]
    made: Broker = getattr(importlib.import_module(module), name)(
        host=host, port=port, data_dir=Path(data_dir), credentials=credentials, listener=_Guarded(listener), tls=tls
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

    def app_joined(self, did: str, client: str) -> None:
        self._call(self._listener.app_joined, did, client)

    def app_left(self, did: str, client: str) -> None:
        self._call(self._listener.app_left, did, client)

    def _call(self, method: Callable[..., None], did: str, *args: str, **kwargs: Any) -> None:
        try:
            method(did, *args, **kwargs)
        except Exception:
            _LOG.exception("the presence of %s was not recorded", did)
