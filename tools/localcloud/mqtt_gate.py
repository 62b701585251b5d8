"""What of a client's packets reaches the router, and what the client is told instead. Pure: packets in, packets out.

Cloud manual, device side, chapters 4.1 to 4.3. The router behind the gate only ever sees small, whole, legal packets
with QoS 0, without retain and without wills:

    PUBLISH       QoS 1 and 2 are acked here; forbidden topics are acked and dropped
    SUBSCRIBE     forbidden filters become one that nothing is ever published to: granted, not served
    acks          answered or dropped here
    all others    end the connection (RemoteError)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from localcloud import mqtt_packet as mqtt
from mcu_proto.errors import RemoteError

# Topics that begin with $ cannot be published to by any client of the router.
_NOWHERE = "$refused"
# A device needs three to six; more would only slow the router down.
MAX_FILTERS = 32
# QoS 2 messages whose PUBREL is awaited, and subscriptions whose SUBACK is: no client has more than a few.
MAX_PENDING = 64


class Passage(NamedTuple):
    forward: bytes  # one packet for the router, or nothing
    answer: bytes  # one packet for the client, or nothing


class PacketGate:
    """The gate of one client. `route` says under which topic a message goes on, "" when it does not."""

    def __init__(self, route: Callable[[str], str], may_subscribe: Callable[[str], bool]) -> None:
        self._route = route
        self._may_subscribe = may_subscribe
        self._filters: set[str] = set()
        self._unreleased: set[int] = set()
        self._unacked: dict[int, list[str]] = {}
        self._steps: dict[int, Callable[[int, bytes], Passage]] = {
            mqtt.PUBLISH: self._publish,
            mqtt.PUBREL: self._release,
            mqtt.SUBSCRIBE: self._subscribe,
            mqtt.UNSUBSCRIBE: self._unsubscribe,
            mqtt.PINGREQ: lambda head, body: Passage(mqtt.build_packet(mqtt.PINGREQ << 4), b""),
            mqtt.DISCONNECT: lambda head, body: Passage(mqtt.build_packet(mqtt.DISCONNECT << 4), b""),
            # Deliveries are QoS 0: an ack of one is a client's mistake that hurts nobody.
            mqtt.PUBACK: lambda head, body: Passage(b"", b""),
            mqtt.PUBREC: lambda head, body: Passage(b"", b""),
            mqtt.PUBCOMP: lambda head, body: Passage(b"", b""),
        }

    def receive_packet(self, head: int, body: bytes) -> Passage:
        """One packet of the client; RemoteError when the connection has to end for it."""
        step = self._steps.get(head >> 4)
        if step is None:
            raise RemoteError("MQTT packet %02x is not for a client to send here" % head)
        return step(head, body)

    def acknowledge(self, suback: bytes) -> list[str]:
        """The filters that are served from this SUBACK of the router on."""
        return self._unacked.pop(int.from_bytes(suback[2:4], "big"), [])

    def _publish(self, head: int, body: bytes) -> Passage:
        message = mqtt.parse_publish(head, body)
        answer = b""
        if message.qos == 1:
            answer = mqtt.build_ack(mqtt.PUBACK, message.packet_id)
        if message.qos == 2:
            answer = mqtt.build_ack(mqtt.PUBREC, message.packet_id)
            if message.packet_id in self._unreleased:
                return Passage(b"", answer)
            _keep_room(self._unreleased)
            self._unreleased.add(message.packet_id)
        topic = self._route(message.topic)
        return Passage(mqtt.build_publish(topic, message.payload) if topic else b"", answer)

    def _release(self, head: int, body: bytes) -> Passage:
        packet_id = mqtt.parse_packet_id(body)
        self._unreleased.discard(packet_id)
        return Passage(b"", mqtt.build_ack(mqtt.PUBCOMP, packet_id))

    def _subscribe(self, head: int, body: bytes) -> Passage:
        packet_id, filters = mqtt.parse_subscribe(body)
        _keep_room(self._unacked)
        self._unacked[packet_id] = [wanted for wanted in filters if self._served(wanted)]
        return Passage(
            mqtt.build_subscribe(packet_id, [wanted if wanted in self._filters else _NOWHERE for wanted in filters]),
            b"",
        )

    def _served(self, wanted: str) -> bool:
        if wanted in self._filters:
            return True
        if len(self._filters) >= MAX_FILTERS or not self._may_subscribe(wanted):
            return False
        self._filters.add(wanted)
        return True

    def _unsubscribe(self, head: int, body: bytes) -> Passage:
        packet_id, filters = mqtt.parse_unsubscribe(body)
        self._filters.difference_update(filters)
        return Passage(mqtt.build_unsubscribe(packet_id, filters), b"")


def _keep_room(pending: set[int] | dict[int, list[str]]) -> None:
    if len(pending) >= MAX_PENDING:
        raise RemoteError("more than %d MQTT packets wait for their ack" % MAX_PENDING)
