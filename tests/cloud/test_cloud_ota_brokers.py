"""Progress of an upgrade through every kind of broker: who says it, on a topic that names nobody."""

import pytest
from localcloud.ota_orders import add_firmware, set_test
from testkit.cloud_running import PASSCODE, PRODUCT_KEY, mqtt_device, running_cloud, wait_until
from testkit.shared_mosquitto import shared_mosquitto

from gagent.firmware import KIND_MCU, build_progress
from gagent.wire import SERVICE_OTA_PROGRESS, encode_service

HARD, OLD, NEW = "00000001", "00000001", "00000002"


def offered(cloud, mac):
    """(did of a device that was offered firmware, number of that)."""
    inner = cloud.cloud
    found = inner.store.firmware.all()
    firmware = found[0] if found else add_firmware(
        inner.store, inner.settings.data_dir, b"image", PRODUCT_KEY, "mcu", (HARD, NEW), "a.bin"
    )  # fmt: skip
    did = cloud.register(mac)
    set_test(inner.store, firmware.id, did)
    assert check(cloud, did, OLD).status == 200
    return did, firmware.id


def check(cloud, did, soft):
    body = "passcode=%s&type=2&hard_version=%s&soft_version=%s" % (PASSCODE, HARD, soft)
    return cloud.request("POST", "/dev/ota/v4.1/update_and_check/" + did, body)


def progress(percent, text):
    return encode_service(SERVICE_OTA_PROGRESS, build_progress(percent, KIND_MCU, HARD, NEW, text))


@pytest.mark.parametrize("broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_progress_is_that_of_the_device_that_says_it(tmp_path, broker):
    with running_cloud(tmp_path, broker=broker) as cloud:
        (one, number), (two, _) = offered(cloud, "5B0001"), offered(cloud, "5B0002")
        upgrades = cloud.cloud.store.upgrades
        with mqtt_device(cloud, one) as first, mqtt_device(cloud, two) as second:
            # At the same time, as devices of one push are.
            for percent in range(0, 100, 5):
                first.publish(progress(percent, "installing"), "cli2ser_req")
                second.publish(progress(percent // 5, "failed: no room"), "cli2ser_req")
            wait_until(lambda: upgrades.get(one, number).percent == 95)
            wait_until(lambda: upgrades.get(two, number).percent == 19)
        assert (upgrades.get(one, number).state, upgrades.get(one, number).detail) == ("under way", "installing")
        assert (upgrades.get(two, number).state, upgrades.get(two, number).detail) == ("failed", "failed: no room")


@pytest.mark.mosquitto
def test_a_mosquitto_behind_a_url_tells_no_sender_and_the_result_comes_all_the_same(tmp_path, caplog):
    with (
        shared_mosquitto(tmp_path) as broker,
        running_cloud(tmp_path / "cloud", broker=broker.url) as cloud,
    ):
        did, number = offered(cloud, "5B0003")
        upgrades = cloud.cloud.store.upgrades
        with mqtt_device(cloud, did) as device:
            wait_until(lambda: cloud.cloud.sessions.is_online(did))
            device.publish(progress(10, "installing"), "cli2ser_req")
            # As a broker that rewrites topics passes it on (EMQX).
            device.publish(progress(40, "installing"), "dev2ser/" + did)
            wait_until(lambda: upgrades.get(did, number).percent == 40)
        check(cloud, did, NEW)
        assert upgrades.get(did, number).state == "done"
