"""The recordings of the reference agent, played to this cloud by a client that is no better than that agent.

What the agent sent is sent byte for byte; what the broker answers must be the recorded bytes, one packet a read. The
recorded provisioning service was a stand-in: of its HTTP answers only what the agent takes from them must be there. The
cloud gives a did of its own, so the recorded one is replaced, except where the device is adopted with it.
"""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from localcloud import mqtt_packet as mqtt
from localcloud.catalog import add_transparent_product
from localcloud.presence import PACKET_GAP
from testkit import captures, reference_module
from testkit.cloud_running import running_cloud, wait_until
from testkit.reference_module import ReferenceModule

from gagent import topics

CAPTURED_DID = "CaptureDevice000000001"
MAC, PRODUCT_KEY, PASSCODE = "021122334455", "0123456789abcdef" * 2, "BDGWMHRXWX"
LIVES = (
    "01-cold-start",
    "02-warm-start-and-heartbeats",
    "12-broker-down-and-up",
    "13-config-mode-softap-webconfig",
    "14-restart-and-reset-commands",
    "15-mcu-silent-after-start",
    "17-http-errors",
    "19-clock-steps",
)
BURST = 8
NEVER_S = 3600
TALKS = tuple(name for name in captures.names() if captures.messages(name) and name not in LIVES)
# Two subscriptions of the agent, each with its answer, so that a talk begins as in the recordings.
_LOGIN = "01-cold-start"


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def recorded(request, tmp_path):
    """A cloud that knows the recorded product."""
    with running_cloud(tmp_path, broker=request.param) as cloud:
        cloud.do(_prepare(cloud.cloud))
        yield cloud


@pytest.fixture
def module(recorded):
    module = ReferenceModule(recorded.cloud.http_port)
    yield module
    module.close()


@pytest.mark.parametrize("name", LIVES)
def test_a_recorded_life_is_lived_again(recorded, module, name):
    rows = list(_rows(name))
    passcode = _passcode(rows)
    did = _did_before(recorded, rows, passcode)
    if next(row for row in rows if row["link"] == "mqtt")["hex"][:2] != "10":
        # The recording begins when the agent is on line.
        _log_in(module, recorded, did, passcode)
    unanswered = 0  # packets of the agent that the broker answers
    for row in rows:
        if row["link"] == "http":
            did = _ask(module, recorded, row["text"].encode("latin-1"), did)
            continue
        packet = _with_did(bytes.fromhex(row["hex"]), did)
        if row["dir"] == captures.UP:
            if packet[0] >> 4 == mqtt.CONNECT:
                module.connect(recorded.cloud.mqtt_port)
            module.send(packet)
            unanswered += packet[0] >> 4 != mqtt.PUBLISH
            continue
        if packet[0] >> 4 == mqtt.PUBLISH:
            topic, payload, *_ = mqtt.parse_publish(packet[0], packet[2:])
            recorded.do(_publish(recorded.cloud, topic, payload))
            unanswered += 1
        # To two packets that come together the answers may too.
        assert (module.recv_exactly(len(packet)) if unanswered > 1 else module.recv()) == packet
        unanswered -= 1
    wait_until(lambda: len(_history(recorded, did)) == _ups(name))
    stored = [bytes(message.payload) for message in _history(recorded, did)]
    assert stored == [message.payload for message in captures.messages(name) if message.direction == captures.UP]


@pytest.mark.parametrize("name", TALKS)
def test_a_recorded_talk_passes_in_both_directions(recorded, module, name):
    did = _registered(recorded, PASSCODE)
    _log_in(module, recorded, did)
    sent = []
    for message in captures.messages(name):
        topic = _with_did(message.topic.encode(), did).decode()
        payload = _with_did(message.payload, did)
        packet = mqtt.build_publish(topic, payload)
        if message.direction == captures.DOWN:
            recorded.do(_publish(recorded.cloud, topic, payload))
            assert (
                module.recv() if len(packet) <= reference_module.RECV else module.recv_exactly(len(packet))
            ) == packet
        else:
            module.send(packet)
            sent.append(payload)
    wait_until(lambda: len(_history(recorded, did)) == len(sent))
    assert [bytes(message.payload) for message in _history(recorded, did)] == sent


def test_packets_to_one_device_are_never_in_one_segment(recorded, module, monkeypatch):
    """The agent loses the second of two packets that come together; recorded in 04-control."""
    did = _registered(recorded, PASSCODE)
    _log_in(module, recorded, did)
    token = recorded.user()
    recorded.do(_bind(recorded.cloud, recorded.app("GET", "/app/users", token=token).json["uid"], did))
    moments = _moments_of_sending(recorded.cloud.devices, monkeypatch)
    with ThreadPoolExecutor(BURST) as people:
        control = "/app/control/" + did
        asked = [people.submit(recorded.app, "POST", control, {"raw": [number]}, token) for number in range(BURST)]
        read = b""
        while read.count(b"app2dev/") < BURST:
            read += module.recv()
    assert [future.result().status for future in asked] == [200] * BURST
    assert len(moments) == BURST
    assert all(later - earlier >= PACKET_GAP for earlier, later in itertools.pairwise(moments))


@pytest.mark.parametrize("broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_a_module_that_brings_its_did_lives_on_here(tmp_path, broker):
    """As recorded, did and all: it never registers, and its passcode is learned."""
    with running_cloud(tmp_path, broker=broker) as cloud:
        module = ReferenceModule(cloud.cloud.http_port)
        cloud.do(_prepare(cloud.cloud))
        for row in _rows("02-warm-start-and-heartbeats"):
            if row["link"] == "http":
                _ask(module, cloud, row["text"].encode("latin-1"), CAPTURED_DID)
                continue
            packet = bytes.fromhex(row["hex"])
            if row["dir"] == captures.DOWN:
                assert module.recv() == packet
                continue
            if packet[0] >> 4 == mqtt.CONNECT:
                module.connect(cloud.cloud.mqtt_port)
            module.send(packet)
        module.close()
        # The product is known from its subscriptions, which mosquitto tells in its log.
        wait_until(lambda: cloud.cloud.store.devices.get(CAPTURED_DID).product_key == PRODUCT_KEY)
        device = cloud.cloud.store.devices.get(CAPTURED_DID)
        assert device.passcode == PASSCODE
        assert device.wifi_soft_version == "04020006"


def _ask(module, cloud, request, did):
    """One HTTP request of the agent, and what it takes from the answer; the did it has afterwards."""
    answer = module.http(_with_did(request, did))
    method, path = request.split(b" ", 2)[:2]
    assert b"\r\n\r\n" in answer
    assert len(answer) < reference_module.RECV
    if (method, path) == (b"POST", b"/dev/devices"):
        assert reference_module.status(answer) == 201
        return reference_module.did(answer).decode()
    if method == b"GET":
        assert reference_module.status(answer) == 200
        host, port, stamp = reference_module.provision(answer)
        assert (host, port) == (b"127.0.0.1", cloud.cloud.mqtt_port)
        assert abs(stamp - time.time()) < 60
    elif method == b"DELETE":
        assert reference_module.status(answer) == 200
    else:
        # There is no firmware: the agent goes on with its next step.
        assert reference_module.status(answer) == 404
    return did


def _ups(name):
    return sum(1 for message in captures.messages(name) if message.direction == captures.UP)


def _passcode(rows):
    """What the agent logs in with in a recording."""
    connect = next(bytes.fromhex(row["hex"]) for row in rows if row.get("hex", "")[:2] == "10")
    return mqtt.parse_connect(connect[2:]).password.decode()


def _did_before(cloud, rows, passcode):
    """The did that the agent has when a recording begins."""
    first = next(row for row in rows if row["link"] == "http" or row["dir"] == captures.UP)
    if first["link"] == "http" and first["text"].startswith("POST /dev/devices"):
        return CAPTURED_DID
    return _registered(cloud, passcode)


def _registered(cloud, passcode):
    form = "passcode=%s&mac=%s&product_key=%s" % (passcode, MAC, PRODUCT_KEY)
    reply = cloud.request("POST", "/dev/devices", form)
    assert reply.status == 201, reply
    return reply.body.decode().removeprefix("did=")


def _log_in(module, cloud, did, passcode=PASSCODE):
    for row in _rows(_LOGIN):
        if row["link"] != "mqtt":
            continue
        packet = _with_did(bytes.fromhex(row["hex"]), did).replace(PASSCODE.encode(), passcode.encode())
        if row["dir"] == captures.DOWN:
            assert module.recv() == packet
            continue
        if packet[0] >> 4 == mqtt.CONNECT:
            module.connect(cloud.cloud.mqtt_port)
        module.send(packet)


def _rows(name):
    """What went over HTTP and MQTT, as recorded; of HTTP only what the agent asked."""
    for _, row in captures.rows(name, "http", "mqtt"):
        if row["link"] == "mqtt" or row["dir"] == captures.UP:
            yield row


def _with_did(data, did):
    assert len(did) == len(CAPTURED_DID)
    return data.replace(CAPTURED_DID.encode(), did.encode())


def _moments_of_sending(devices, monkeypatch):
    """When each command goes to the broker: what comes together also depends on when it is read."""
    moments, publish = [], devices.publish

    def noting(*args):
        moments.append(time.monotonic())
        publish(*args)

    monkeypatch.setattr(devices, "publish", noting)
    return moments


def _history(cloud, did):
    from localcloud.store.history import DEV2APP, Span

    _, messages = cloud.cloud.store.history.messages(did, Span(0.0, time.time() + 60, False, 0, 1000))
    return [message for message in messages if message.type == DEV2APP]


async def _prepare(cloud):
    """The recorded product, and no app count in the middle of what was recorded without one."""
    add_transparent_product(cloud.store, PRODUCT_KEY)
    cloud.app_sessions._debounce = NEVER_S


async def _publish(cloud, topic, payload):
    # The topics of commands and of the service's messages alike.
    kind, did, client = topics.parse(topic)
    if kind == "app2dev":
        cloud.devices.publish(did, client, payload)
    else:
        cloud.devices.send_service(did, payload)


async def _bind(cloud, uid, did):
    cloud.store.bindings.bind(uid, did, {})
