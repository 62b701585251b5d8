"""Who is online: the sessions of devices on the broker, and of apps that look at a device.

They are here and not in a worker, because the worker that sees a device come is not the one that sees it go.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, case, delete, distinct, func, select, update

from .deliveries import Delivery, is_done
from .history import OFFLINE, ONLINE, RE_ONLINE, Presence
from .leases import hold
from .tables import app_sessions, device_sessions, presence

# dids in one query: below the limits of every database.
_CHUNK = 500


@dataclass(frozen=True)
class DeviceSession:
    """`listening_at` is None until the device has subscribed to its commands."""

    did: str
    since: float
    ip: str
    listening_at: float | None
    free_at: float


class DeviceSessions:
    """`delivery` is the broker's message that tells of the change; one that came before changes nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(
        self, did: str, at: float, ip: str, keep_alive: int, delivery: Delivery | None = None
    ) -> DeviceSession | None:
        """Begins and records a session, in the place of an older one; None when it was done before."""
        with self._engine.begin() as connection:
            hold(connection, [delivery])
            if is_done(connection, delivery):
                return None
            older = connection.execute(delete(device_sessions).where(device_sessions.c.did == did)).rowcount
            session = DeviceSession(did, at, ip, None, 0.0)
            connection.execute(device_sessions.insert().values(**vars(session)))
            kind = RE_ONLINE if older else ONLINE
            _record(connection, Presence(did, at, kind, ip, keep_alive=keep_alive))
        return session

    def listen(self, did: str, at: float, settled_at: float) -> None:
        """The device has subscribed; nothing may be sent to it before `settled_at`."""
        row = {"listening_at": at, "free_at": settled_at}
        with self._engine.begin() as connection:
            connection.execute(update(device_sessions).where(device_sessions.c.did == did).values(**row))

    def end(self, did: str, at: float, reason: str, delivery: Delivery | None = None) -> DeviceSession | None:
        """Ends and records a session; None when there was none."""
        with self._engine.begin() as connection:
            hold(connection, [delivery])
            if is_done(connection, delivery):
                return None
            row = connection.execute(select(device_sessions).where(device_sessions.c.did == did)).first()
            if row is None:
                return None
            connection.execute(delete(device_sessions).where(device_sessions.c.did == did))
            session = DeviceSession(*row)
            duration = round(at - session.since, 3)
            _record(connection, Presence(did, at, OFFLINE, session.ip, duration=duration, reason=reason))
        return session

    def get(self, did: str) -> DeviceSession | None:
        with self._engine.begin() as connection:
            row = connection.execute(select(device_sessions).where(device_sessions.c.did == did)).first()
        return DeviceSession(*row) if row else None

    def online(self, dids: list[str]) -> set[str]:
        """Which of them are online."""
        found: set[str] = set()
        with self._engine.begin() as connection:
            for i in range(0, len(dids), _CHUNK):
                query = select(device_sessions.c.did).where(device_sessions.c.did.in_(dids[i : i + _CHUNK]))
                found.update(connection.execute(query).scalars())
        return found

    def all(self) -> list[str]:
        """The dids of everything that is online."""
        with self._engine.begin() as connection:
            return list(connection.execute(select(device_sessions.c.did)).scalars())

    def begun_before(self, at: float) -> list[str]:
        """The dids whose sessions are older than that."""
        query = select(device_sessions.c.did).where(device_sessions.c.since < at)
        with self._engine.begin() as connection:
            return list(connection.execute(query).scalars())

    def take_turn(self, session: DeviceSession, now: float, gap: float, max_wait: float) -> float | None:
        """When the next packet of this session may go out, taken; None when that is more than `max_wait` away."""
        mine = (device_sessions.c.did == session.did) & (device_sessions.c.since == session.since)
        turn = case((device_sessions.c.free_at > now, device_sessions.c.free_at), else_=now)
        query = (
            update(device_sessions)
            .where(mine, device_sessions.c.free_at <= now + max_wait)
            .values(free_at=turn + gap)
            .returning(device_sessions.c.free_at)
        )
        with self._engine.begin() as connection:
            free_at = connection.execute(query).scalar()
        return None if free_at is None else float(free_at) - gap


class AppSessions:
    """Which apps look at which device. An app session is known by its client id."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def join(self, did: str, client: str, worker: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(app_sessions).where(app_sessions.c.client == client, app_sessions.c.did == did))
            connection.execute(app_sessions.insert().values(client=client, did=did, worker=worker))

    def leave(self, did: str, client: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(app_sessions).where(app_sessions.c.client == client, app_sessions.c.did == did))

    def count(self, did: str) -> int:
        query = select(func.count(distinct(app_sessions.c.client))).where(app_sessions.c.did == did)
        with self._engine.begin() as connection:
            return connection.execute(query).scalar_one()

    def drop(self, worker: str) -> list[str]:
        """The sessions of a worker that is gone; the dids they looked at."""
        mine = app_sessions.c.worker == worker
        with self._engine.begin() as connection:
            dids = list(connection.execute(select(app_sessions.c.did).where(mine).distinct()).scalars())
            connection.execute(delete(app_sessions).where(mine))
        return dids

    def drop_all(self) -> None:
        """Nothing looks at anything: this cloud is the only one, and it has just begun."""
        with self._engine.begin() as connection:
            connection.execute(delete(app_sessions))


def _record(connection: Connection, change: Presence) -> None:
    connection.execute(presence.insert().values(**vars(change)))
