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
from pathlib import Path
from typing import Any

from amqtt.broker import Broker as Router
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType

from localcloud import access
from localcloud import mqtt_packet as mqtt
from localcloud.broker import TCP_CLOSED, BrokerError, BrokerListener, Credentials, DeviceLogin
from localcloud.mqtt_gate import PacketGate
from localcloud.mqtt_session import ClientSession
from mcu_proto.errors import RemoteError

_LOG = logging.getLogger("localcloud.broker")

ACCEPTED, BAD_LEVEL, BAD_CLIENT_ID, BAD_LOGIN, NOT_ALLOWED = 0, 1, 2, 4, 5

# A CONNECT of a device is under 200 bytes; a will may add some.
_MAX_CONNECT = 2048
_CONNECT_TIMEOUT_S = 10
# The original modules lose a packet that arrives together with the one before. They all speak 3.1.
_SPACING_S = {mqtt.LEVEL_3_1: 0.05, mqtt.LEVEL_3_1_1: 0.0}
# How long the router gets to let go of a session that is over; a successor enters only after that.
_LEAVE_TIMEOUT_S = 5
_LISTENER = "default"


class EmbeddedBroker:
    def __init__(
        self, *, host: str, port: int, data_dir: Path, credentials: Credentials, listener: BrokerListener
    ) -> None:
        self.port = port
        self.cloud_username = "cloud-" + secrets.token_hex(8)
        self.cloud_password = secrets.token_urlsafe(24)
        self._host = host
        self._credentials = credentials
        self._listener = listener
        self._router: Router | None = None
        self._server: asyncio.Server | None = None
        self._sessions: dict[str, ClientSession] = {}
        self._online: set[str] = set()
        self._connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        for name in ("amqtt", "transitions"):
            # Both tell every step of every packet, and amqtt greets with warnings about its own configuration.
            logging.getLogger(name).setLevel(logging.ERROR)
        self._router = Router(_router_config())
        await self._router.start()
        try:
            self._server = await asyncio.start_server(self._serve, self._host or None, self.port)
        except OSError as e:
            await self._router.shutdown()
            raise BrokerError(
                "the MQTT broker cannot listen on %s port %d (%s): stop what uses that port or choose another"
                % (self._host, self.port, e.strerror or e)
            ) from e
        self.port = self._server.sockets[0].getsockname()[1]
        _LOG.info("embedded MQTT broker on %s port %d", self._host, self.port)

    async def stop(self) -> None:
        if self._server is None or self._router is None:
            return
        self._server.close()
        for session in list(self._sessions.values()):
            session.end(TCP_CLOSED)
        for writer in self._connections.values():
            writer.transport.abort()
        if self._connections:
            await asyncio.wait(list(self._connections), timeout=_LEAVE_TIMEOUT_S)
        await self._router.shutdown()
        self._server = self._router = None

    async def admit(self, login: DeviceLogin) -> None:
        """Nothing: every login is checked against the store as it comes."""

    async def expel(self, did: str, reason: str) -> None:
        session = self._sessions.get(did)
        if session is not None:
            session.end(reason)
            await session.finished.wait()

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
            session = ClientSession(
                reader,
                writer,
                PacketGate(lambda topic: True, access.is_filter),
                connect=connect,
                router_id=self.cloud_username,
                spacing_s=0,
                on_accepted=lambda: None,
                on_subscribed=lambda wanted: None,
            )
            await self._route(self.cloud_username, session)
            return
        code, why, login = self._judge(connect)
        if login is None:
            _LOG.warning("refused the MQTT login of %.80r from %s: %s", connect.client_id, _ip(writer), why)
            writer.write(mqtt.build_connack(code))
            return
        did, product_key, ip = login.did, login.product_key, _ip(writer)
        gate = PacketGate(
            lambda topic: access.may_publish(did, topic),
            lambda wanted: access.may_subscribe(did, product_key, wanted),
        )
        session = ClientSession(
            reader,
            writer,
            gate,
            connect=connect,
            router_id=did,
            spacing_s=_SPACING_S[connect.level],
            on_accepted=lambda: self._accepted(did, connect.keepalive_s, ip),
            on_subscribed=lambda wanted: self._listener.device_subscribed(did, wanted),
        )
        await self._route(did, session)

    def _is_cloud(self, connect: mqtt.Connect) -> bool:
        password = connect.password or b""
        return connect.username == self.cloud_username and hmac.compare_digest(password, self.cloud_password.encode())

    def _judge(self, connect: mqtt.Connect) -> tuple[int, str, DeviceLogin | None]:
        """(CONNACK code, why not, the device that may enter)."""
        did, password = connect.username, (connect.password or b"").decode(errors="replace")
        if not connect.level:
            return BAD_LEVEL, "it speaks neither MQTT 3.1 nor 3.1.1", None
        if not did or not password:
            return BAD_LOGIN, "it gives no username or no passcode", None
        if connect.client_id != did or not access.is_plain_did(did):
            return BAD_CLIENT_ID, "its client id and username are not both the did", None
        login = self._credentials.device(did)
        if login is None:
            return BAD_LOGIN, "the did is unknown here", None
        if login.disabled:
            return NOT_ALLOWED, "the did is disabled", None
        if not login.passcode:
            self._credentials.learn_passcode(did, password)
            _LOG.info("learned the passcode of %s from its first login", did)
        elif not hmac.compare_digest(password.encode(), login.passcode.encode()):
            return BAD_LOGIN, "wrong passcode", None
        return ACCEPTED, "", login

    async def _route(self, key: str, session: ClientSession) -> None:
        """Let the session in, in the place of an older one, and see it out."""
        while key in self._sessions:
            older = self._sessions[key]
            older.displaced = True
            older.end(TCP_CLOSED)
            await older.finished.wait()
        self._sessions[key] = session
        try:
            await self._pass_through(key, session)
        finally:
            session.end(TCP_CLOSED)
            if self._sessions.get(key) is session:
                del self._sessions[key]
            if key in self._online and not session.displaced:
                self._online.remove(key)
                self._listener.device_disconnected(key, session.reason)
            session.finished.set()

    async def _pass_through(self, key: str, session: ClientSession) -> None:
        """Give the session to the router until it is over."""
        if self._router is None:
            return
        routed = asyncio.create_task(self._router.external_connected(session, session, _LISTENER))
        over = asyncio.create_task(session.over.wait())
        try:
            await asyncio.wait((routed, over), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((routed,), timeout=_LEAVE_TIMEOUT_S)
        finally:
            over.cancel()
            if not routed.cancel() and not routed.cancelled() and routed.exception() is not None:
                _LOG.info("the session of %s ended in the router: %r", key, routed.exception())

    def _accepted(self, did: str, keepalive_s: int, ip: str) -> None:
        again = did in self._online
        self._online.add(did)
        self._listener.device_connected(did, keepalive_s=keepalive_s, ip=ip, again=again)


def _router_config() -> BrokerConfig:
    return BrokerConfig(
        # amqtt wants an address for every listener; an external one is never opened.
        listeners={_LISTENER: ListenerConfig(type=ListenerType.EXTERNAL, bind="0.0.0.0:0")},
        plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    )


def _ip(writer: asyncio.StreamWriter) -> str:
    peer = writer.get_extra_info("peername")
    return str(peer[0]) if peer else "?"
