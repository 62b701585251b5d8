"""The chip's MQTT packets: as other implementations build them, and read back from a stream in any pieces."""

import io
import random

import paho.mqtt.client as paho
import pytest
from gagent_upy import mqtt
from paho.mqtt.enums import CallbackAPIVersion


class _Paho(paho.Client):
    """paho, with what it would send kept instead of sent."""

    def __init__(self):
        super().__init__(CallbackAPIVersion.VERSION2, client_id="did", protocol=paho.MQTTv31)
        self.username_pw_set("user", "pässword")
        self.sent = []
        # Without one it sends nothing.
        self._sock = io.BytesIO()

    def _packet_queue(self, command, packet, *arguments):
        self.sent.append(bytes(packet))
        return paho.MQTT_ERR_SUCCESS


@pytest.fixture
def reference():
    return _Paho()


def test_connect_is_the_packet_that_paho_sends(reference):
    reference._send_connect(120)
    assert reference.sent == [mqtt.connect("did", "user", "pässword", 120)]


def test_subscribe_is_the_packet_that_paho_sends(reference):
    reference._send_subscribe(False, [(b"app2dev/did/#", 0)])
    assert reference.sent == [mqtt.subscribe(1, "app2dev/did/#")]


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16000, 20000])
@pytest.mark.parametrize("is_again", [0, 1])
def test_publish_is_the_packet_that_paho_sends(reference, size, is_again):
    payload = bytes(size)
    reference._send_publish(7, b"dev2app/did", payload, 1, False, bool(is_again))
    assert reference.sent == [mqtt.publish("dev2app/did", payload, 7, is_again)]
    reference._send_publish(0, b"dev2app/did", payload, 0)
    assert reference.sent[1] == mqtt.publish("dev2app/did", payload)


PACKETS = [
    (2, 0, b"\x00\x00"),
    (3, 2, b"\x00\x01a\x00\x05" + bytes(300)),
    (9, 0, b"\x00\x01\x00"),
    (13, 0, b""),
    (3, 0, b"\x00\x01a"),
    (3, 0, bytes(512)),
]
STREAM = b"".join(mqtt.packet(kind << 4 | flags, body) for kind, flags, body in PACKETS)


def test_packets_are_read_whole_byte_by_byte_and_in_any_pieces():
    reader = mqtt.MqttReader(512)
    assert reader.feed(STREAM) == PACKETS
    assert [found for b in STREAM for found in reader.feed(bytes((b,)))] == PACKETS
    chance = random.Random(1)
    for _ in range(200):
        cuts = sorted(chance.randrange(len(STREAM)) for _ in range(5))
        pieces = [STREAM[a:b] for a, b in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
        assert [found for piece in pieces for found in reader.feed(piece)] == PACKETS


def test_a_packet_at_the_limit_is_read_and_one_above_it_is_skipped():
    reader = mqtt.MqttReader(512)
    stream = mqtt.packet(0x30, bytes(513)) + mqtt.packet(0x30, bytes(512)) + mqtt.packet(0x30, bytes(70000))
    assert reader.feed(stream + mqtt.PING) == [(3, 0, bytes(512)), (12, 0, b"")]


def test_a_packet_for_which_there_is_no_room_is_skipped(monkeypatch):
    def bytearray_of_a_full_heap(size):
        if size > 300:
            raise MemoryError
        return bytearray(size)

    monkeypatch.setattr(mqtt, "bytearray", bytearray_of_a_full_heap, raising=False)
    stream = mqtt.packet(0x30, bytes(301)) + mqtt.packet(0x30, bytes(300))
    assert mqtt.MqttReader(512).feed(stream) == [(3, 0, bytes(300))]


@pytest.mark.parametrize("head", [b"\x30\xff\xff\xff\xff\x01", b"\x00\x00", b"\x0f\x02ab"])
def test_what_cannot_be_a_packet_is_told_as_none(head):
    reader = mqtt.MqttReader(512)
    assert reader.feed(mqtt.PING + head) == [(12, 0, b""), None]


def test_the_longest_length_is_read():
    reader = mqtt.MqttReader(512)
    assert reader.feed(b"\x30\xff\xff\xff\x7f") == []
    reader.reset()
    assert reader.feed(mqtt.PING) == [(12, 0, b"")]


@pytest.mark.parametrize(
    ("flags", "body", "expected"),
    [
        (0, b"\x00\x01ahello", ("a", 0, b"hello")),
        (2, b"\x00\x01a\x12\x34hello", ("a", 0x1234, b"hello")),
        (0, b"\x00\x01a", ("a", 0, b"")),
        (2, b"\x00\x02\xc3\xa4\x00\x01", ("ä", 1, b"")),
    ],
)
def test_a_publish_is_taken_apart(flags, body, expected):
    assert mqtt.parse_publish(flags, body) == expected


@pytest.mark.parametrize(("flags", "body"), [(0, b""), (0, b"\x00"), (0, b"\x00\x05a"), (2, b"\x00\x01a\x12")])
def test_a_publish_that_is_cut_is_refused(flags, body):
    with pytest.raises(ValueError):
        mqtt.parse_publish(flags, body)
