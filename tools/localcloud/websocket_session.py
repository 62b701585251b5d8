"""One connection of the WebSocket API: who logged in, what it listens to, what it may send.

    connected ──login_req──► logged in ──subscribe_req or auto_subscribe──► told of its devices
        ▲                        │ token ended: 1009
        └────────────────────────┘

Cloud manual, WebSocket API. It knows no socket: what is to be sent waits in `outbox` until the server takes it. A
client that does not read, sends too much or falls silent is ended, with the reason as its last message.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sqlalchemy.exc import SQLAlchemyError

from . import auth, relay, websocket_relay
from . import websocket_message as messages
from .errors import ERRORS, REQUEST_THROTTLED, ApiError
from .limits import Limit
from .request import Fields, Request
from .store.users import hash_of
from .websocket_message import Login, Message, Refusal

if TYPE_CHECKING:
    from .app import Cloud

log = logging.getLogger("localcloud")

PATH = "/ws/app/v1"

NORMAL = 1000
GOING_AWAY = 1001
POLICY = 1008
INTERNAL = 1011

MAX_FAILED_LOGINS = 5
# Notices of devices that wait for an ack: a client that never acks must not fill the memory.
MAX_UNACKED = 256


class Limits(NamedTuple):
    """What a client may take: time, messages, room."""

    # Seconds in which a new connection has to log in; after that its own heartbeat counts.
    login_s: float = 55.0
    # Messages a client may send at once, and a minute for long.
    burst: int = 200
    per_minute: int = 3000
    # A token that ended in silence (its time was up) is noticed at the next message after so many seconds.
    token_check_s: float = 60.0
    # Messages that wait for it: a burst of reports of a large account fits, a client that has gone to sleep does not.
    outbox: int = 20000


class Ending(NamedTuple):
    """The last thing in an outbox: close with this code."""

    code: int


class Hub(Protocol):
    """Who tells a session of its devices."""

    def joined(self, session: "Session") -> None:
        """It has logged in."""

    def left(self, session: "Session") -> None:
        """It is logged out, and listens to nothing."""

    def subscribe(self, session: "Session", dids: list[str]) -> None:
        """It is told of these devices from now on, and now of those that are online."""

    def subscribe_all(self, session: "Session") -> None:
        """The same for every device its user is bound to."""


class Session:
    """`client` is its name on the topics; `uid` and `token_hash` are "" while nobody is logged in."""

    def __init__(self, cloud: "Cloud", hub: Hub, host: str, ip: str, limits: Limits) -> None:
        self.client = relay.new_client()
        self.uid = ""
        self.token_hash = ""
        self.p0_type = messages.ATTRS
        self.is_auto = True
        self.dids: set[str] = set()
        self.outbox: asyncio.Queue[dict[str, Any] | Ending] = asyncio.Queue()
        # Seconds of silence after which the connection is ended.
        self.patience_s = limits.login_s
        self._cloud = cloud
        self._hub = hub
        self._host = host
        self._ip = ip
        self._limits = limits
        self._by: Request | None = None
        self._checked_at = 0.0
        self._failed_logins = 0
        self._unacked: deque[tuple[str, int]] = deque(maxlen=MAX_UNACKED)
        self._messages = Limit(limits.burst, limits.per_minute)
        # Set when the connection is to be closed: `end` was called.
        self.ended = asyncio.Event()

    async def receive(self, text: str) -> None:
        """Does what a text frame asks for; the answer goes into the outbox."""
        try:
            if not self._messages.take(""):
                raise Refusal(messages.TOO_MANY, "expected at most %d a minute" % self._limits.per_minute)
            message = messages.parse(text)
            if message.cmd != "login_req":
                self._check_token()
            handler = _HANDLERS.get(message.cmd)
            if handler is None:
                raise Refusal(messages.UNKNOWN_CMD, message.cmd[:32])
            await handler(self, message)
        except Refusal as refusal:
            self.send(messages.invalid(refusal))
        except ApiError as error:
            code = messages.TOO_MANY if error.code == REQUEST_THROTTLED else messages.DEVICE_OFFLINE
            self.send(messages.invalid(Refusal(code, error.detail or "")))
        except SQLAlchemyError as error:
            log.error("a WebSocket client at %s was ended: %s", self._ip, str(error).splitlines()[0])
            self.end(INTERNAL)

    def send(self, message: dict[str, Any]) -> None:
        """Puts a message into the outbox; the session ends when it is full."""
        if self.ended.is_set():
            return
        if self.outbox.qsize() >= self._limits.outbox:
            log.warning(
                "a WebSocket client at %s does not read: %d messages wait, ended", self._ip, self.outbox.qsize()
            )
            self.end(POLICY)
            return
        self.outbox.put_nowait(message)

    def notice(self, message: dict[str, Any], did: str) -> None:
        """Sends a report with a req_sn, and remembers that its ack is due."""
        self._unacked.append((did, message["req_sn"]))
        self.send(message)

    def fell_silent(self) -> None:
        self.send(messages.invalid(Refusal(messages.NO_HEARTBEAT)))
        self.end(POLICY)

    def end(self, code: int) -> None:
        """Closes the connection when what is in the outbox has gone out; nothing more goes in."""
        if not self.ended.is_set():
            self.ended.set()
            self.outbox.put_nowait(Ending(code))

    def log_out(self) -> None:
        """Forgets who was logged in."""
        if self._by is not None:
            self._hub.left(self)
        self._by = None
        self.uid = self.token_hash = ""

    def log_out_with(self, code: int) -> None:
        """The same, and tells the client to log in again."""
        self.log_out()
        self.send(messages.invalid(Refusal(code)))

    async def _login(self, message: Message) -> None:
        self.log_out()
        try:
            login = messages.parse_login(message.data)
            by = self._caller(login)
        except Refusal as refusal:
            self._login_failed(refusal.text)
            return
        except ApiError as error:
            self._login_failed(error.detail or ERRORS[error.code].message)
            return
        self._by = by
        self._checked_at = time.monotonic()
        self._failed_logins = 0
        self.uid, self.token_hash = login.uid, hash_of(login.token)
        self.p0_type, self.is_auto = login.p0_type, login.is_auto
        # Clients ping exactly as often as they promised, so the limit is looser.
        self.patience_s = 1.5 * login.heartbeat_s + 10
        # The answer first: clients take the first message after a login_req for it.
        self.send(messages.login_res())
        self._hub.joined(self)
        if login.is_auto:
            self._hub.subscribe_all(self)

    async def _subscribe(self, message: Message) -> None:
        success, failed = [], []
        for did in messages.parse_dids(message.data):
            try:
                self._check_bound(did)
                success.append(did)
            except Refusal as refusal:
                failed.append((did, refusal.code))
        self.send(messages.subscribe_res(success, failed))
        self._hub.subscribe(self, success)

    async def _read(self, message: Message) -> None:
        did, row = self._target(message)
        await self._publish(did, websocket_relay.read_envelope(self._schema(did), row.get("names"), message.sn))

    async def _write(self, message: Message) -> None:
        did, row = self._target(message)
        await self._publish(did, websocket_relay.write_envelope(self._schema(did), row.get("attrs"), message.sn))

    async def _raw(self, message: Message) -> None:
        did, row = messages.parse_target(message.data)
        self._check_may_use(did)
        await self._publish(did, websocket_relay.raw_envelope(messages.parse_raw(row)))

    async def _ack(self, message: Message) -> None:
        self._check_mode()
        did = messages.check_did(message.did)
        self._check_may_use(did)
        if message.sn is None or (did, message.sn) not in self._unacked:
            # Modules that never send 0x0093 would not know what to do with an ack.
            raise Refusal(messages.INVALID_PARAMETER, "res_sn: no notice of this device waits for that ack")
        self._unacked.remove((did, message.sn))
        await self._publish(did, websocket_relay.ack_envelope(message.sn))

    async def _ping(self, message: Message) -> None:
        self.send(messages.pong())

    async def _publish(self, did: str, payload: bytes) -> None:
        if self._by is None:
            raise Refusal(messages.NOT_LOGGED_IN)
        await self._cloud.send_envelope(did, payload, self.client, self._by)

    def _login_failed(self, why: str) -> None:
        self.send(messages.login_res(why))
        self._failed_logins += 1
        if self._failed_logins >= MAX_FAILED_LOGINS:
            self.end(POLICY)

    def _target(self, message: Message) -> tuple[str, dict[str, Any]]:
        self._check_mode()
        did, row = messages.parse_target(message.data)
        self._check_may_use(did)
        return did, row

    def _schema(self, did: str) -> Any:
        device = self._cloud.store.devices.get(did)
        return self._cloud.schema(device.product_key) if device else None

    def _check_mode(self) -> None:
        if self.p0_type == messages.CUSTOM:
            raise Refusal(messages.NOT_IN_THIS_MODE)

    def _check_may_use(self, did: str) -> None:
        self._check_bound(did)
        if did not in self.dids:
            raise Refusal(messages.NOT_SUBSCRIBED)

    def _check_bound(self, did: str) -> None:
        binding = self._cloud.store.bindings.get(self.uid, did)
        if binding is None or binding.device.is_disabled:
            is_known = self._cloud.store.devices.get(did) is not None
            raise Refusal(messages.DEVICE_NOT_BOUND if is_known else messages.DEVICE_NOT_FOUND)

    def _check_token(self) -> None:
        if self._by is None:
            raise Refusal(messages.NOT_LOGGED_IN)
        now = time.monotonic()
        if now - self._checked_at < self._limits.token_check_s:
            return
        self._checked_at = now
        try:
            auth.user(self._by, self._cloud)
        except ApiError:
            self.log_out()
            raise Refusal(messages.LOGIN_AGAIN) from None

    def _caller(self, login: Login) -> Request:
        """The request of this user that everything it sends is logged under; ApiError when it may not come in."""
        headers = {"x-gizwits-application-id": login.app_id, "x-gizwits-user-token": login.token}
        request = Request("GET", PATH, {}, Fields(), headers, b"", self._host, self._ip)
        request = auth.user(request, self._cloud)
        if request.caller.uid != login.uid:
            raise Refusal(messages.INVALID_PARAMETER, "uid: the token is not of this user")
        return request


_HANDLERS: dict[str, Callable[[Session, Message], Awaitable[None]]] = {
    "login_req": Session._login,
    "subscribe_req": Session._subscribe,
    "c2s_read": Session._read,
    "c2s_write": Session._write,
    "c2s_raw": Session._raw,
    "c2s_ack": Session._ack,
    "ping": Session._ping,
}
