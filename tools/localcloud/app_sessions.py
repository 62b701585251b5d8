"""How many apps look at a device, and that the device is told. Cloud manual, device side, 4.6.1.

The modules never ask (0x020F exists and nothing sends it), so the count (0x0210) is pushed: a second after it changed,
a second after the device subscribed, and as the answer to 0x020F. A second, because an app that starts opens several
sessions' worth of devices at once, and because a reference module loses what comes right behind its SUBACK.
"""

import asyncio
from collections.abc import Callable

from gagent import wire

from .presence import Sessions
from .store.sessions import AppSessions

DEBOUNCE = 1.0
ON_BROKER = "broker"


class AppCounts:
    """`send(did, payload)` publishes a service message to a device; `worker` is who holds the sessions joined here."""

    def __init__(
        self,
        store: AppSessions,
        sessions: Sessions,
        worker: str,
        send: Callable[[str, bytes], None],
        debounce: float = DEBOUNCE,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._worker = worker
        self._send = send
        self._debounce = debounce
        self._due: dict[str, asyncio.TimerHandle] = {}

    def join(self, did: str, client: str) -> None:
        """An app session of this worker, known by its client id, looks at a device from now on."""
        self._store.join(did, client, self._worker)
        self.push_soon(did)

    def join_on_broker(self, did: str, client: str) -> None:
        """The same for a session on a broker that outlives this worker."""
        self._store.join(did, client, ON_BROKER)
        self.push_soon(did)

    def drop(self, worker: str) -> None:
        """That worker is gone, and its sessions with it."""
        for did in self._store.drop(worker):
            self.push_soon(did)

    def leave(self, did: str, client: str) -> None:
        """It does no longer; harmless when it never did."""
        self._store.leave(did, client)
        self.push_soon(did)

    def push_soon(self, did: str) -> None:
        """Tell the device its count after the pause; what changes meanwhile is told with it."""
        if did not in self._due:
            self._due[did] = asyncio.get_running_loop().call_later(self._debounce, self._push, did)

    def drop_all(self) -> None:
        """No app is here: this cloud is the only one, and it has just begun."""
        self._store.drop_all()

    def stop(self) -> None:
        """The sessions of this worker are over; nothing is told any more."""
        for timer in self._due.values():
            timer.cancel()
        self._due.clear()
        self._store.drop(self._worker)

    def _push(self, did: str) -> None:
        del self._due[did]
        if self._sessions.is_online(did):
            count = min(self._store.count(did), 0xFFFF)
            self._send(did, wire.encode_service(wire.SERVICE_APP_COUNT, count.to_bytes(2, "big")))
