"""The whole of a device's day on a cloud whose broker is mosquitto."""

import pytest
from testkit.cloud_running import LAMP, PASSCODE, mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S

from gagent import wire
from mcu_proto.datapoint import Schema

SCHEMA = Schema.from_definition(LAMP)


@pytest.mark.mosquitto
def test_register_report_control_and_reset_through_mosquitto(tmp_path):
    with running_cloud(tmp_path, broker="mosquitto") as cloud:
        did = cloud.register("FF01")
        token = cloud.user()
        assert cloud.bind(token, "FF01").json["port"] == cloud.cloud.mqtt_port
        latest = "/app/devdata/%s/latest" % did
        with mqtt_device(cloud, did) as device:
            wait_until(lambda: cloud.app("GET", "/app/devices/" + did, token=token).json["is_online"])
            device.publish(wire.encode(wire.CLOUD_REPORT, SCHEMA.encode_report({"level": 50})))
            wait_until(lambda: cloud.app("GET", latest).json["updated_at"])
            assert cloud.app("GET", latest).json["attr"]["level"] == 50
            assert cloud.app("POST", "/app/control/" + did, {"attrs": {"level": 10}}, token).status == 200
            _, payload = device.heard.get(timeout=PATIENCE_S)
            assert SCHEMA.decode_control(wire.decode(payload).p0) == {"level": 10}
            assert cloud.request("DELETE", "/dev/devices", "did=%s&passcode=%s" % (did, PASSCODE)).status == 200
            assert device.is_gone.wait(PATIENCE_S)
        # The cloud reads it in mosquitto's log.
        cloud.goes_offline(did)


@pytest.mark.mosquitto
def test_a_device_that_re_registers_can_log_in_at_once(tmp_path):
    with running_cloud(tmp_path, broker="mosquitto") as cloud:
        for passcode in ("ABCDEFGHIJ", "KLMNOPQRST"):
            did = cloud.register("FF02", passcode)
            with mqtt_device(cloud, did, passcode=passcode):
                pass
