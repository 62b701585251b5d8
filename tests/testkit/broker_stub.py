"""A broker in the test's loop that accepts every module and keeps what it publishes; it routes nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from . import mqtt_script as script
from .raw_server import serving

GOODBYE = b"goodbye"


class BrokerStub:
    """`logins` by did; `published` has (topic, payload), and (did, GOODBYE) for a session left in good order.

    `refuse` is the CONNACK code of a refusal; while `is_deaf` nothing is acknowledged.
    """

    def __init__(self) -> None:
        self.logins: dict[str, int] = {}
        self.published: list[tuple[str, bytes]] = []
        self.writers: dict[str, asyncio.StreamWriter] = {}
        self.refuse = 0
        self.is_deaf = False
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["BrokerStub"]:
        async with serving(self._talk) as self.port:
            yield self

    def send(self, did: str, topic: str, payload: bytes) -> None:
        """A message to a module that is on line."""
        self.writers[did].write(script.publish(topic, payload))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            await script.read_packet(reader)
            writer.write(script.connack(self.refuse))
            return
        topics = await script.accept(reader, writer)
        did = topics[1].decode().split("/")[1]
        self.writers[did] = writer
        self.logins[did] = self.logins.get(did, 0) + 1
        while True:
            kind, body = await script.read_packet(reader)
            if kind == script.DISCONNECT:
                self.published.append((did, GOODBYE))
                return
            if kind & 0xF0 == script.PUBLISH:
                self._take(kind, body, writer)

    def _take(self, kind: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        at = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:at].decode()
        if kind & 0x06:  # QoS 1
            if not self.is_deaf:
                writer.write(script.packet(script.PUBACK, body[at : at + 2]))
            at += 2
        self.published.append((topic, body[at:]))
