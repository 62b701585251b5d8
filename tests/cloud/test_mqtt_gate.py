"""What of a client's packets reaches the router, and what the client is told instead."""

import pytest
from localcloud import mqtt_packet as mqtt
from localcloud.mqtt_gate import MAX_FILTERS, MAX_PENDING, PacketGate
from testkit.mqtt_parts import publish_packet

from mcu_proto.errors import RemoteError

NOTHING = (b"", b"")


@pytest.fixture
def gate():
    return PacketGate(lambda topic: topic if topic.startswith("mine") else "", lambda wanted: wanted.startswith("mine"))


def test_router_gets_qos_0_without_retain_whatever_was_sent(gate):
    for qos, ack in ((0, b""), (1, b"\x40\x02\x00\x09"), (2, b"\x50\x02\x00\x09")):
        passage = _receive(gate, publish_packet("mine", b"p", qos, packet_id=9, flags=1))
        assert passage == (mqtt.build_publish("mine", b"p"), ack)


def test_foreign_message_is_acked_and_goes_nowhere(gate):
    assert _receive(gate, publish_packet("theirs", b"p")) == NOTHING
    assert _receive(gate, publish_packet("theirs", b"p", 1, packet_id=9)) == (b"", b"\x40\x02\x00\x09")


def test_message_of_qos_2_passes_once_until_it_is_released(gate):
    packet = publish_packet("mine", b"p", 2, packet_id=9)
    assert _receive(gate, packet).forward
    assert _receive(gate, packet) == (b"", b"\x50\x02\x00\x09")
    assert _receive(gate, b"\x62\x02\x00\x09") == (b"", b"\x70\x02\x00\x09")
    assert _receive(gate, packet).forward


def test_foreign_filter_is_swapped_for_one_nothing_is_sent_to(gate):
    passage = _receive(gate, mqtt.build_subscribe(7, ["mine/1", "#", "mine/2"]))
    assert passage == (mqtt.build_subscribe(7, ["mine/1", "$refused", "mine/2"]), b"")


def test_served_filters_are_named_once_when_the_router_acks(gate):
    _receive(gate, mqtt.build_subscribe(7, ["mine/1", "#"]))
    assert gate.acknowledge(b"\x90\x04\x00\x07\x00\x00") == ["mine/1"]
    assert gate.acknowledge(b"\x90\x04\x00\x07\x00\x00") == []


def test_filters_beyond_the_limit_are_not_served_until_others_go(gate):
    filters = ["mine/%d" % i for i in range(MAX_FILTERS + 1)]
    _receive(gate, mqtt.build_subscribe(7, filters))
    assert gate.acknowledge(b"\x90\x02\x00\x07") == filters[:-1]
    assert _receive(gate, mqtt.build_unsubscribe(8, filters[:1])).forward == mqtt.build_unsubscribe(8, filters[:1])
    _receive(gate, mqtt.build_subscribe(9, filters[-1:]))
    assert gate.acknowledge(b"\x90\x02\x00\x09") == filters[-1:]


@pytest.mark.parametrize(
    "packet", [lambda i: publish_packet("mine", b"", 2, packet_id=i), lambda i: mqtt.build_subscribe(i, ["mine"])]
)
def test_client_that_never_finishes_is_ended_at_the_limit(gate, packet):
    for i in range(1, MAX_PENDING + 1):
        _receive(gate, packet(i))
    with pytest.raises(RemoteError, match="wait for their ack"):
        _receive(gate, packet(MAX_PENDING + 1))


@pytest.mark.parametrize("ack", [b"\x40\x02\x00\x01", b"\x50\x02\x00\x01", b"\x70\x02\x00\x01"])
def test_ack_nobody_waits_for_goes_nowhere(gate, ack):
    assert _receive(gate, ack) == NOTHING


@pytest.mark.parametrize("packet", [b"\xc0\x00", b"\xe0\x00"])
def test_ping_and_goodbye_pass(gate, packet):
    assert _receive(gate, packet) == (packet, b"")


@pytest.mark.parametrize("kind", [0, mqtt.CONNECT, mqtt.CONNACK, mqtt.SUBACK, mqtt.UNSUBACK, mqtt.PINGRESP, 15])
def test_packet_that_is_not_for_a_client_to_send_ends_the_connection(gate, kind):
    with pytest.raises(RemoteError):
        gate.receive_packet(kind << 4, b"\x00\x00")


def _receive(gate, packet):
    assert packet[1] < 128 or len(packet) < 16384
    start = 2 if packet[1] < 128 else 3
    return gate.receive_packet(packet[0], packet[start:])
