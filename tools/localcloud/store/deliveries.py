"""Messages of a broker that may come twice: what was done last per session and packet id.

A broker sends a message again when its ack did not arrive, with the packet id it had. The ids of a session are given
in turn, so of the last 4096 none is used twice; a row is written in the transaction that does the message's work and
is overwritten 4096 messages later, long after its ack. So a later message with the same id and text is not mistaken
for it.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, select

from .tables import deliveries

# Brokers keep some tens to some thousand messages unacked.
RING = 4096


@dataclass(frozen=True)
class Delivery:
    """One QoS 1 message as it came to the `holder` of a session; `again` when the broker sent it before."""

    session: str
    holder: str
    packet_id: int
    again: bool
    digest: str


class Deliveries:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def forget(self, session: str) -> None:
        """The session is gone or new: its packet ids begin again."""
        with self._engine.begin() as connection:
            connection.execute(delete(deliveries).where(deliveries.c.session == session))


def digest_of(topic: str, payload: bytes) -> str:
    """What tells one message from another."""
    return hashlib.sha256(topic.encode() + b"\0" + payload).hexdigest()


def is_done(connection: Connection, delivery: Delivery | None) -> bool:
    """Whether this message was worked off before; when it was not, it is from this transaction on."""
    if delivery is None:
        return False
    place = (deliveries.c.session == delivery.session) & (deliveries.c.place == delivery.packet_id % RING)
    known = connection.execute(select(deliveries.c.packet_id, deliveries.c.digest).where(place)).first()
    if delivery.again and known is not None and tuple(known) == (delivery.packet_id, delivery.digest):
        return True
    row = {"packet_id": delivery.packet_id, "digest": delivery.digest}
    if known is not None:
        connection.execute(deliveries.update().where(place).values(**row))
    else:
        connection.execute(deliveries.insert().values(session=delivery.session, place=delivery.packet_id % RING, **row))
    return False
