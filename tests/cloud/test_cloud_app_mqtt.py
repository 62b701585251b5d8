"""Apps on the broker: who gets in, which topics they see, and when that ends. Both brokers of our own."""

import asyncio
import itertools
import queue

import pytest
from testkit.app_on_mqtt import MqttApp, app_on_mqtt
from testkit.cloud_running import mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S

from gagent import wire

REPORT = wire.encode(wire.CLOUD_REPORT, bytes.fromhex("04ff00000000000000"))
COMMAND = wire.encode(wire.CLOUD_COMMAND, b"\x02")
_MACS = ("AA%010X" % number for number in itertools.count())


@pytest.fixture(scope="module", params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def both(request, tmp_path_factory):
    """A cloud with each of the brokers."""
    with running_cloud(tmp_path_factory.mktemp(request.param), broker=request.param) as running:
        yield running


class Home:
    """A device, and the user it is bound to."""

    def __init__(self, cloud):
        self.mac = next(_MACS)
        self.did = cloud.register(self.mac)
        answer = cloud.app("POST", "/app/users", {"phone_id": "phone of " + self.mac}).json
        self.uid, self.token = answer["uid"], answer["token"]
        assert cloud.bind(self.token, self.mac).status == 201
        cloud.do(_settle(cloud.cloud))


def test_an_app_hears_its_device_and_commands_it(both):
    home = Home(both)
    with (
        mqtt_device(both, home.did) as device,
        app_on_mqtt(both, home.uid, home.token, "dev2app/" + home.did) as app,
    ):
        device.publish(REPORT)
        assert app.heard.get(timeout=PATIENCE_S) == ("dev2app/" + home.did, REPORT)
        topic = "app2dev/%s/%s" % (home.did, app.client_id)
        app.publish(topic, COMMAND)
        assert _next(device, "app2dev/") == (topic, COMMAND)


def test_an_app_gets_nothing_of_a_device_it_is_not_bound_to(both):
    mine, other = Home(both), Home(both)
    with (
        mqtt_device(both, mine.did) as device,
        mqtt_device(both, other.did) as stranger,
        app_on_mqtt(both, mine.uid, mine.token, "dev2app/+", "dev2app/#", "dev2app/" + other.did, "#") as app,
    ):
        app.subscribe("dev2app/" + mine.did)
        stranger.publish(REPORT)
        app.publish("app2dev/%s/%s" % (other.did, app.client_id), COMMAND)
        app.publish("dev2app/" + other.did, REPORT)
        device.publish(REPORT)
        assert app.heard.get(timeout=PATIENCE_S)[0] == "dev2app/" + mine.did
        app.publish("app2dev/%s/%s" % (mine.did, app.client_id), COMMAND)
        _next(device, "app2dev/")
        # What came this far came in order: nothing was there for the stranger before.
        assert _none(stranger, "app2dev/")


def test_a_device_is_told_how_many_apps_look(both):
    home = Home(both)
    with mqtt_device(both, home.did) as device:
        device.subscribe("ser2cli_res/" + home.did)
        with app_on_mqtt(both, home.uid, home.token, "dev2app/" + home.did):
            assert _until_count(device, home.did, 1)
        assert _until_count(device, home.did, 0)


@pytest.mark.parametrize("what", ["wrong token", "another user's token", "no token", "anonymous"])
def test_who_shows_no_valid_token_is_refused(both, what):
    home, other = Home(both), Home(both)
    uid, token = {
        "wrong token": (home.uid, "0" * 32),
        "another user's token": (home.uid, other.token),
        "no token": (home.uid, ""),
        "anonymous": ("", ""),
    }[what]
    app = MqttApp(uid, token)
    assert app.connect(both.cloud.mqtt_port) != 0
    app.disconnect()


def test_logout_ends_the_session_and_the_token(both):
    home = Home(both)
    with app_on_mqtt(both, home.uid, home.token, "dev2app/" + home.did) as app:
        assert both.app("DELETE", "/app/logout", token=home.token).status == 204
        assert app.is_gone.wait(PATIENCE_S)
    again = MqttApp(home.uid, home.token)
    assert again.connect(both.cloud.mqtt_port) != 0
    again.disconnect()


def test_a_device_that_is_unbound_is_not_heard_any_more(both):
    home, second = Home(both), Home(both)
    assert both.bind(home.token, second.mac).status == 201
    both.do(_settle(both.cloud))
    filters = ("dev2app/" + home.did, "dev2app/" + second.did)
    with (
        mqtt_device(both, home.did) as kept,
        mqtt_device(both, second.did) as lost,
        app_on_mqtt(both, home.uid, home.token, *filters) as first,
    ):
        reply = both.app("DELETE", "/app/bindings", {"devices": [{"did": second.did}]}, home.token)
        assert reply.status == 200, reply
        both.do(_settle(both.cloud))
        # The embedded broker ends the session; mosquitto goes on without that device.
        wait_until(lambda: first.is_gone.is_set() or both.cloud.settings.broker == "mosquitto")
        with app_on_mqtt(both, home.uid, home.token, *filters) as app:
            lost.publish(REPORT)
            wait_until(lambda: _latest_at(both, second.did) > 0)
            kept.publish(REPORT)
            assert app.heard.get(timeout=PATIENCE_S)[0] == "dev2app/" + home.did


@pytest.mark.mosquitto
def test_an_app_may_come_back_after_mosquitto_was_started_again(tmp_path):
    with running_cloud(tmp_path, broker="mosquitto") as cloud:
        home = Home(cloud)
    with running_cloud(tmp_path, broker="mosquitto") as cloud, app_on_mqtt(cloud, home.uid, home.token):
        pass


def test_the_service_knows_who_asks_it(both):
    """The topic names no device: the embedded broker says who it was, mosquitto's log does."""
    home, other = Home(both), Home(both)
    with mqtt_device(both, home.did) as device, mqtt_device(both, other.did) as second:
        for client in (device, second):
            client.subscribe("ser2cli_res/" + client.did)
        version = bytes.fromhex("00000003021c0002001300113030455350383236") + b",04020020"
        device.publish(version, "cli2ser_req")
        assert _next(device, "ser2cli_res/")[1] in (
            version[:5] + b"\x1d" + version[6:],
            bytes.fromhex("0000000302100000"),
        )
        wait_until(lambda: both.cloud.store.devices.get(home.did).wifi_soft_version == "04020020")
        second.publish(bytes.fromhex("00000003021e0000"), "cli2ser_req")
        assert second.is_gone.wait(PATIENCE_S)
        assert both.cloud.store.devices.get(other.did).is_disabled
        assert not device.is_gone.is_set()


async def _settle(cloud):
    """Returns when the broker has done what events asked of it: nobody waits for that but a test."""
    await asyncio.gather(*cloud.devices._tasks)


def _latest_at(cloud, did):
    return cloud.cloud.store.devices.get(did).attrs_at


def _next(client, prefix):
    while True:
        message = client.heard.get(timeout=PATIENCE_S)
        if message[0].startswith(prefix):
            return message


def _none(client, prefix):
    while True:
        try:
            if client.heard.get_nowait()[0].startswith(prefix):
                return False
        except queue.Empty:
            return True


def _until_count(device, did, count):
    while True:
        topic, payload = device.heard.get(timeout=PATIENCE_S)
        if (topic, payload) == ("ser2cli_res/" + did, bytes.fromhex("000000030210%04x" % count)):
            return True
