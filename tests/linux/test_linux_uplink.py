"""The MQTT session: against a real mosquitto, and against brokers that misbehave. One answer for each connect."""

import asyncio

import paho.mqtt.client as mqtt
import pytest
from gagent_linux.mqtt_session import MAX_UNSENT
from gagent_linux.uplink import Uplink
from paho.mqtt.enums import CallbackAPIVersion
from testkit import mqtt_script as script
from testkit.heard import Heard, LogText, in_loop, until
from testkit.mosquitto_running import free_port, mosquitto_running
from testkit.patience import PATIENCE_S
from testkit.raw_server import serving

from gagent.effects import MqttConnect

DID = "WCWGkbS4Ttynzwx9brzpEa"
PASSCODE = "ABCDEFGHIJ"
TOPICS = ("ser2cli_noti/pk", "ser2cli_res/" + DID, "app2dev/%s/#" % DID)


class Scene:
    def __init__(self, port, timeout_s=PATIENCE_S, host="127.0.0.1", topics=TOPICS):
        self.heard = Heard()
        self.log = LogText()
        note = self.heard.note
        self.uplink = Uplink(note("connected"), note("lost"), note("message"), self.log.port, timeout_s)
        self.effect = MqttConnect(host, port, DID, DID, PASSCODE, 120, topics)

    async def online(self):
        self.uplink.connect(self.effect)
        assert await self.heard.next() == ("connected",)


class App:
    """Somebody else at the broker, with threads of its own."""

    def __init__(self, broker, topic="#", user=None):
        self.heard = asyncio.Queue()
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        self.ready = ready
        client = self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if user:
            client.username_pw_set(*user)
        client.on_connect = lambda c, *_: c.subscribe(topic, 0)
        client.on_subscribe = lambda *_: loop.call_soon_threadsafe(ready.set)
        client.on_message = lambda c, u, m: loop.call_soon_threadsafe(self.heard.put_nowait, (m.topic, m.payload))
        client.connect(broker.host, broker.port)
        client.loop_start()

    async def next(self):
        async with asyncio.timeout(PATIENCE_S):
            return await self.heard.get()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.mosquitto
def test_messages_cross_a_real_broker_in_both_directions(tmp_path):
    async def scene():
        with mosquitto_running(tmp_path, {DID: PASSCODE, "app": "x"}) as broker:
            app = App(broker, "dev2app/#", ("app", "x"))
            await app.ready.wait()
            s = Scene(broker.port)
            await s.online()
            s.uplink.publish("dev2app/" + DID, b"\x00\x00\x00\x03", 0)
            assert await app.next() == ("dev2app/" + DID, b"\x00\x00\x00\x03")
            s.uplink.publish("dev2app/%s/usr1" % DID, b"one", 1)
            assert await app.next() == ("dev2app/%s/usr1" % DID, b"one")
            app.client.publish("app2dev/%s/usr1" % DID, b"down")
            assert await s.heard.next() == ("message", "app2dev/%s/usr1" % DID, b"down")
            app.close()
            s.uplink.disconnect()

    in_loop(scene())


@pytest.mark.mosquitto
def test_messages_that_come_together_all_arrive_in_order(tmp_path):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            app = App(broker, "none")
            await app.ready.wait()
            s = Scene(broker.port)
            await s.online()
            payloads = [b"%d" % n + b"x" * (n * 7 % 3000) for n in range(500)]
            for payload in payloads:
                app.client.publish("app2dev/%s/usr1" % DID, payload)
            for payload in payloads:
                assert await s.heard.next() == ("message", "app2dev/%s/usr1" % DID, payload)
            app.close()
            s.uplink.disconnect()

    in_loop(scene())


@pytest.mark.mosquitto
@pytest.mark.parametrize("size", [0, 1, 127, 128, 1024, 1025, 70000, 1_000_000])
def test_a_message_of_any_size_arrives_whole(tmp_path, size):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            app = App(broker, "dev2app/#")
            await app.ready.wait()
            s = Scene(broker.port)
            await s.online()
            payload = bytes(n % 256 for n in range(size))
            app.client.publish("app2dev/%s/usr1" % DID, payload)
            assert await s.heard.next() == ("message", "app2dev/%s/usr1" % DID, payload)
            s.uplink.publish("dev2app/" + DID, payload, 0)
            assert await app.next() == ("dev2app/" + DID, payload)
            app.close()
            s.uplink.disconnect()

    in_loop(scene())


@pytest.mark.mosquitto
@pytest.mark.parametrize("user", [(DID, "wrong"), ("stranger", PASSCODE)])
def test_a_refused_login_is_lost_once_with_its_code(tmp_path, user):
    async def scene():
        with mosquitto_running(tmp_path, {DID: PASSCODE}) as broker:
            s = Scene(broker.port)
            s.uplink.connect(s.effect._replace(username=user[0], password=user[1]))
            kind, code = await s.heard.next()
            assert kind == "lost"
            assert code in (4, 5)  # which of the two is the broker's choice
            # The broker is alive and the next session is another one: nothing of the first is left.
            await s.online()
            assert s.heard.nothing_more()
            s.uplink.disconnect()
            assert "wrong" not in s.log.getvalue()

    in_loop(scene())


@pytest.mark.mosquitto
def test_a_broker_that_is_killed_is_lost_once_and_found_again(tmp_path):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            s = Scene(broker.port)
            await s.online()
            broker.kill()
            assert await s.heard.next() == ("lost", 0)
            s.uplink.publish("dev2app/" + DID, b"dropped", 0)
            s.uplink.connect(s.effect)
            assert await s.heard.next() == ("lost", 0)
            broker.start()
            await s.online()
            assert s.heard.nothing_more()
            s.uplink.disconnect()

    in_loop(scene())


@pytest.mark.mosquitto
def test_after_disconnect_nothing_is_heard_and_the_broker_knows(tmp_path):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            s = Scene(broker.port)
            await s.online()
            s.uplink.disconnect()
            s.uplink.disconnect()
            log = tmp_path / "mosquitto.log"
            await until(lambda: "Client %s disconnected." % DID in log.read_text(), "mosquitto saw a DISCONNECT")
            assert s.heard.nothing_more()

    in_loop(scene())


@pytest.mark.mosquitto
def test_a_session_that_was_replaced_is_never_heard_of_again(tmp_path):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            s = Scene(broker.port)
            for _ in range(5):
                s.uplink.connect(s.effect)
            await s.online()
            for _ in range(3):
                await s.online()
            # The broker throws the older sessions of this client id out; none of that may come through.
            app = App(broker, "none")
            await app.ready.wait()
            app.client.publish("app2dev/%s/usr1" % DID, b"x")
            assert await s.heard.next() == ("message", "app2dev/%s/usr1" % DID, b"x")
            assert s.heard.nothing_more()
            app.close()
            s.uplink.disconnect()

    in_loop(scene())


def with_broker(talk, scene, **options):
    async def run():
        async with serving(talk) as port:
            await scene(Scene(port, **options))

    in_loop(run())


def test_the_login_is_the_one_modules_in_the_field_send():
    seen = []

    async def talk(reader, writer):
        seen.append(await script.read_packet(reader))
        writer.write(script.connack(3))

    async def scene(s):
        s.uplink.connect(s.effect)
        assert await s.heard.next() == ("lost", 3)

    with_broker(talk, scene)
    expected = bytes.fromhex("00064d514973647003c20078")
    for text in (DID, DID, PASSCODE):
        expected += len(text).to_bytes(2, "big") + text.encode()
    assert seen == [(script.CONNECT, expected)]


def test_each_subscription_waits_for_the_one_before():
    asked = []

    async def talk(reader, writer):
        await script.read_packet(reader)
        writer.write(script.connack())
        for _ in TOPICS:
            kind, body = await script.read_packet(reader)
            # Had the client not waited, the next one would be here already.
            asked.append((kind, body[4:-1].decode(), body[-1], len(reader._buffer)))
            writer.write(script.suback(body))
        await reader.read()

    async def scene(s):
        await s.online()
        s.uplink.disconnect()

    with_broker(talk, scene)
    assert asked == [(script.SUBSCRIBE, topic, 0, 0) for topic in TOPICS]


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_every_refusal_keeps_its_code(code):
    async def talk(reader, writer):
        await script.read_packet(reader)
        writer.write(script.connack(code))

    async def scene(s):
        s.uplink.connect(s.effect)
        assert await s.heard.next() == ("lost", code)
        assert s.heard.nothing_more()

    with_broker(talk, scene)


def test_a_refused_subscription_is_told_and_does_not_keep_the_device_off_line():
    async def talk(reader, writer):
        await script.read_packet(reader)
        writer.write(script.connack())
        for granted in (0x80, 0, 0):
            _, body = await script.read_packet(reader)
            writer.write(script.suback(body, granted))
        await reader.read()

    async def scene(s):
        await s.online()
        assert "refused the subscription to ser2cli_noti/pk" in s.log.getvalue()
        s.uplink.disconnect()

    with_broker(talk, scene)


def test_a_topic_that_is_none_is_left_out():
    async def talk(reader, writer):
        assert await script.accept(reader, writer, 1) == [b"ser2cli_res/" + DID.encode()]
        await reader.read()

    async def scene(s):
        await s.online()
        assert "ser2cli_noti/a#b: that is not a topic" in s.log.getvalue()
        s.uplink.disconnect()

    with_broker(talk, scene, topics=("ser2cli_noti/a#b", TOPICS[1]))


def test_packets_that_come_in_one_piece_are_all_taken():
    async def talk(reader, writer):
        await script.accept(reader, writer, 2)
        _, body = await script.read_packet(reader)
        pushes = [script.publish("app2dev/%s/u" % DID, b"%d" % n) for n in range(30)]
        writer.write(b"".join([script.suback(body), *pushes]))
        await writer.drain()

    async def scene(s):
        await s.online()
        for n in range(30):
            assert await s.heard.next() == ("message", "app2dev/%s/u" % DID, b"%d" % n)
        assert await s.heard.next() == ("lost", 0)
        assert s.heard.nothing_more()

    with_broker(talk, scene)


def test_packets_that_come_byte_by_byte_are_put_together():
    async def talk(reader, writer):
        await script.accept(reader, writer)
        for byte in script.publish("app2dev/%s/u" % DID, b"p0" * 100):
            writer.write(bytes((byte,)))
            await writer.drain()
        await reader.read()

    async def scene(s):
        await s.online()
        assert await s.heard.next() == ("message", "app2dev/%s/u" % DID, b"p0" * 100)
        s.uplink.disconnect()

    with_broker(talk, scene)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x00\x00\x00",
        b"\x20\x00",
        b"\x20\x05\x00\x00\x00\x00\x00",
        b"\x30\xff\xff\xff\xff\xff",
        b"\x30\x02\xff\xff",
        b"\x36\x04\x00\x01t\x00",
        b"\x90\x01\x00",
        b"\x40\x00\x50\x00\x62\x00\x70\x00",
        bytes(range(256)) * 4,
    ],
)
@pytest.mark.parametrize("when", ["before login", "online"])
def test_a_broker_that_sends_garbage_is_lost_once(garbage, when):
    async def talk(reader, writer):
        if when == "online":
            await script.accept(reader, writer)
        else:
            await script.read_packet(reader)
        writer.write(garbage)
        await writer.drain()

    async def scene(s):
        s.uplink.connect(s.effect)
        if when == "online":
            assert await s.heard.next() == ("connected",)
        assert await s.heard.next() == ("lost", 0)
        assert s.heard.nothing_more()

    with_broker(talk, scene)


def test_a_topic_that_is_no_text_is_ignored():
    async def talk(reader, writer):
        await script.accept(reader, writer)
        writer.write(script.packet(script.PUBLISH, b"\x00\x03a\xff\xfex") + script.publish("good", b"y"))
        await reader.read()

    async def scene(s):
        await s.online()
        assert await s.heard.next() == ("message", "good", b"y")
        assert "its topic is not text" in s.log.getvalue()
        s.uplink.disconnect()

    with_broker(talk, scene)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_broker_that_stops_answering_the_login_is_lost(steps):
    async def talk(reader, writer):
        await script.read_packet(reader)
        if steps:
            writer.write(script.connack())
        if steps > 1:
            _, body = await script.read_packet(reader)
            writer.write(script.suback(body))
        await reader.read()

    async def scene(s):
        s.uplink.connect(s.effect)
        assert await s.heard.next() == ("lost", 0)
        assert s.heard.nothing_more()

    with_broker(talk, scene, timeout_s=0.2)


def test_a_session_given_up_before_its_login_says_nothing_more():
    async def talk(reader, writer):
        await script.read_packet(reader)
        arrived.set()
        assert await reader.read() == b"\xe0\x00"
        left.set()

    async def scene(s):
        s.uplink.connect(s.effect)
        await arrived.wait()
        s.uplink.disconnect()
        await left.wait()
        assert s.heard.nothing_more()

    arrived, left = asyncio.Event(), asyncio.Event()
    with_broker(talk, scene)


def test_a_session_given_up_while_it_connects_never_logs_in():
    async def talk(reader, writer):
        seen.append(await reader.read(100))

    async def scene(s):
        s.uplink.connect(s.effect)
        await asyncio.sleep(0)  # the thread is on its way
        s.uplink.disconnect()
        await until(lambda: len(seen) == 1, "the server saw a connection")
        assert seen == [b""]
        assert s.heard.nothing_more()

    seen = []
    with_broker(talk, scene)


def test_a_closed_port_is_lost_with_a_reason():
    async def scene():
        s = Scene(free_port())
        s.uplink.connect(s.effect)
        assert await s.heard.next() == ("lost", 0)
        assert s.heard.nothing_more()

    in_loop(scene())


@pytest.mark.parametrize(("host", "port"), [("no-such-name.invalid", 1883), ("", 1883), ("127.0.0.1", 0), ("a b", 1)])
def test_an_address_that_is_none_is_lost(host, port):
    async def scene():
        s = Scene(port, host=host)
        s.uplink.connect(s.effect)
        assert await s.heard.next() == ("lost", 0)
        assert s.heard.nothing_more()

    in_loop(scene())


def test_a_broker_that_does_not_read_fills_no_memory():
    """What is over the maximum is dropped; what was taken arrives when the broker reads again."""

    async def talk(reader, writer):
        await script.accept(reader, writer)
        writer.transport.pause_reading()
        await resume.wait()
        writer.transport.resume_reading()
        while (await script.read_packet(reader))[0] == script.PUBLISH:
            arrived.append(1)

    async def scene(s):
        await s.online()
        for _ in range(MAX_UNSENT * 3):
            s.uplink.publish("dev2app/" + DID, b"x" * 10000, 0)
        assert "takes no more" in s.log.getvalue()
        resume.set()
        await until(lambda: len(arrived) >= MAX_UNSENT, "what was taken arrives")
        s.uplink.disconnect()
        # Besides ours there are the buffers of the kernel, a few MB.
        assert len(arrived) < MAX_UNSENT * 2

    resume, arrived = asyncio.Event(), []
    with_broker(talk, scene)


def test_a_topic_that_cannot_be_published_is_told():
    async def talk(reader, writer):
        await script.accept(reader, writer)
        await reader.read()

    async def scene(s):
        await s.online()
        s.uplink.publish("dev2app/x/a+b", b"x", 0)
        assert "message not published" in s.log.getvalue()
        s.uplink.disconnect()

    with_broker(talk, scene)
