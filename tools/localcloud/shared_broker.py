"""A broker that runs already and belongs to somebody else; several clouds ("workers") may share it.

Two ways to say who may log in (`broker_accounts`):

    control   mosquitto with its dynamic security plugin. The URL's user is its administrator; accounts are written
              there, each command acked. Devices and apps are told apart by roles, as in `mosquitto_config`.
    http      EMQX, and whatever else asks over HTTP: it is answered by `broker_hooks`. Nothing is written anywhere.

What the broker itself has to be set to is in the README.
"""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from . import mosquitto_config as config
from .broker import AppLogin, Credentials, DeviceLogin
from .mosquitto_control import MosquittoControl
from .mqtt import CloudMqtt

_PLAIN_PORT = 1883
# Accounts written in one command.
_BATCH = 200
# An account may be there already: of another worker, or of the time before.
_KNOWN = ("createRole", "createClient")

log = logging.getLogger("localcloud.broker")


class Address(NamedTuple):
    host: str
    port: int
    username: str
    password: str
    tls: ssl.SSLContext | None

    async def connect(self, mqtt: CloudMqtt, client_id: str) -> None:
        """Starts a session of that name; BrokerError when the broker does not let it."""
        await mqtt.start(self.host, self.port, self.username, self.password, client_id, self.tls)


def parse_url(url: str, ca: Path) -> Address:
    """The address in a URL that the settings have checked; with `mqtts` also this cloud's own authority is trusted."""
    parts = urlsplit(url)
    tls = None
    if parts.scheme == "mqtts":
        tls = ssl.create_default_context(cafile=str(ca) if ca.exists() else None)
    port = parts.port or (8883 if tls else _PLAIN_PORT)
    return Address(parts.hostname or "", port, unquote(parts.username or ""), unquote(parts.password or ""), tls)


class SharedBroker:
    """The accounts on a shared broker. `ended(did, reason)` is told of a session that this cloud ends."""

    def __init__(self, address: Address, credentials: Credentials, ended: Callable[[str, str], None]) -> None:
        # A URL names one port; modules need a plain one, and every broker has it there.
        self.port = _PLAIN_PORT if address.tls else address.port
        self.tls_port = address.port if address.tls else 0
        self.cloud_username, self.cloud_password = address.username, address.password
        self._address = address
        self._credentials = credentials
        self._ended = ended

    async def start(self) -> None:
        """Nothing: it runs."""

    async def stop(self) -> None:
        """Nothing: it goes on."""

    async def admit(self, login: DeviceLogin) -> None:
        """Nothing: the broker asks."""

    async def expel(self, did: str, reason: str) -> None:
        """A session of the same name takes the place of the device's, and ends."""
        self._ended(did, reason)
        mqtt = CloudMqtt(lambda message: None, ())
        await self._address.connect(mqtt, did)
        await mqtt.stop()

    async def sender(self, topic: str, payload: bytes) -> str:
        return ""

    async def admit_app(self, login: AppLogin, token: str) -> None:
        """Nothing: the broker asks."""

    async def expel_app(self, uid: str, token_hash: str | None) -> None:
        """The broker asks for every message, and is told no."""

    async def rebind_app(self, uid: str) -> None:
        """The broker asks for every message."""


class ControlledBroker(SharedBroker):
    """mosquitto with its dynamic security plugin."""

    def __init__(self, address: Address, credentials: Credentials, ended: Callable[[str, str], None]) -> None:
        super().__init__(address, credentials, ended)
        self._control = MosquittoControl(address.username, address.password)

    async def start(self) -> None:
        """Writes the accounts that the broker lacks: of a database that was brought here, or of a broker that was."""
        await self._control.start(self._address.host, self._address.port, self._address.tls)
        answers = await self._control.run([{"command": "getClient", "username": self._address.username}])
        if not config.is_service(answers[0].get("data", {}).get("client", {})):
            await self._control.run(config.service_commands(self._address.username), ("createRole", "addClientRole"))
        known = await self._known()
        missing = [login for login in self._credentials.devices() if config.is_known(login) and login.did not in known]
        for i in range(0, len(missing), _BATCH):
            batch = missing[i : i + _BATCH]
            await self._control.run([command for login in batch for command in _admission(login)], _KNOWN)
        if missing:
            log.info("%d accounts written to the broker", len(missing))

    async def stop(self) -> None:
        await self._control.stop()

    async def admit(self, login: DeviceLogin) -> None:
        if config.is_known(login):
            await self._control.run(_admission(login), _KNOWN)

    async def expel(self, did: str, reason: str) -> None:
        self._ended(did, reason)
        login = self._credentials.device(did)
        if login is not None and config.is_known(login):
            await self._control.run(config.kick_commands(login), ("disableClient", "enableClient"))

    async def admit_app(self, login: AppLogin, token: str) -> None:
        commands = config.admit_app_commands(login, token, self._credentials.bound_dids(login.uid))
        await self._control.run(commands, ("createRole",))

    async def expel_app(self, uid: str, token_hash: str | None) -> None:
        for client in await self._apps(uid):
            if not self._credentials.is_token(uid, str(client.get("textname", ""))):
                await self._control.run([{"command": "deleteClient", "username": client["username"]}])

    async def rebind_app(self, uid: str) -> None:
        # A user whose apps never came here has no role, and needs none.
        await self._control.run(config.rebind_app_commands(uid, self._credentials.bound_dids(uid)), ("modifyRole",))

    async def _known(self) -> set[str]:
        answers = await self._control.run([{"command": "listClients"}])
        return {str(name) for answer in answers for name in answer.get("data", {}).get("clients", ())}

    async def _apps(self, uid: str) -> list[dict[str, Any]]:
        answers = await self._control.run([{"command": "listClients", "verbose": True}])
        clients = [client for answer in answers for client in answer.get("data", {}).get("clients", ())]
        return [client for client in clients if config.kept_uid(client) == uid]


def _admission(login: DeviceLogin) -> list[dict[str, Any]]:
    """What makes the account be as the database says without ending a session that is right."""
    _, _, role, client, *disable = config.admit_commands(login)
    return [role, {**role, "command": "modifyRole"}, client, *disable]
