"""Who is told what: the sessions of the WebSocket API in this process, and the events of the cloud that concern them.

An envelope of a device is read once, however many sessions listen to it. What a session looks at is counted for the
device (0x0210) by a task of its own: an account of ten thousand devices must not hold up the others.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from gagent import wire

from . import events, websocket_relay
from . import websocket_message as messages
from .events import Event
from .websocket_message import Refusal
from .websocket_relay import ACK, NOTHING, STATE, UNREADABLE, Heard
from .websocket_session import Session

if TYPE_CHECKING:
    from .app import Cloud

log = logging.getLogger("localcloud")


class WebSocketHub:
    """`start` listens to the cloud's events, `stop` ends that and the task."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self._by_did: dict[str, set[Session]] = {}
        self._by_uid: dict[str, set[Session]] = {}
        # The attributes last heard of the devices that somebody listens to.
        self._last: dict[str, dict[str, Any]] = {}
        self._looks: asyncio.Queue[tuple[bool, str, str]] = asyncio.Queue()
        self._handlers = {
            events.PRESENCE: self._presence,
            events.MESSAGE: self._message,
            events.BINDING: self._binding,
            events.TOKEN: self._token,
        }

    def start(self) -> None:
        self._unsubscribe = self._cloud.bus.subscribe(self._hear)
        self._counting = asyncio.create_task(self._count_looks(), name="websocket-looks")

    async def stop(self) -> None:
        self._unsubscribe()
        self._counting.cancel()
        await asyncio.gather(self._counting, return_exceptions=True)

    def joined(self, session: Session) -> None:
        self._by_uid.setdefault(session.uid, set()).add(session)

    def left(self, session: Session) -> None:
        _discard(self._by_uid, session.uid, session)
        for did in list(session.dids):
            self._drop(session, did)

    def subscribe(self, session: Session, dids: list[str]) -> None:
        new = [did for did in dids if did not in session.dids]
        for did in new:
            session.dids.add(did)
            self._by_did.setdefault(did, set()).add(session)
            self._looks.put_nowait((True, did, session.client))
        online = self._cloud.sessions.online(new)
        for did in new:
            device = self._cloud.store.devices.get(did) if did in online else None
            if device is not None:
                session.send(messages.online_status(device, True))

    def subscribe_all(self, session: Session) -> None:
        self.subscribe(session, self._cloud.store.bindings.dids_of(session.uid))

    def _hear(self, event: Event) -> None:
        handler = self._handlers.get(event.kind)
        if handler is not None:
            handler(event)

    def _presence(self, event: Event) -> None:
        sessions = self._by_did.get(event.did)
        device = self._cloud.store.devices.get(event.did) if sessions else None
        if device is None:
            return
        for session in list(sessions or ()):
            session.send(messages.online_status(device, event.data["online"]))

    def _message(self, event: Event) -> None:
        sessions = self._by_did.get(event.did)
        if not sessions:
            return
        payload, client = event.data["payload"], event.data["client"]
        device = self._cloud.store.devices.get(event.did)
        heard = websocket_relay.hear(self._cloud.schema(device.product_key) if device else None, payload)
        is_news = bool(heard.attrs) and self._last.get(event.did) != heard.attrs
        if heard.attrs:
            self._last[event.did] = heard.attrs
        for session in list(sessions):
            if not client or session.client == client:
                _tell(session, event.did, heard, payload, is_directed=bool(client))
            elif is_news and session.p0_type == messages.ATTRS:
                session.send(messages.noti(event.did, heard.attrs))

    def _binding(self, event: Event) -> None:
        is_bound = event.data["bind"]
        for session in list(self._by_uid.get(event.data["uid"], ())):
            session.send(messages.binding_changed(event.did, is_bound))
            if not is_bound:
                self._drop(session, event.did)
            elif session.is_auto:
                self.subscribe(session, [event.did])

    def _token(self, event: Event) -> None:
        for session in list(self._by_uid.get(event.data["uid"], ())):
            if event.data["token_hash"] in (None, session.token_hash):
                session.log_out_with(messages.LOGIN_AGAIN)

    def _drop(self, session: Session, did: str) -> None:
        if did not in session.dids:
            return
        session.dids.discard(did)
        _discard(self._by_did, did, session)
        if did not in self._by_did:
            self._last.pop(did, None)
        self._looks.put_nowait((False, did, session.client))

    async def _count_looks(self) -> None:
        while True:
            is_looking, did, client = await self._looks.get()
            change = self._cloud.app_sessions.join if is_looking else self._cloud.app_sessions.leave
            try:
                change(did, client)
            except SQLAlchemyError as error:
                log.error("the apps that look at device %s were not counted: %s", did, error)
            await asyncio.sleep(0)


def _tell(session: Session, did: str, heard: Heard, payload: bytes, is_directed: bool) -> None:
    if heard.kind == NOTHING:
        return
    if session.p0_type == messages.CUSTOM:
        session.send(messages.raw(did, payload))
    elif heard.kind == UNREADABLE:
        session.send(messages.invalid(Refusal(messages.DATA_INVALID, "%s: %s" % (did, heard.why))))
    elif heard.kind == ACK:
        session.send(messages.ack(did, heard.sn))
    elif heard.kind != STATE:
        session.send(messages.raw(did, payload))
    elif heard.cmd == wire.CLOUD_CONTROL:
        session.notice(messages.noti(did, heard.attrs, req_sn=heard.sn), did)
    elif heard.cmd == wire.CLOUD_CONTROL_ACK and is_directed:
        session.send(messages.noti(did, heard.attrs, res_sn=heard.sn))
    else:
        session.send(messages.noti(did, heard.attrs))


def _discard(index: dict[str, set[Session]], key: str, session: Session) -> None:
    sessions = index.get(key)
    if sessions is not None:
        sessions.discard(session)
        if not sessions:
            del index[key]
