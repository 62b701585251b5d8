"""What only the embedded broker does: exact refusals, learning, pacing, and surviving what comes in."""

import asyncio
import gc
import itertools
import logging
from dataclasses import replace

import paho.mqtt.client as paho
import pytest
from localcloud import mqtt_packet as mqtt
from localcloud.broker import DeviceLogin
from localcloud.embedded_broker import _SPACING_S
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from testkit.mqtt_parts import (
    DID,
    LOGIN,
    PASSCODE,
    connect_packet,
    in_loop,
    publish_packet,
    raw_client,
    running_broker,
    text,
    writes_to,
)
from testkit.patience import PATIENCE_S

STUB = DeviceLogin(DID, "", "", False)


@in_loop
async def test_first_login_teaches_the_passcode_of_an_adopted_device(tmp_path):
    async with running_broker("embedded", tmp_path, STUB) as bench:
        async with raw_client(bench) as device:
            assert await device.connect(password=PASSCODE) == 0
        assert bench.store.device(DID).passcode == PASSCODE
        async with raw_client(bench) as device:
            assert await device.connect(password="AAAAAAAAAA") == 4
        async with raw_client(bench) as device:
            assert await device.connect(password=PASSCODE) == 0


@in_loop
async def test_adopted_device_without_a_passcode_teaches_nothing(tmp_path):
    async with running_broker("embedded", tmp_path, STUB) as bench, raw_client(bench) as device:
        assert await device.connect(password="") == 4
        assert bench.store.device(DID) == STUB


@in_loop
async def test_did_that_is_a_wildcard_is_refused(tmp_path):
    async with running_broker("embedded", tmp_path, replace(LOGIN, did="+")) as bench, raw_client(bench) as device:
        assert await device.connect(client_id="+", username="+") == 2


@in_loop
async def test_refused_login_is_one_line_in_the_log(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        _forget(caplog)
        await device.connect(password="AAAAAAAAAA")
        await device.closed()
        assert [record.getMessage() for record in caplog.records] == [
            "refused the MQTT login of '%s' from 127.0.0.1: wrong passcode" % DID
        ]


@in_loop
async def test_start_and_stop_say_nothing_of_the_library(tmp_path, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    _forget(caplog)
    recwarn.clear()
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect()
        await device.subscribe("app2dev/%s/#" % DID)
    assert {record.name.split(".")[0] for record in caplog.records} <= {"localcloud", "asyncio"}
    assert not recwarn.list


@in_loop
async def test_version_5_is_told_that_its_level_is_wrong(tmp_path):
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        assert await device.connect(level=5) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00",
        b"\x10\xff\xff\xff\x7f",
        b"\x10\xff\xff\xff\xff\x01",
        mqtt.build_packet(0x10, b"x" * 2049),
        mqtt.build_packet(0x10, b"\x00\x04MQ"),
        mqtt.build_packet(0x10, text("MQTT") + b"\x04\xc2\x00\x78\x00\x02\xff\xfe"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        publish_packet("dev2app/" + DID, b"no login"),
        b"",
    ],
)
@in_loop
async def test_garbage_instead_of_a_login_closes_only_its_connection(tmp_path, garbage, caplog):
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect()
        _forget(caplog)
        async with raw_client(bench) as intruder:
            intruder.send(garbage)
            intruder.writer.write_eof()
            await intruder.closed()
        device.send(publish_packet("dev2app/" + DID, b"alive"))
        assert await _message(bench) == ("dev2app/" + DID, b"alive")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "garbage",
    [
        connect_packet(DID, DID, PASSCODE),
        b"\x00\x00",
        b"\xf0\x00",
        b"\x36\x05\x00\x01a\x00\x01",
        b"\x32\x02\x00\x09",
        b"\x82\x02\x00\x01",
        b"\x82\x05\x00\x01\x00\x09a",
        b"\xa2\x03\x00\x01\x00",
        b"\x62\x01\x00",
        b"\x30\xff\xff\xff\x7f",
        b"\x20\x02\x00\x00",
    ],
)
@in_loop
async def test_illegal_packet_ends_the_session(tmp_path, garbage):
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect()
        device.send(garbage)
        await device.closed()
        assert (await bench.presence.next())[0] == "connected"
        assert await bench.presence.next() == ("disconnected", DID, "tcp_closed")


@in_loop
async def test_packet_may_come_in_pieces(tmp_path):
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        for byte in connect_packet(DID, DID, PASSCODE, level=3):
            device.send(bytes((byte,)))
            await device.writer.drain()
        assert (await device.packet())[1] == b"\x00\x00"
        for byte in publish_packet("dev2app/" + DID, b"piece by piece"):
            device.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert await _message(bench) == ("dev2app/" + DID, b"piece by piece")


@in_loop
async def test_packets_to_an_original_module_never_share_a_segment(tmp_path, monkeypatch):
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as module:
        written = writes_to(module, monkeypatch)
        await module.connect(level=3)
        module.send(mqtt.build_subscribe(1, ["app2dev/%s/#" % DID]) + bytes((mqtt.PINGREQ << 4, 0)))
        while (await bench.presence.next())[0] != "subscribed":
            pass
        for _ in range(3):
            bench.cloud.publish("app2dev/%s/app" % DID, b"command")
        command = mqtt.build_publish("app2dev/%s/app" % DID, b"command")
        for _ in range(5):
            await module.packet()
    moments, packets = zip(*written, strict=True)
    assert packets[0] == b"\x20\x02\x00\x00"
    assert sorted(packets[1:]) == sorted([b"\x90\x03\x00\x01\x00", b"\xd0\x00", command, command, command])
    assert all(later - earlier >= _SPACING_S[mqtt.LEVEL_3_1] for earlier, later in itertools.pairwise(moments))


@pytest.mark.parametrize("farewell", [b"", bytes((mqtt.DISCONNECT << 4, 0))])
@in_loop
async def test_device_that_leaves_at_once_is_reported_gone(tmp_path, farewell):
    async with running_broker("embedded", tmp_path, LOGIN) as bench:
        for _ in range(3):
            async with raw_client(bench) as device:
                device.send(connect_packet(DID, DID, PASSCODE) + farewell)
                device.writer.write_eof()
                assert await bench.presence.next() == ("connected", DID, 120, "127.0.0.1", False)
                reason = "mqtt_disconnect" if farewell else "tcp_closed"
                assert await bench.presence.next() == ("disconnected", DID, reason)


@in_loop
async def test_delivery_is_qos_0_whatever_was_asked_for(tmp_path):
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect()
        device.send(mqtt.build_packet(0x82, b"\x00\x07" + text("app2dev/%s/#" % DID) + b"\x02"))
        assert await device.packet() == (0x90, b"\x00\x07\x00")
        bench.cloud.publish("app2dev/%s/app" % DID, b"command")
        assert await device.packet() == (0x30, text("app2dev/%s/app" % DID) + b"command")


@in_loop
async def test_unsubscribed_filter_is_no_longer_served(tmp_path):
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect()
        await device.subscribe("app2dev/%s/#" % DID, "ser2cli_res/" + DID)
        device.send(mqtt.build_unsubscribe(2, ["app2dev/%s/#" % DID]))
        assert await device.packet() == (0xB0, b"\x00\x02")
        bench.cloud.publish("app2dev/%s/app" % DID, b"nobody listens")
        bench.cloud.publish("ser2cli_res/" + DID, b"service")
        assert await device.message() == ("ser2cli_res/" + DID, b"service")


@in_loop
async def test_nothing_is_kept_for_a_session_that_asks_for_it(tmp_path):
    async with running_broker("embedded", tmp_path, LOGIN) as bench:
        async with raw_client(bench) as device:
            await device.connect(flags=0)
            await device.subscribe("app2dev/%s/#" % DID)
        while (await bench.presence.next())[0] != "disconnected":
            pass
        bench.cloud.publish("app2dev/%s/app" % DID, b"missed")
        async with raw_client(bench) as device:
            device.send(connect_packet(DID, DID, PASSCODE, flags=0))
            assert await device.packet() == (0x20, b"\x00\x00")
            await device.subscribe("ser2cli_res/" + DID)
            bench.cloud.publish("app2dev/%s/app" % DID, b"not asked for")
            bench.cloud.publish("ser2cli_res/" + DID, b"service")
            assert await device.message() == ("ser2cli_res/" + DID, b"service")


@in_loop
async def test_storm_of_logins_of_one_did_leaves_one_session(tmp_path):
    async with running_broker("embedded", tmp_path, LOGIN) as bench:
        clients = [await asyncio.open_connection("127.0.0.1", bench.broker.port) for _ in range(20)]
        for _, writer in clients:
            writer.write(connect_packet(DID, DID, PASSCODE))
        ended = [asyncio.create_task(reader.read()) for reader, _ in clients]
        while sum(task.done() for task in ended) < len(clients) - 1:
            await asyncio.wait_for(
                asyncio.wait([task for task in ended if not task.done()], return_when=asyncio.FIRST_COMPLETED),
                PATIENCE_S,
            )
        for _, writer in clients:
            writer.close()
        await asyncio.gather(*ended, return_exceptions=True)
        told = [await bench.presence.next()]
        while told[-1][0] != "disconnected":
            told.append(await bench.presence.next())
        assert [entry[-1] for entry in told] == [False] + [True] * (len(told) - 2) + ["tcp_closed"]


@in_loop
async def test_client_that_does_not_read_loses_messages_and_holds_up_nobody(tmp_path, caplog):
    async with running_broker("embedded", tmp_path, LOGIN) as bench, raw_client(bench) as device:
        await device.connect(level=3)
        await device.subscribe("app2dev/%s/#" % DID)
        _forget(caplog)
        for _ in range(600):
            bench.cloud.publish("app2dev/%s/app" % DID, b"x")
        device.send(publish_packet("dev2app/" + DID, b"alive"))
        assert await _message(bench) == ("dev2app/" + DID, b"alive")
        while not caplog.records:
            bench.cloud.publish("app2dev/%s/app" % DID, b"x")
            await asyncio.sleep(0)
    assert ["dropping" in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv31, MQTTProtocolVersion.MQTTv311])
@in_loop
async def test_ordinary_client_library_is_served_in_both_versions(tmp_path, version):
    got = asyncio.Queue()
    loop = asyncio.get_running_loop()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=DID, protocol=version)
    client.username_pw_set(DID, PASSCODE)
    client.on_connect = lambda c, *rest: c.subscribe("app2dev/%s/#" % DID, qos=1)
    client.on_message = lambda c, u, message: loop.call_soon_threadsafe(got.put_nowait, message.payload)
    async with running_broker("embedded", tmp_path, LOGIN) as bench:
        client.connect_async("127.0.0.1", bench.broker.port)
        client.loop_start()
        try:
            while (await bench.presence.next())[0] != "subscribed":
                pass
            bench.cloud.publish("app2dev/%s/app" % DID, b"down")
            assert await asyncio.wait_for(got.get(), PATIENCE_S) == b"down"
            for qos in (0, 1, 2):
                published = client.publish("dev2app/" + DID, b"up %d" % qos, qos)
                assert await _message(bench) == ("dev2app/" + DID, b"up %d" % qos)
                await asyncio.to_thread(published.wait_for_publish, PATIENCE_S)
                assert published.is_published()
        finally:
            await asyncio.to_thread(client.disconnect)
            await asyncio.to_thread(client.loop_stop)
        assert await bench.presence.next() == ("disconnected", DID, "mqtt_disconnect")


def _forget(caplog):
    """What was logged so far, and what would be when that which other tests left behind is collected."""
    gc.collect()
    caplog.clear()


async def _message(bench):
    return await asyncio.wait_for(bench.messages.get(), PATIENCE_S)
