"""gagent.wire and gagent.topics: the cloud's envelope, service messages and topics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit import vectors

from gagent import topics, wire
from mcu_proto.errors import RemoteError

RELAY = [v for v in vectors.cloud_payloads() if v.topic and v.topic.startswith(("app2dev/", "dev2app/"))]
RELAY = [v for v in RELAY if v.payload[:4] == wire.PREFIX and "varlen" in v.decoded]


def test_there_are_relay_vectors():
    assert len(RELAY) > 10


@pytest.mark.parametrize("vector", RELAY, ids=lambda v: v.name)
def test_relay_vector_holds_in_both_directions(vector):
    envelope = wire.decode(vector.payload)
    assert envelope.cmd == int(vector.decoded["cmd"], 16)
    if "sn" in vector.decoded:
        assert envelope.sn == vector.decoded["sn"]
    assert wire.encode(envelope.cmd, envelope.p0, envelope.sn) == vector.payload


@given(st.sampled_from([0x90, 0x91, 0x93, 0x94, 0x77]), st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_decode_undoes_encode(cmd, p0, sn):
    carried = sn if cmd in (0x93, 0x94) else 0
    assert wire.decode(wire.encode(cmd, p0, sn)) == (cmd, carried, p0)


@pytest.mark.parametrize(
    "n, encoded", [(127, "7f"), (128, "8001"), (203, "cb01"), (16383, "ff7f"), (16384, "808001"), (2097152, "80808001")]
)
def test_length_is_coded_as_in_mqtt(n, encoded):
    assert wire.encode_length(n).hex() == encoded


@pytest.mark.parametrize(
    "data",
    [
        "",
        "00000003",
        "0000000303",
        "000000030400009002ff",  # longer than it says
        "0000000305000090 02",  # shorter than it says
        "00000003040100 9002",  # flagged
        "0000000203000090",  # another prefix
        "00000003 0200 90",  # too short for a command
        "000000030500009300 01",  # 0093 without all of its sn
        "00000003 ffffffffff 000090",  # a length that does not end
        "00000003 ffffff7f 000090",  # a length beyond any message
    ],
)
def test_bad_envelope_is_refused(data):
    with pytest.raises(RemoteError):
        wire.decode(bytes.fromhex(data))


@given(st.binary(max_size=40))
def test_decode_raises_nothing_but_remote_error(data):
    for decode in (wire.decode, wire.decode_service):
        for whole in (data, wire.PREFIX + data):
            try:
                decode(whole)
            except RemoteError:
                pass


def test_service_messages():
    assert wire.decode_service(bytes.fromhex("0000000302100001")) == (wire.SERVICE_APP_COUNT, b"\x00\x01")
    assert wire.encode_service(wire.SERVICE_ASK_APP_COUNT) == bytes.fromhex("00000003020f")


def test_topics_are_those_of_the_reference_agent():
    assert topics.subscriptions("did", "key") == ("ser2cli_noti/key", "ser2cli_res/did", "app2dev/did/#")
    assert topics.dev2app("did") == "dev2app/did"
    assert topics.dev2app("did", "c" * 30) == "dev2app/did/" + "c" * 23
    assert topics.app2dev("did", "usr1") == "app2dev/did/usr1"


@pytest.mark.parametrize(
    "topic, parts",
    [
        ("app2dev/did/usr1", ("app2dev", "did", "usr1")),
        ("app2dev/did/a/b", ("app2dev", "did", "a/b")),
        ("dev2app/did", ("dev2app", "did", "")),
        ("cli2ser_req", ("cli2ser_req", "", "")),
        ("", ("", "", "")),
        ("/" * 300, ("", "", "/" * 298)),
    ],
)
def test_any_topic_can_be_parsed(topic, parts):
    assert topics.parse(topic) == parts
