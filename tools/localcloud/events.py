"""What happens in the cloud, told to whoever listens: WebSocket sessions, app counts, sessions that must end.

    presence  did  {"online": bool}                        a device came or went
    session   did  {}                                      its session began, listens or ended: who waits looks again
    message   did  {"payload": bytes, "client": str|None}  an envelope of a device, stored before it is told
    file      did  {"name": str, "size": int}              a device uploaded a file, stored before it is told
    binding   did  {"uid": str, "bind": bool}              a user was bound to a device, or is no longer
    token     ""   {"uid": str, "token_hash": str|None}    a token ended, or (None) all of that user

`LocalBus` tells this process. With several workers `MqttBus` tells the others too, over the broker they share:

    localcloud/events/<kind>   {"worker": who tells, "did": did, "data": {…}}      bytes as {"hex": "…"}

An event is told once and not kept: what must not be lost is in the database before it is told.
"""

import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

_LOG = logging.getLogger("localcloud")

PRESENCE = "presence"
SESSION = "session"
MESSAGE = "message"
FILE = "file"
BINDING = "binding"
TOKEN = "token"  # noqa: S105 -- the name of a kind of event

_TOPIC = "localcloud/events/"
FILTER = _TOPIC + "+"


class Event(NamedTuple):
    kind: str
    did: str
    data: dict[str, Any]


class Bus(Protocol):
    """Carries events; plain calls in the event loop."""

    def publish(self, event: Event) -> None:
        """Tell everybody; a listener that fails is logged and stops nobody."""

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event from now on; the result ends that."""


class LocalBus:
    """Within this process."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[Event], None]] = {}

    def publish(self, event: Event) -> None:
        self.tell(event)

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        key = object()
        self._listeners[key] = callback
        return lambda: self._listeners.pop(key, None) and None

    def tell(self, event: Event) -> None:
        """Call every listener there is at this moment."""
        for callback in list(self._listeners.values()):
            try:
                callback(event)
            except Exception:
                # This is a pump: one listener's fault must not cost the others their event.
                _LOG.exception("%s of %s was not told to everybody", event.kind, event.did or "a user")


class MqttBus(LocalBus):
    """Among several workers. `send(topic, payload)` publishes; what comes on `FILTER` goes to `receive`."""

    def __init__(self, worker: str, send: Callable[[str, bytes], None]) -> None:
        super().__init__()
        self._worker = worker
        self._send = send

    def publish(self, event: Event) -> None:
        self.tell(event)
        message = {"worker": self._worker, "did": event.did, "data": event.data}
        self._send(_TOPIC + event.kind, json.dumps(message, default=_as_hex).encode())

    def receive(self, topic: str, payload: bytes) -> None:
        """An event of a worker; our own were told already."""
        try:
            message = json.loads(payload, object_hook=_from_hex)
            event = Event(topic.removeprefix(_TOPIC), message["did"], message["data"])
            worker = message["worker"]
        except (ValueError, KeyError, TypeError):
            _LOG.warning("an event that cannot be read came on %.80r", topic)
            return
        if worker != self._worker:
            self.tell(event)


def _as_hex(value: Any) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    raise TypeError("an event carries %s, which no worker could read" % type(value).__name__)


def _from_hex(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["hex"]) if list(value) == ["hex"] else value
