"""Who comes and goes on a broker that is not ours, from what it publishes about itself.

    mosquitto   $SYS/broker/log/…                     the lines of its log (`log_dest topic`)
    EMQX        $SYS/brokers/<node>/clients/<id>/…    connected, disconnected, subscribed: JSON

One worker at a time is told, with QoS 1: what came while nobody was there comes to the next one. A change is acked
when it is stored. mosquitto says every ten seconds how long it has run: sessions that are older are over.
"""

import asyncio
import itertools
import json
import logging
import re
import time
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from . import access
from . import mosquitto_log as lines
from .accounts import Accounts
from .admission import parse_app
from .app_sessions import AppCounts
from .broker import MQTT_DISCONNECT, NO_HEARTBEAT, OFFLINE_RESET, TCP_CLOSED
from .intake import Incoming
from .presence import Sessions
from .store.leases import NotHeldError

FILTERS = {
    "control": ("$SYS/broker/log/#",),
    "http": ("$SYS/brokers/+/clients/#",),
}
UPTIME = "$SYS/broker/uptime"
RETRY_DELAY = 1.0
# The broker rounds its uptime, and says it a moment later.
UPTIME_ERROR_S = 3

_STAMP = re.compile(r"\d+: ")
# EMQX's words for the ends of a session; all others are a closed connection.
_REASONS = {"normal": MQTT_DISCONNECT, "keepalive_timeout": NO_HEARTBEAT, "kicked": OFFLINE_RESET}

log = logging.getLogger("localcloud")


class SharedPresence:
    def __init__(self, sessions: Sessions, apps: AppCounts, accounts: Accounts) -> None:
        self._sessions = sessions
        self._apps = apps
        self._accounts = accounts
        self._waiting: asyncio.Queue[Incoming] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        # client id -> (uid, dids it looks at) of the apps that this worker saw come
        self._looking: dict[str, tuple[str, set[str]]] = {}

    def start(self) -> None:
        self._worker = asyncio.create_task(self._work(), name="presence")

    async def stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    def receive(self, message: Incoming) -> None:
        """What the broker tells of a client; done in the order it comes."""
        self._waiting.put_nowait(message)

    def receive_uptime(self, payload: bytes, linked_at: float) -> None:
        """mosquitto's "123 seconds", over a connection that exists since `linked_at`."""
        seconds = payload.split(b" ", 1)[0]
        if seconds.isdigit():
            # A word that was held up makes the broker too young: it is older than the connection to it.
            began = min(time.time() - int(seconds), linked_at)
            self._sessions.begun_before(began - UPTIME_ERROR_S, TCP_CLOSED)

    async def _work(self) -> None:
        while True:
            message = await self._waiting.get()
            await self._take_until_stored(message)
            if message.ack is not None:
                message.ack()

    async def _take_until_stored(self, message: Incoming) -> None:
        event = _read(message)
        if event is None:
            return
        for delay in itertools.repeat(RETRY_DELAY):
            if self._take(event, message):
                return
            await asyncio.sleep(delay)

    def _take(self, event: lines.Event, message: Incoming) -> bool:
        try:
            if isinstance(event, lines.Connected):
                self._connected(event, message)
            elif isinstance(event, lines.Subscribed):
                self._subscribed(event)
            elif isinstance(event, lines.Disconnected):
                self._disconnected(event, message)
        except NotHeldError:
            log.warning("another worker is told now who comes and goes")
        except SQLAlchemyError as error:
            log.error("who came and went is not stored, tried again: %s", str(error).splitlines()[0])
            return False
        return True

    def _connected(self, event: lines.Connected, message: Incoming) -> None:
        app = parse_app(event.username)
        if app is not None:
            self._looking[event.did] = (app[1], set())
        elif event.username == event.did and self._accounts.device(event.did) is not None:
            again = self._sessions.is_online(event.did)
            self._sessions.begin(event.did, event.keepalive_s, event.ip, again, message.delivery)

    def _subscribed(self, event: lines.Subscribed) -> None:
        client, wanted = event.did, event.topic_filter
        looking, watched = self._looking.get(client), access.watched_did(wanted)
        if looking is not None:
            if watched and watched not in looking[1] and self._accounts.is_bound(looking[0], watched):
                looking[1].add(watched)
                self._apps.join_on_broker(watched, client)
            return
        login = self._accounts.device(client)
        if login is not None and access.may_subscribe(client, login.product_key, wanted):
            self._sessions.device_subscribed(client, wanted)

    def _disconnected(self, event: lines.Disconnected, message: Incoming) -> None:
        for did in self._looking.pop(event.did, ("", set()))[1]:
            self._apps.leave(did, event.did)
        # An end that this cloud wanted is recorded already.
        self._sessions.end(event.did, event.reason or OFFLINE_RESET, message.delivery)


def _read(message: Incoming) -> lines.Event | None:
    if message.topic.startswith("$SYS/brokers/"):
        return read_emqx(message.topic, message.payload)
    text = message.payload.decode(errors="replace")
    return lines.parse_line(_STAMP.sub("", text, count=1) if _STAMP.match(text) else text)


def read_emqx(topic: str, payload: bytes) -> lines.Event | None:
    """What an event message of EMQX 5 says, None when it is of no interest."""
    try:
        told: dict[str, Any] = json.loads(payload)
        client, kind = str(told["clientid"]), topic.rpartition("/")[2]
        if kind == "connected":
            return lines.Connected(client, str(told["ipaddress"]), int(told["keepalive"]), str(told["username"]))
        if kind == "subscribed":
            return lines.Subscribed(client, str(told["topic"]))
        # A session that was taken over goes on under the same name.
        if kind == "disconnected" and told["reason"] not in ("takenover", "discarded"):
            return lines.Disconnected(client, _REASONS.get(str(told["reason"]), TCP_CLOSED))
    except (ValueError, KeyError, TypeError):
        log.warning("the broker told of a client what cannot be read, on %.80r", topic)
    return None
