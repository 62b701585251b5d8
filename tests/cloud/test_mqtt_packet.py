"""MQTT control packets, as far as the broker's door understands them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from localcloud import mqtt_packet as mqtt
from testkit.mqtt_parts import connect_packet, publish_packet

from mcu_proto.errors import RemoteError

# From a reference module, captured.
CONNECT = bytes.fromhex(
    "104800064d514973647003c20078001643617074757265446576696365303030303030303031"
    "001643617074757265446576696365303030303030303031000a424447574d4852585758"
)
SUBSCRIBE = bytes.fromhex("82270002002273657232636c695f7265732f4361707475726544657669636530303030303030303100")


def test_login_of_an_original_module_is_read():
    did = "CaptureDevice000000001"
    assert mqtt.parse_connect(CONNECT[2:]) == mqtt.Connect(mqtt.LEVEL_3_1, 120, did, did, b"BDGWMHRXWX")


def test_will_is_skipped():
    body = connect_packet("id", "name", "word", will_topic="somewhere")[2:]
    assert mqtt.parse_connect(body) == mqtt.Connect(mqtt.LEVEL_3_1_1, 120, "id", "name", b"word")


def test_login_without_a_name_is_read():
    assert mqtt.parse_connect(connect_packet("id")[2:]) == mqtt.Connect(4, 120, "id", None, None)


@pytest.mark.parametrize("level", [0, 2, 5, 131])
def test_other_versions_are_told_apart(level):
    assert mqtt.parse_connect(connect_packet("id", level=level)[2:]).level == 0


def test_name_of_one_version_with_the_level_of_another_is_neither():
    assert mqtt.parse_connect(b"\x00\x06MQIsdp\x04" + CONNECT[11:]).level == 0


def test_translated_connect_is_what_3_1_1_asks_for():
    assert mqtt.build_connect("id").hex() == "100e00044d515454040200000002" + b"id".hex()


def test_subscription_of_an_original_module_is_read_and_built_again():
    packet_id, filters = mqtt.parse_subscribe(SUBSCRIBE[2:])
    assert (packet_id, filters) == (2, ["ser2cli_res/CaptureDevice000000001"])
    assert mqtt.build_subscribe(packet_id, filters) == SUBSCRIBE


@pytest.mark.parametrize("length", [0, 127, 128, 203, 16383, 16384, 65536])
def test_packet_of_any_length_is_read_back(length):
    packet = mqtt.build_publish("t", bytes(length))
    head, body = _read(packet + b"\xc0\x00", max_body=length + 3)
    assert mqtt.parse_publish(head, body) == mqtt.Publish("t", bytes(length), 0, False, 0)


def test_packet_at_the_limit_is_read_and_one_above_refused():
    assert _read(mqtt.build_packet(0x30, bytes(100)), max_body=100) == (0x30, bytes(100))
    with pytest.raises(RemoteError, match="101 bytes, at most 100"):
        _read(mqtt.build_packet(0x30, bytes(101)), max_body=100)


def test_length_of_five_bytes_is_refused_before_its_end():
    with pytest.raises(RemoteError, match="more than 4 bytes"):
        _read(b"\x30\xff\xff\xff\xff", max_body=100)


def test_packet_that_stops_midway_is_a_timeout():
    async def read():
        reader = asyncio.StreamReader()
        reader.feed_data(b"\x30\x05ab")
        await mqtt.read_packet(reader, 100, idle_s=None, gap_s=0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(read())


def test_silence_is_a_timeout():
    async def read():
        await mqtt.read_packet(asyncio.StreamReader(), 100, idle_s=0.01, gap_s=None)

    with pytest.raises(TimeoutError):
        asyncio.run(read())


@pytest.mark.parametrize("qos", [1, 2])
def test_packet_id_is_there_only_with_qos(qos):
    packet = publish_packet("t", b"p", qos, packet_id=513, flags=8)
    assert mqtt.parse_publish(packet[0], packet[2:]) == mqtt.Publish("t", b"p", qos, True, 513)


@pytest.mark.parametrize("body", [b"\x00\x01", b"\x00\x01\x00\x00\x00", b"\x00\x01\x00\x01a", b"\x00\x01\x00\x02a\x00"])
def test_subscription_without_a_whole_filter_is_refused(body):
    with pytest.raises(RemoteError):
        mqtt.parse_subscribe(body)


@given(st.binary(max_size=60))
def test_garbage_is_refused_or_read_and_nothing_else(body):
    for parse in (
        mqtt.parse_connect,
        mqtt.parse_subscribe,
        mqtt.parse_unsubscribe,
        mqtt.parse_packet_id,
        lambda body: mqtt.parse_publish(0x32, body),
    ):
        try:
            parse(body)
        except RemoteError:
            continue


@given(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20), st.binary(max_size=300)
)
def test_message_is_read_back_as_it_was_built(topic, payload):
    head, body = _read(mqtt.build_publish(topic, payload), max_body=1000)
    assert mqtt.parse_publish(head, body)[:2] == (topic, payload)


def _read(data, max_body):
    async def read():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        return await mqtt.read_packet(reader, max_body, idle_s=None, gap_s=None)

    return asyncio.run(read())
