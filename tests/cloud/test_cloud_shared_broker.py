"""A cloud on a mosquitto that is not its own: accounts, presence, reports, commands, and what is left when it ends."""

import asyncio
import contextlib
import time
from pathlib import Path

import pytest
from localcloud.accounts import Accounts
from localcloud.events import LocalBus
from localcloud.mqtt import CloudMqtt
from localcloud.presence import Sessions
from localcloud.shared_broker import parse_url
from localcloud.shared_presence import UPTIME_ERROR_S, SharedPresence
from localcloud.store.store import open_store
from testkit.app_on_mqtt import app_on_mqtt
from testkit.cloud_running import mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S
from testkit.shared_mosquitto import shared_mosquitto

from gagent import wire

pytestmark = pytest.mark.mosquitto

REPORT = wire.encode(wire.CLOUD_REPORT, bytes.fromhex("04010000000000ff"))


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory):
    with shared_mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="module")
def shared(mosquitto, tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("shared"), broker=mosquitto.url) as cloud:
        yield cloud


def test_a_device_logs_in_reports_and_is_commanded(shared):
    did = shared.register("5A0001")
    token = shared.user("5A0001")
    assert shared.bind(token, "5A0001").status == 201
    with mqtt_device(shared, did) as device:
        wait_until(lambda: shared.cloud.sessions.is_online(did))
        device.publish(REPORT)
        wait_until(lambda: shared.cloud.store.devices.get(did).attrs_at > 0)
        reply = shared.app("POST", "/app/control/" + did, {"attrs": {"power": 1}}, token)
        assert reply.status == 200, reply
        assert device.heard.get(timeout=PATIENCE_S)[1][:4] == wire.PREFIX
    shared.goes_offline(did)


def test_an_app_hears_its_device_and_is_counted(shared):
    did = shared.register("5A0002")
    answer = shared.app("POST", "/app/users", {"phone_id": "5A0002"}).json
    assert shared.bind(answer["token"], "5A0002").status == 201
    with mqtt_device(shared, did) as device:
        device.subscribe("ser2cli_res/" + did)
        with app_on_mqtt(shared, answer["uid"], answer["token"], "dev2app/" + did) as app:

            def is_heard():
                device.publish(REPORT)
                return not app.heard.empty()

            # Nothing tells when the broker knows of the binding but a report that gets through.
            wait_until(is_heard)
            assert app.heard.get(timeout=PATIENCE_S) == ("dev2app/" + did, REPORT)
            topic, payload = device.heard.get(timeout=PATIENCE_S)
            while payload != bytes.fromhex("0000000302100001"):
                topic, payload = device.heard.get(timeout=PATIENCE_S)
            assert topic == "ser2cli_res/" + did


def test_a_device_that_was_reset_is_cut_off(shared):
    did = shared.register("5A0003")
    with mqtt_device(shared, did) as device:
        wait_until(lambda: shared.cloud.sessions.is_online(did))
        shared.register("5A0003", "KLMNOPQRST")
        assert device.is_gone.wait(PATIENCE_S)
    assert not shared.cloud.sessions.is_online(did)


def test_what_comes_while_no_cloud_runs_is_there_when_one_does(tmp_path):
    with shared_mosquitto(tmp_path) as broker, contextlib.ExitStack() as devices:
        with running_cloud(tmp_path / "cloud", broker=broker.url) as cloud:
            did = cloud.register("5A0004")
            device = devices.enter_context(mqtt_device(cloud, did))
            wait_until(lambda: cloud.cloud.sessions.is_online(did))
        device.publish(REPORT)
        with running_cloud(tmp_path / "cloud", broker=broker.url) as cloud:
            wait_until(lambda: cloud.cloud.store.devices.get(did).attrs_at > 0)
            assert cloud.cloud.sessions.is_online(did)
            device.disconnect()
            cloud.goes_offline(did)


def test_a_message_that_was_not_acked_comes_again_with_the_same_packet_id(mosquitto):
    """What knowing a message that comes twice rests on."""

    async def hear(publish):
        got = asyncio.Queue()
        session = CloudMqtt(got.put_nowait, ("test/again",), qos=1)
        await parse_url(mosquitto.url, Path("none")).connect(session, "kept-session")
        publish(session)
        heard = [await asyncio.wait_for(got.get(), PATIENCE_S) for _ in range(2)]
        await session.stop()
        return heard

    def publish_both(session):
        session.publish("test/again", b"first")
        session.publish("test/again", b"second", qos=1)

    async def scene():
        return await hear(publish_both), await hear(lambda session: None)

    first, again = asyncio.run(scene())
    assert [message._replace(again=True) for message in first] == again
    assert len({message.packet_id for message in again} - {0}) == 2


@pytest.mark.parametrize(("linked", "is_online"), [(61, True), (10, False)])
def test_an_uptime_that_comes_late_ends_no_session_that_began_after_the_link_to_the_broker(tmp_path, linked, is_online):
    with contextlib.closing(open_store("sqlite:///%s" % (tmp_path / "cloud.db"))) as store:
        accounts = Accounts(store, adopt=True)
        sessions = Sessions(store.device_sessions, accounts, LocalBus())
        now = time.time()
        store.device_sessions.begin("5A0006", now - 60, "10.0.0.1", 120)
        SharedPresence(sessions, None, accounts).receive_uptime(b"5 seconds", now - linked)
        assert sessions.is_online("5A0006") is is_online


def test_devices_of_a_broker_that_began_anew_are_offline(tmp_path):
    with shared_mosquitto(tmp_path) as broker, running_cloud(tmp_path / "cloud", broker=broker.url) as cloud:
        did = cloud.register("5A0005")
        with mqtt_device(cloud, did):
            wait_until(lambda: cloud.cloud.sessions.is_online(did))
            # A session that is hardly older than the broker is given the benefit of the doubt.
            wait_until(lambda: time.time() - cloud.cloud.store.device_sessions.get(did).since > UPTIME_ERROR_S + 1)
            assert cloud.cloud.sessions.is_online(did)
            broker.kill()
            broker.start()
            cloud.goes_offline(did)
