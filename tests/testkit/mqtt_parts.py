"""A running broker with what surrounds it: devices that may log in, presence as it is told, raw MQTT clients."""

import asyncio
import functools
import socket
from collections import namedtuple
from contextlib import asynccontextmanager
from dataclasses import replace

from localcloud import mqtt_packet as mqtt
from localcloud.broker import DeviceLogin, make_broker
from localcloud.mqtt import CloudMqtt

from .patience import PATIENCE_S

PRODUCT_KEY = "0123456789abcdef" * 2
DID = "CaptureDevice000000001"
PASSCODE = "BDGWMHRXWX"
LOGIN = DeviceLogin(DID, PASSCODE, PRODUCT_KEY, False)
OTHER = DeviceLogin("OtherDevice00000000002", "QWERTYUIOP", PRODUCT_KEY, False)

Bench = namedtuple("Bench", "broker store presence cloud messages")


def in_loop(test):
    """Run an async test in a loop of its own; it fails when it waits in vain."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 2 * PATIENCE_S))

    return run


class Store:
    """The logins of a cloud, in memory."""

    def __init__(self, *logins):
        self._logins = {login.did: login for login in logins}

    def device(self, did):
        return self._logins.get(did)

    def devices(self):
        return list(self._logins.values())

    def learn_passcode(self, did, passcode):
        self.put(replace(self._logins[did], passcode=passcode))

    def put(self, login):
        self._logins[login.did] = login

    def drop(self, did):
        del self._logins[did]


class Presence:
    """What a broker tells its listener, in order."""

    def __init__(self):
        self._told = asyncio.Queue()

    def device_connected(self, did, *, keepalive_s, ip, again):
        self._told.put_nowait(("connected", did, keepalive_s, ip, again))

    def device_subscribed(self, did, topic_filter):
        self._told.put_nowait(("subscribed", did, topic_filter))

    def device_disconnected(self, did, reason):
        self._told.put_nowait(("disconnected", did, reason))

    async def next(self):
        return await asyncio.wait_for(self._told.get(), PATIENCE_S)


class RawClient:
    """An MQTT client that sends the bytes it is told to and shows the packets it gets."""

    def __init__(self, reader, writer):
        self._reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(reader, writer)

    def send(self, data):
        self.writer.write(data)

    async def packet(self):
        """(head, body) of the next packet."""
        return await asyncio.wait_for(mqtt.read_packet(self._reader, 1 << 20, idle_s=None, gap_s=None), PATIENCE_S)

    async def segment(self):
        """All the bytes that are there when some are."""
        return await asyncio.wait_for(self._reader.read(1 << 16), PATIENCE_S)

    async def connect(self, login=LOGIN, **fields):
        """Log in; the code of the CONNACK."""
        self.send(
            connect_packet(**{"client_id": login.did, "username": login.did, "password": login.passcode, **fields})
        )
        head, body = await self.packet()
        assert head == mqtt.CONNACK << 4
        return body[1]

    async def subscribe(self, *filters, packet_id=1):
        """The codes of the SUBACK."""
        self.send(mqtt.build_subscribe(packet_id, list(filters)))
        head, body = await self.packet()
        assert (head, body[:2]) == (mqtt.SUBACK << 4, packet_id.to_bytes(2, "big"))
        return list(body[2:])

    async def message(self):
        """(topic, payload) of the next packet, which must be a PUBLISH."""
        head, body = await self.packet()
        assert head >> 4 == mqtt.PUBLISH
        message = mqtt.parse_publish(head, body)
        return message.topic, message.payload

    async def closed(self):
        """Wait until the other side has closed; what came before is dropped."""
        try:
            while await self.segment():
                pass
        except ConnectionError:
            pass

    def close(self):
        self.writer.close()


def connect_packet(client_id, username="", password="", level=4, keepalive_s=120, will_topic="", flags=2):
    """A CONNECT, legal or not."""
    body = text({3: "MQIsdp"}.get(level, "MQTT"))
    flags |= (0x80 if username else 0) | (0x40 if password else 0) | (0x04 if will_topic else 0)
    body += bytes((level, flags)) + keepalive_s.to_bytes(2, "big") + text(client_id)
    if will_topic:
        body += text(will_topic) + text("gone")
    return mqtt.build_packet(0x10, body + b"".join(text(field) for field in (username, password) if field))


def publish_packet(topic, payload, qos=0, packet_id=1, flags=0):
    """A PUBLISH with any QoS."""
    body = text(topic) + (packet_id.to_bytes(2, "big") if qos else b"") + payload
    return mqtt.build_packet(0x30 | qos << 1 | flags, body)


def text(value):
    """A text as MQTT writes it."""
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


@asynccontextmanager
async def running_broker(kind, data_dir, *logins, subscriptions=("dev2app/#",)):
    """A broker on a free port, and the cloud's own session on it."""
    store, presence, messages = Store(*logins), Presence(), asyncio.Queue()
    broker = make_broker(kind, host="127.0.0.1", port=0, data_dir=data_dir, credentials=store, listener=presence)
    await broker.start()
    cloud = CloudMqtt(lambda message: messages.put_nowait(message[:2]), subscriptions)
    try:
        await cloud.start("127.0.0.1", broker.port, broker.cloud_username, broker.cloud_password)
        yield Bench(broker, store, presence, cloud, messages)
    finally:
        await cloud.stop()
        await broker.stop()


def writes_to(client, monkeypatch):
    """(moment, bytes) of every write of a broker in this loop to a client, from now on."""
    written, write = [], asyncio.StreamWriter.write
    address = client.writer.get_extra_info("sockname")

    def noting(writer, data):
        if writer.get_extra_info("peername") == address:
            written.append((asyncio.get_running_loop().time(), bytes(data)))
        write(writer, data)

    monkeypatch.setattr(asyncio.StreamWriter, "write", noting)
    return written


@asynccontextmanager
async def raw_client(bench):
    """A raw client on a running broker."""
    client = await RawClient.open(bench.broker.port)
    try:
        yield client
    finally:
        client.close()
