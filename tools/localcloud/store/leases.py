"""Leases of broker sessions: which worker holds which, and until when. A session whose lease ran out is anybody's.

The clocks of the workers' machines must agree to within a few seconds, as with any lease.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.exc import IntegrityError

from .deliveries import Delivery
from .tables import leases


class NotHeldError(Exception):
    """Another worker holds the session now: what came over it is that one's to do."""


@dataclass(frozen=True)
class Lease:
    session: str
    holder: str
    expires_at: float


class Leases:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, session: str, holder: str, now: float, seconds: float) -> bool:
        """Takes a session that is new, or whose lease ran out; False when somebody holds it."""
        row = {"holder": holder, "expires_at": now + seconds}
        free = (leases.c.session == session) & (leases.c.expires_at <= now)
        with self._engine.begin() as connection:
            if connection.execute(update(leases).where(free).values(**row)).rowcount:
                return True
        try:
            with self._engine.begin() as connection:
                connection.execute(leases.insert().values(session=session, **row))
        except IntegrityError:
            return False
        return True

    def renew(self, session: str, holder: str, now: float, seconds: float) -> bool:
        """False when another worker has taken it meanwhile."""
        mine = (leases.c.session == session) & (leases.c.holder == holder)
        with self._engine.begin() as connection:
            return connection.execute(update(leases).where(mine).values(expires_at=now + seconds)).rowcount > 0

    def release(self, session: str, holder: str, now: float) -> None:
        """Whoever wants it may take it at once."""
        self.renew(session, holder, now, 0.0)

    def remove(self, session: str, holder: str) -> None:
        """The session is no more."""
        with self._engine.begin() as connection:
            connection.execute(delete(leases).where(leases.c.session == session, leases.c.holder == holder))

    def expired(self, prefix: str, now: float) -> list[Lease]:
        """The sessions of that kind that nobody holds, with who held them last."""
        query = select(leases).where(leases.c.session.startswith(prefix), leases.c.expires_at <= now)
        with self._engine.begin() as connection:
            return [Lease(*row) for row in connection.execute(query.order_by(leases.c.session))]


def hold(connection: Connection, deliveries: Iterable[Delivery | None]) -> None:
    """The sessions stay with their holders until the end of the transaction; NotHeldError when one has another."""
    for session, holder in sorted({(item.session, item.holder) for item in deliveries if item is not None}):
        query = select(leases.c.holder).where(leases.c.session == session).with_for_update()
        if connection.execute(query).scalar() != holder:
            raise NotHeldError(session)
