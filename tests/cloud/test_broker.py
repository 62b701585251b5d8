"""What both brokers promise: logins, topics, presence."""

import asyncio
import logging
from dataclasses import replace

import pytest
from localcloud import mqtt_packet as mqtt
from localcloud.broker import BrokerError, make_broker
from localcloud.mqtt import CloudMqtt
from testkit.mqtt_parts import (
    DID,
    LOGIN,
    OTHER,
    PASSCODE,
    PRODUCT_KEY,
    Presence,
    RawClient,
    Store,
    connect_packet,
    in_loop,
    publish_packet,
    raw_client,
    running_broker,
)
from testkit.patience import PATIENCE_S

# The login of a reference module (version 04020006) and what its broker answered: captured.
CAPTURED = (
    (
        "104800064d514973647003c20078001643617074757265446576696365303030303030303031"
        "001643617074757265446576696365303030303030303031000a424447574d4852585758",
        "20020000",
    ),
    (
        "82320001002d73657232636c695f6e6f74692f303132333435363738396162636465663031323334353637383961626364656600",
        "9003000100",
    ),
    ("82270002002273657232636c695f7265732f4361707475726544657669636530303030303030303100", "9003000200"),
    ("822500030020617070326465762f436170747572654465766963653030303030303030312f2300", "9003000300"),
    ("c000", "d000"),
)

CONNECTED = ("connected", DID, 120, "127.0.0.1", False)
CONNECTED_AGAIN = ("connected", DID, 120, "127.0.0.1", True)


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def kind(request):
    return request.param


@in_loop
async def test_original_module_logs_in_subscribes_and_is_served(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench, raw_client(bench) as module:
        for sent, answer in CAPTURED:
            module.send(bytes.fromhex(sent))
            assert (await module.segment()).hex() == answer
        assert await bench.presence.next() == CONNECTED
        for topic_filter in ("ser2cli_noti/" + PRODUCT_KEY, "ser2cli_res/" + DID, "app2dev/%s/#" % DID):
            assert await bench.presence.next() == ("subscribed", DID, topic_filter)
        bench.cloud.publish("app2dev/%s/app" % DID, b"\x00\x00\x00\x03")
        assert await module.message() == ("app2dev/%s/app" % DID, b"\x00\x00\x00\x03")


@pytest.mark.parametrize("level", [3, 4])
@in_loop
async def test_report_reaches_the_cloud_in_both_versions(kind, tmp_path, level):
    async with running_broker(kind, tmp_path, LOGIN) as bench, raw_client(bench) as device:
        assert await device.connect(level=level) == 0
        for payload in (b"", b"one", b"x" * 65_000):
            device.send(mqtt.build_publish("dev2app/" + DID, payload))
            assert await _message(bench) == ("dev2app/" + DID, payload)


REFUSED = {
    "wrong passcode": ({"password": "AAAAAAAAAA"}, 4),
    "passcode of another": ({"password": OTHER.passcode}, 4),
    "client id not the did": ({"client_id": "x" + DID}, 2),
    "unknown did": ({"client_id": "Nobody", "username": "Nobody"}, 4),
    "no passcode": ({"password": ""}, 4),
    "nobody": ({"username": "", "password": ""}, 4),
    "the cloud's name": ({"username": "cloud", "client_id": "cloud"}, 4),
}


@pytest.mark.parametrize("case", REFUSED)
@in_loop
async def test_bad_login_is_refused_and_never_reported(kind, tmp_path, case, caplog):
    caplog.set_level(logging.DEBUG)
    fields, code = REFUSED[case]
    async with running_broker(kind, tmp_path, LOGIN, OTHER) as bench:
        async with raw_client(bench) as intruder:
            assert await intruder.connect(**fields) == (code if kind == "embedded" else 5)
            await intruder.closed()
        async with raw_client(bench) as device:
            assert await device.connect() == 0
            assert await bench.presence.next() == CONNECTED
    secrets = {LOGIN.passcode, OTHER.passcode, fields.get("password") or PASSCODE, bench.broker.cloud_password}
    assert not [record for record in caplog.records if any(secret in record.getMessage() for secret in secrets)]


@in_loop
async def test_disabled_device_is_refused(kind, tmp_path):
    async with running_broker(kind, tmp_path, replace(LOGIN, disabled=True)) as bench, raw_client(bench) as device:
        assert await device.connect() == 5


@in_loop
async def test_device_is_admitted_by_the_time_admit_returns(kind, tmp_path):
    async with running_broker(kind, tmp_path) as bench:
        bench.store.put(LOGIN)
        await bench.broker.admit(LOGIN)
        async with raw_client(bench) as device:
            assert await device.connect() == 0
            assert await bench.presence.next() == CONNECTED


@in_loop
async def test_only_the_newest_passcode_is_good(kind, tmp_path):
    newer = replace(LOGIN, passcode="ZZZZZZZZZZ")
    async with running_broker(kind, tmp_path, LOGIN) as bench:
        bench.store.put(newer)
        await bench.broker.admit(newer)
        async with raw_client(bench) as device:
            assert await device.connect(LOGIN) in (4, 5)
        async with raw_client(bench) as device:
            assert await device.connect(newer) == 0


@in_loop
async def test_second_login_takes_over_without_an_offline(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench, raw_client(bench) as older, raw_client(bench) as newer:
        assert await older.connect() == 0
        assert await bench.presence.next() == CONNECTED
        assert await newer.connect() == 0
        await older.closed()
        assert await bench.presence.next() == CONNECTED_AGAIN
        await newer.subscribe("app2dev/%s/#" % DID)
        assert (await bench.presence.next())[0] == "subscribed"
        bench.cloud.publish("app2dev/%s/app" % DID, b"to the newer")
        assert (await newer.message())[1] == b"to the newer"
        newer.close()
        assert await bench.presence.next() == ("disconnected", DID, "tcp_closed")


@in_loop
async def test_goodbye_is_a_disconnect(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect()
        device.send(bytes((mqtt.DISCONNECT << 4, 0)))
        assert await bench.presence.next() == CONNECTED
        assert await bench.presence.next() == ("disconnected", DID, "mqtt_disconnect")


@in_loop
async def test_silent_device_is_cut_off_after_its_keepalive(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect(keepalive_s=1)
        assert (await bench.presence.next())[2] == 1
        assert await bench.presence.next() == ("disconnected", DID, "no_heartbeat")
        await device.closed()


@in_loop
async def test_foreign_subscription_is_granted_and_not_served(kind, tmp_path):
    foreign = ("#", "app2dev/#", "app2dev/%s/#" % OTHER.did, "ser2cli_noti/" + "f" * 32, "dev2app/" + DID, "+/+/+")
    async with running_broker(kind, tmp_path, LOGIN, OTHER) as bench, raw_client(bench) as device:
        await device.connect(level=3)
        assert await device.subscribe(*foreign, "app2dev/%s/#" % DID) == [0] * 7
        assert await bench.presence.next() == CONNECTED
        assert await bench.presence.next() == ("subscribed", DID, "app2dev/%s/#" % DID)
        for topic in ("app2dev/%s/app" % OTHER.did, "ser2cli_noti/" + "f" * 32, "dev2app/" + DID):
            bench.cloud.publish(topic, b"not yours")
        bench.cloud.publish("app2dev/%s/app" % DID, b"yours")
        assert await device.message() == ("app2dev/%s/app" % DID, b"yours")


@pytest.mark.parametrize("qos", [0, 1, 2])
@in_loop
async def test_foreign_message_is_acked_and_dropped(kind, tmp_path, qos):
    async with running_broker(kind, tmp_path, LOGIN, OTHER, subscriptions=("#",)) as bench, raw_client(bench) as device:
        await device.connect()
        for topic in ("dev2app/" + OTHER.did, "app2dev/%s/app" % OTHER.did, "dev2app/%s/a/b" % DID, "anything"):
            device.send(publish_packet(topic, b"forged", qos))
            if qos:
                assert (await device.packet())[0] >> 4 == (mqtt.PUBACK if qos == 1 else mqtt.PUBREC)
            if qos == 2:
                device.send(bytes((mqtt.PUBREL << 4 | 2, 2, 0, 1)))
                assert (await device.packet())[0] >> 4 == mqtt.PUBCOMP
        device.send(publish_packet("dev2app/" + DID, b"honest"))
        assert await _message(bench) == ("dev2app/" + DID, b"honest")


@in_loop
async def test_will_on_a_foreign_topic_is_ignored(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN, subscriptions=("#",)) as bench:
        async with raw_client(bench) as device:
            assert await device.connect(will_topic="WillTopic") == 0
            assert await bench.presence.next() == CONNECTED
        assert await bench.presence.next() == ("disconnected", DID, "tcp_closed")
        bench.cloud.publish("marker", b"")
        assert await _message(bench) == ("marker", b"")


@in_loop
async def test_retained_message_is_not_kept(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect()
        device.send(publish_packet("dev2app/" + DID, b"old", flags=1))
        assert await _message(bench) == ("dev2app/" + DID, b"old")
        # They have one name: whichever came last would put the other one out.
        await bench.cloud.stop()
        late = asyncio.Queue()
        cloud = CloudMqtt(lambda message: late.put_nowait(message.payload), ("dev2app/#",))
        await cloud.start("127.0.0.1", bench.broker.port, bench.broker.cloud_username, bench.broker.cloud_password)
        device.send(publish_packet("dev2app/" + DID, b"new"))
        assert await asyncio.wait_for(late.get(), PATIENCE_S) == b"new"
        await cloud.stop()


@in_loop
async def test_messages_keep_their_order(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect()
        for i in range(100):
            device.send(publish_packet("dev2app/" + DID, b"%d" % i))
        assert [(await _message(bench))[1] for _ in range(100)] == [b"%d" % i for i in range(100)]


@in_loop
async def test_expelled_device_may_come_back_unless_it_is_disabled(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench:
        async with raw_client(bench) as device:
            await device.connect()
            assert await bench.presence.next() == CONNECTED
            await bench.broker.expel(DID, "offline_reset")
            await device.closed()
            assert await bench.presence.next() == ("disconnected", DID, "offline_reset")
        async with raw_client(bench) as device:
            assert await device.connect() == 0
            assert await bench.presence.next() == CONNECTED
            bench.store.put(replace(LOGIN, disabled=True))
            await bench.broker.expel(DID, "offline_exception")
            assert await bench.presence.next() == ("disconnected", DID, "offline_exception")
        async with raw_client(bench) as device:
            assert await device.connect() == 5
        bench.store.put(LOGIN)
        await bench.broker.admit(LOGIN)
        async with raw_client(bench) as device:
            assert await device.connect() == 0


@in_loop
async def test_removed_device_is_refused(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench:
        async with raw_client(bench) as device:
            await device.connect()
            assert await bench.presence.next() == CONNECTED
            bench.store.drop(DID)
            await bench.broker.expel(DID, "offline_reset")
            assert await bench.presence.next() == ("disconnected", DID, "offline_reset")
        async with raw_client(bench) as device:
            assert await device.connect() in (4, 5)


@in_loop
async def test_all_devices_are_offline_when_the_broker_stops(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect()
        assert await bench.presence.next() == CONNECTED
        await bench.cloud.stop()
        await bench.broker.stop()
        assert await bench.presence.next() == ("disconnected", DID, "tcp_closed")
        await device.closed()


@in_loop
async def test_broken_listener_does_not_end_the_session(kind, tmp_path, caplog):
    async with running_broker(kind, tmp_path, LOGIN) as bench, raw_client(bench) as device:
        bench.presence.device_connected = None
        assert await device.connect() == 0
        device.send(publish_packet("dev2app/" + DID, b"still here"))
        assert await _message(bench) == ("dev2app/" + DID, b"still here")
        device.close()
        assert await bench.presence.next() == ("disconnected", DID, "tcp_closed")
    assert [record for record in caplog.records if "presence of" in record.message]


@in_loop
async def test_busy_port_is_one_clear_error(kind, tmp_path):
    async with running_broker(kind, tmp_path, LOGIN) as bench:
        second = make_broker(
            kind,
            host="127.0.0.1",
            port=bench.broker.port,
            data_dir=tmp_path / "second",
            credentials=Store(),
            listener=Presence(),
        )
        with pytest.raises(BrokerError, match="choose another"):
            await second.start()


@in_loop
async def test_stopped_broker_starts_again_on_its_port(kind, tmp_path):
    broker = make_broker(
        kind, host="127.0.0.1", port=0, data_dir=tmp_path, credentials=Store(LOGIN), listener=Presence()
    )
    for _ in range(2):
        await broker.start()
        device = await RawClient.open(broker.port)
        device.send(connect_packet(DID, DID, PASSCODE))
        assert (await device.packet())[1] == b"\x00\x00"
        await broker.stop()
        device.close()


def test_unknown_kind_of_broker_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(BrokerError, match="embedded, mosquitto"):
        make_broker("emqx", host="", port=0, data_dir=tmp_path, credentials=Store(), listener=None)


async def _message(bench):
    return await asyncio.wait_for(bench.messages.get(), PATIENCE_S)
