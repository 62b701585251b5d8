"""mosquitto as the broker: a child process with accounts from the cloud's store. Cloud manual, device side, chapter 4.

For many devices. It differs from the embedded broker in what mosquitto itself decides: every refused login gets
CONNACK 5, there is no pause between two packets to an original module but what the cloud leaves between its own, and
an adopted device cannot log in before its passcode is known, for mosquitto tells nobody what a client tried: it is
learned when the device asks for firmware, which modules do at every start.

Accounts are kept by mosquitto's dynamic security plugin, not by its password and topic files. Both hold hashes only,
but files are read again on a signal nobody answers, and a device logs in a moment after it is registered: the plugin
acks each command, so `admit` knows when the door is open, and taking an account away ends its session at once.

When mosquitto dies, every device is reported offline and it is started again on the same port, with accounts written
afresh from the store.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud import access
from localcloud import mosquitto_config as config
from localcloud import mosquitto_log as log
from localcloud import mosquitto_process as program
from localcloud.admission import app_username, parse_app
from localcloud.broker import (
    OFFLINE_RESET,
    TCP_CLOSED,
    AppLogin,
    BrokerError,
    BrokerListener,
    Credentials,
    DeviceLogin,
    TlsListener,
)
from localcloud.mosquitto_control import MosquittoControl
from localcloud.mosquitto_senders import Senders

_LOG = logging.getLogger("localcloud.broker")

_RESTART_DELAY_S = 0.5
# A port that was free when we looked may be taken when mosquitto opens it.
_PORT_TRIES = 5


class MosquittoBroker:
    def __init__(
        self,
        *,
        host: str,
        port: int,
        data_dir: Path,
        credentials: Credentials,
        listener: BrokerListener,
        tls: TlsListener | None,
    ) -> None:
        self.port = self._port = port
        self.tls_port = 0
        self.cloud_username = "cloud-" + secrets.token_hex(8)
        self.cloud_password = secrets.token_urlsafe(24)
        self._host = host
        self._dir = data_dir / "mosquitto"
        self._credentials = credentials
        self._listener = listener
        self._tls = tls
        self._control = MosquittoControl()
        self._admitted: dict[str, DeviceLogin] = {}
        self._online: set[str] = set()
        self._apps: dict[str, AppLogin] = {}
        self._expelled: dict[str, str] = {}
        self._senders = Senders()
        # client id -> (uid, dids it looks at) of the apps that are here
        self._looking: dict[str, tuple[str, set[str]]] = {}
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        binary, plugin = program.find_binary(), program.find_plugin()
        process = await self._launch_somewhere(binary, plugin)
        self._keeper = asyncio.create_task(self._keep(process, binary, plugin), name="mosquitto")
        try:
            await self._control.start(self._host, self.port)
        except BrokerError:
            await self.stop()
            raise
        _LOG.info("mosquitto on %s port %d", self._host, self.port)

    async def stop(self) -> None:
        await self._control.stop()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None

    async def admit(self, login: DeviceLogin) -> None:
        if config.is_known(login) and self._admitted.get(login.did) != login:
            await self._control.run(config.admit_commands(login))
            self._admitted[login.did] = login
        elif not config.is_known(login):
            _LOG.info("%s cannot log in to mosquitto before its passcode is known", login.did)
            await self._dismiss(login.did)

    async def expel(self, did: str, reason: str) -> None:
        if did not in self._admitted:
            return
        self._expelled[did] = reason
        login = self._credentials.device(did)
        if login is None or not config.is_known(login):
            await self._dismiss(did)
            return
        self._admitted[did] = login
        await self._control.run(config.kick_commands(login))

    async def admit_app(self, login: AppLogin, token: str) -> None:
        dids = self._credentials.bound_dids(login.uid)
        await self._control.run(config.admit_app_commands(login, token, dids))
        self._apps[app_username(login.app_id, login.uid)] = login

    async def expel_app(self, uid: str, token_hash: str | None) -> None:
        for username, login in list(self._apps.items()):
            if login.uid == uid and not self._credentials.is_token(uid, login.token_hash):
                del self._apps[username]
                await self._control.run([{"command": "deleteClient", "username": username}])

    async def rebind_app(self, uid: str) -> None:
        if any(login.uid == uid for login in self._apps.values()):
            await self._control.run(config.rebind_app_commands(uid, self._credentials.bound_dids(uid)))

    async def sender(self, topic: str, payload: bytes) -> str:
        """Who sent a message to one of the topics without a did; "" when that cannot be told."""
        return await self._senders.sender(topic, len(payload))

    async def _dismiss(self, did: str) -> None:
        if self._admitted.pop(did, None) is not None:
            await self._control.run(config.dismiss_commands(did))

    async def _launch_somewhere(self, binary: str, plugin: Path) -> asyncio.subprocess.Process:
        """Start mosquitto on the ports asked for, on free ones when they are 0."""
        for left in reversed(range(_PORT_TRIES)):
            self.port = self._port or program.find_free_port(self._host)
            if self._tls is not None:
                self.tls_port = self._tls.port or program.find_free_port(self._host)
            try:
                return await self._launch(binary, plugin)
            except BrokerError:
                if not left or self._port:
                    raise
        raise BrokerError("no free port on %s" % self._host)

    async def _launch(self, binary: str, plugin: Path) -> asyncio.subprocess.Process:
        """Write the files from the store and start mosquitto."""
        settings, accounts = self._dir / "mosquitto.conf", self._dir / "accounts.json"
        self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._admitted = {login.did: login for login in self._credentials.devices() if config.is_known(login)}
        services = [
            config.Service(self.cloud_username, self.cloud_password, ("#",)),
            config.Service(self._control.username, self._control.password, self._control.filters),
        ]
        apps = [(client, self._credentials.bound_dids(config.kept_uid(client))) for client in self._kept(accounts)]
        _write_private(accounts, json.dumps(config.accounts_document(services, self._admitted.values(), apps)))
        tls = None if self._tls is None else self._tls._replace(port=self.tls_port)
        _write_private(settings, config.settings_text(self._host, self.port, plugin, accounts, tls))
        return await program.launch(binary, settings)

    def _kept(self, accounts: Path) -> list[dict[str, Any]]:
        """The accounts of apps whose token still holds, from the plugin's own file: only it has their passwords."""
        try:
            known = json.loads(accounts.read_text())["clients"]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        kept = []
        for client in known:
            uid, token_hash = config.kept_uid(client), client.get("textname", "")
            if uid and self._credentials.is_token(uid, token_hash):
                self._apps[client["username"]] = AppLogin("", uid, token_hash)
                kept.append(client)
        return kept

    async def _keep(self, process: asyncio.subprocess.Process, binary: str, plugin: Path) -> None:
        """Follow mosquitto's log, and start it again when it dies."""
        try:
            while True:
                async for line in program.log_lines(process):
                    self._read_line(line)
                _LOG.error("mosquitto ended with status %s: starting it again", await process.wait())
                self._all_gone()
                process = await self._launch_again(binary, plugin)
        finally:
            self._all_gone()
            await program.end(process)

    async def _launch_again(self, binary: str, plugin: Path) -> asyncio.subprocess.Process:
        while True:
            await asyncio.sleep(_RESTART_DELAY_S)
            try:
                return await self._launch(binary, plugin)
            except (BrokerError, OSError) as e:
                _LOG.error("%s", e)

    def _read_line(self, line: str) -> None:
        _LOG.debug("mosquitto: %s", line)
        event = log.parse_line(line)
        if event is None:
            return
        handlers: dict[type, Callable[[Any], None]] = {
            log.Connected: self._connected,
            log.Subscribed: self._subscribed,
            log.Published: lambda event: self._senders.saw(*event),
            log.Disconnected: self._disconnected,
        }
        handlers[type(event)](event)

    def _connected(self, event: log.Connected) -> None:
        app = parse_app(event.username)
        if app is not None:
            self._looking[event.did] = (app[1], set())
        if event.did not in self._admitted or event.username != event.did:
            return
        again = event.did in self._online
        self._online.add(event.did)
        self._expelled.pop(event.did, None)
        self._listener.device_connected(event.did, keepalive_s=event.keepalive_s, ip=event.ip, again=again)

    def _subscribed(self, event: log.Subscribed) -> None:
        looking, watched = self._looking.get(event.did), access.watched_did(event.topic_filter)
        if looking and watched and watched not in looking[1] and self._credentials.is_bound(looking[0], watched):
            looking[1].add(watched)
            self._listener.app_joined(watched, event.did)
        login = self._admitted.get(event.did)
        if login is not None and access.may_subscribe(login.did, login.product_key, event.topic_filter):
            self._listener.device_subscribed(event.did, event.topic_filter)

    def _disconnected(self, event: log.Disconnected) -> None:
        for did in self._looking.pop(event.did, ("", set()))[1]:
            self._listener.app_left(did, event.did)
        if event.did in self._online:
            self._online.remove(event.did)
            reason = event.reason or self._expelled.pop(event.did, OFFLINE_RESET)
            self._listener.device_disconnected(event.did, reason)

    def _all_gone(self) -> None:
        for client in list(self._looking):
            self._disconnected(log.Disconnected(client, TCP_CLOSED))
        while self._online:
            self._listener.device_disconnected(self._online.pop(), TCP_CLOSED)


def _write_private(path: Path, text: str) -> None:
    """Write a file nobody else can read, not even for a moment."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
