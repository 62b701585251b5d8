"""amqtt as the router of the embedded broker: it is given sessions that were let in, and sees nobody else."""

from __future__ import annotations

import asyncio
import logging

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType

from localcloud.mqtt_session import ClientSession

_LOG = logging.getLogger("localcloud.broker")

# How long the router gets to let go of a session that is over; a successor enters only after that.
LEAVE_TIMEOUT_S = 5
_LISTENER = "default"


class EmbeddedRouter:
    def __init__(self) -> None:
        self._broker: Broker | None = None

    async def start(self) -> None:
        for name in ("amqtt", "transitions"):
            # Both tell every step of every packet, and amqtt greets with warnings about its own configuration.
            logging.getLogger(name).setLevel(logging.ERROR)
        self._broker = Broker(_config())
        await self._broker.start()

    async def stop(self) -> None:
        if self._broker is not None:
            await self._broker.shutdown()
        self._broker = None

    async def carry(self, key: str, session: ClientSession) -> None:
        """Returns when the session is over and the router has let go of it."""
        if self._broker is None:
            return
        routed = asyncio.create_task(self._broker.external_connected(session, session, _LISTENER))
        over = asyncio.create_task(session.over.wait())
        try:
            await asyncio.wait((routed, over), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((routed,), timeout=LEAVE_TIMEOUT_S)
        finally:
            over.cancel()
            if not routed.cancel() and not routed.cancelled() and routed.exception() is not None:
                _LOG.info("the session of %s ended in the router: %r", key, routed.exception())


def _config() -> BrokerConfig:
    return BrokerConfig(
        # amqtt wants an address for every listener; an external one is never opened.
        listeners={_LISTENER: ListenerConfig(type=ListenerType.EXTERNAL, bind="0.0.0.0:0")},
        plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    )
