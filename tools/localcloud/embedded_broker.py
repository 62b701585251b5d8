"""The embedded broker: amqtt in this process, behind a door of our own. Cloud manual, device side, chapter 4.

amqtt routes messages; it speaks MQTT 3.1.1 only, knows one kind of refusal and would let a device see every topic. So
the socket is ours: the first packet is read and judged here, the answer to a bad login given here, and an accepted
connection is handed to amqtt as one of its external listeners, through a `ClientSession`, with a plain 3.1.1 CONNECT.
amqtt therefore never sees a passcode and needs no rules of its own; its plugin that accepts everybody guards nothing.

Meant for a home or a test bench: amqtt looks at every subscription for every message. Use mosquitto for hundreds.
Survives garbage, silence, half packets and floods of clients: each costs its own connection only.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud import access
from localcloud import mqtt_packet as mqtt
from localcloud.admission import BAD_LEVEL, Admission, Attempt, Verdict
from localcloud.broker import TCP_CLOSED, AppLogin, BrokerError, BrokerListener, Credentials, DeviceLogin, TlsListener
from localcloud.embedded_router import LEAVE_TIMEOUT_S, EmbeddedRouter
from localcloud.mqtt_gate import PacketGate
from localcloud.mqtt_session import ClientSession
from mcu_proto.errors import RemoteError

_LOG = logging.getLogger("localcloud.broker")

# A CONNECT of a device is under 200 bytes; a will may add some.
_MAX_CONNECT = 2048
_CONNECT_TIMEOUT_S = 10
# The original modules lose a packet that arrives together with the one before. They all speak 3.1.
_SPACING_S = {mqtt.LEVEL_3_1: 0.05, mqtt.LEVEL_3_1_1: 0.0}


class EmbeddedBroker:
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
        self.port = port
        self.tls_port = 0
        self.cloud_username = "cloud-" + secrets.token_hex(8)
        self.cloud_password = secrets.token_urlsafe(24)
        self._host = host
        self._credentials = credentials
        self._admission = Admission(credentials)
        self._listener = listener
        self._tls = tls
        self._router = EmbeddedRouter()
        self._servers: list[asyncio.Server] = []
        self._sessions: dict[str, ClientSession] = {}
        self._apps: dict[str, AppLogin] = {}
        self._watched: dict[str, set[str]] = {}
        self._online: set[str] = set()
        self._connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        await self._router.start()
        try:
            self.port = await self._listen(self.port, None)
            if self._tls is not None:
                self.tls_port = await self._listen(self._tls.port, self._tls.files.server_context())
        except BaseException:
            await self.stop()
            raise
        _LOG.info("embedded MQTT broker on %s port %d", self._host, self.port)

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for session in list(self._sessions.values()):
            session.end(TCP_CLOSED)
        for writer in self._connections.values():
            writer.transport.abort()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=LEAVE_TIMEOUT_S)
        await self._router.stop()
        self._servers.clear()

    async def admit(self, login: DeviceLogin) -> None:
        """Nothing: every login is checked against the store as it comes."""

    async def expel(self, did: str, reason: str) -> None:
        session = self._sessions.get(did)
        if session is not None:
            session.end(reason)
            await session.finished.wait()

    async def sender(self, topic: str, payload: bytes) -> str:
        """Never asked: these messages go on as `dev2ser/<did>`."""
        return ""

    async def admit_app(self, login: AppLogin, token: str) -> None:
        """Nothing, as with devices."""

    async def expel_app(self, uid: str, token_hash: str | None) -> None:
        for key, login in list(self._apps.items()):
            if login.uid == uid and token_hash in (None, login.token_hash):
                await self._end_app(key)

    async def rebind_app(self, uid: str) -> None:
        """A session that sees what it may not see any more is ended; the app logs in again and sees the rest."""
        for key, login in list(self._apps.items()):
            if login.uid == uid and not all(self._credentials.is_bound(uid, did) for did in self._watched[key]):
                await self._end_app(key)

    async def _end_app(self, key: str) -> None:
        session = self._sessions.get(key)
        if session is not None:
            session.end(TCP_CLOSED)
            await session.finished.wait()

    async def _listen(self, port: int, context: ssl.SSLContext | None) -> int:
        try:
            server = await asyncio.start_server(self._serve, self._host or None, port, ssl=context)
        except OSError as e:
            raise BrokerError(
                "the MQTT broker cannot listen on %s port %d (%s): stop what uses that port or choose another"
                % (self._host, port, e.strerror or e)
            ) from e
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first packet to its end."""
        task = asyncio.current_task()
        if task is None:
            return
        self._connections[task] = writer
        try:
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                head, body = await mqtt.read_packet(reader, _MAX_CONNECT, idle_s=None, gap_s=None)
            if head >> 4 != mqtt.CONNECT:
                raise RemoteError("MQTT packet %02x before CONNECT" % head)
            await self._welcome(mqtt.parse_connect(body), reader, writer)
        except (TimeoutError, asyncio.IncompleteReadError, OSError, RemoteError) as e:
            # Port scanners and health checks do this all day.
            _LOG.debug("connection from %s came to nothing: %s", _ip(writer), e)
        finally:
            del self._connections[task]
            writer.close()

    async def _welcome(self, connect: mqtt.Connect, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Judge the login; answer it, or let the session in for as long as it lasts."""
        if self._is_cloud(connect):
            gate = PacketGate(lambda topic: topic, access.is_filter)
            await self._route(
                self.cloud_username, _session(connect, reader, writer, gate, self.cloud_username, lambda: None)
            )
            return
        verdict = self._judge(connect, _ip(writer))
        if isinstance(verdict.login, DeviceLogin):
            await self._welcome_device(verdict.login, connect, reader, writer)
        elif isinstance(verdict.login, AppLogin):
            await self._welcome_app(verdict.login, connect, reader, writer)
        else:
            _LOG.warning("refused the MQTT login of %.80r from %s: %s", connect.client_id, _ip(writer), verdict.why)
            writer.write(mqtt.build_connack(verdict.code))

    async def _welcome_device(
        self,
        login: DeviceLogin,
        connect: mqtt.Connect,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        did, product_key, ip = login.did, login.product_key, _ip(writer)
        gate = PacketGate(
            lambda topic: access.route(did, topic),
            lambda wanted: access.may_subscribe(did, product_key, wanted),
        )
        session = _session(
            connect,
            reader,
            writer,
            gate,
            did,
            lambda: self._accepted(did, connect.keepalive_s, ip),
            on_subscribed=lambda wanted: self._listener.device_subscribed(did, wanted),
            spacing_s=_SPACING_S[connect.level],
        )
        await self._route(did, session)

    async def _welcome_app(
        self, login: AppLogin, connect: mqtt.Connect, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        client, uid = connect.client_id, login.uid
        watched: set[str] = set()

        def is_bound(did: str) -> bool:
            return self._credentials.is_bound(uid, did)

        def subscribed(wanted: str) -> None:
            did = access.watched_did(wanted)
            if did and did not in watched:
                watched.add(did)
                self._listener.app_joined(did, client)

        gate = PacketGate(
            lambda topic: topic if access.app_may_publish(client, is_bound, topic) else "",
            lambda wanted: access.app_may_subscribe(client, uid, login.app_id, is_bound, wanted),
        )
        # The name is the app's own choice: another user's, or a did, must not take its place.
        key = "%s %s" % (uid, client)

        def accepted() -> None:
            self._apps[key] = login
            self._watched[key] = watched

        session = _session(connect, reader, writer, gate, key, accepted, subscribed)
        try:
            await self._route(key, session)
        finally:
            if self._watched.get(key) is watched:
                del self._apps[key], self._watched[key]
            for did in watched:
                self._listener.app_left(did, client)

    def _is_cloud(self, connect: mqtt.Connect) -> bool:
        password = connect.password or b""
        return connect.username == self.cloud_username and hmac.compare_digest(password, self.cloud_password.encode())

    def _judge(self, connect: mqtt.Connect, ip: str) -> Verdict:
        if not connect.level:
            return Verdict(BAD_LEVEL, "it speaks neither MQTT 3.1 nor 3.1.1")
        password = (connect.password or b"").decode(errors="replace")
        return self._admission.judge(Attempt(connect.client_id, connect.username or "", password, ip))

    async def _route(self, key: str, session: ClientSession) -> None:
        """Let the session in, in the place of an older one, and see it out."""
        while key in self._sessions:
            older = self._sessions[key]
            older.displaced = True
            older.end(TCP_CLOSED)
            await older.finished.wait()
        self._sessions[key] = session
        try:
            await self._router.carry(key, session)
        finally:
            session.end(TCP_CLOSED)
            if self._sessions.get(key) is session:
                del self._sessions[key]
            if key in self._online and not session.displaced:
                self._online.remove(key)
                self._listener.device_disconnected(key, session.reason)
            session.finished.set()

    def _accepted(self, did: str, keepalive_s: int, ip: str) -> None:
        again = did in self._online
        self._online.add(did)
        self._listener.device_connected(did, keepalive_s=keepalive_s, ip=ip, again=again)


def _session(
    connect: mqtt.Connect,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    gate: PacketGate,
    router_id: str,
    on_accepted: Callable[[], None],
    on_subscribed: Callable[[str], None] = lambda wanted: None,
    spacing_s: float = 0.0,
) -> ClientSession:
    return ClientSession(
        reader,
        writer,
        gate,
        connect=connect,
        router_id=router_id,
        spacing_s=spacing_s,
        on_accepted=on_accepted,
        on_subscribed=on_subscribed,
    )


def _ip(writer: asyncio.StreamWriter) -> str:
    peer = writer.get_extra_info("peername")
    return str(peer[0]) if peer else "?"
