"""Two workers on one broker and one database: a WebSocket session hears what the other worker took, and once."""

import contextlib

import pytest
from testkit.cloud_running import LAMP, mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S
from testkit.shared_mosquitto import shared_mosquitto
from testkit.websocket_app import user_of, websocket_app

from gagent import wire
from mcu_proto.datapoint import Schema

pytestmark = pytest.mark.mosquitto

SCHEMA = Schema.from_definition(LAMP)
MAC = "021122334455"
REPORTS = 20


def test_sessions_on_both_workers_hear_everything_once_and_answers_find_who_asked(tmp_path):
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(shared_mosquitto(tmp_path))
        shared = {"broker": broker.url, "database_url": "sqlite:///%s/cloud.db" % tmp_path}
        one, two = (stack.enter_context(running_cloud(tmp_path / name, **shared)) for name in ("one", "two"))
        did = one.register(MAC)
        user = user_of(two)
        first = stack.enter_context(websocket_app(one))
        second = stack.enter_context(websocket_app(two))
        first.log_in(user)
        second.log_in(user)
        # Bound at one worker: the session on the other hears of it, and is subscribed.
        one.bind(user["token"], MAC)
        for app in (first, second):
            assert app.get("s2c_binding_changed")["data"] == {"did": did, "bind": True}
        with mqtt_device(one, did) as device:
            for app in (first, second):
                assert app.get("s2c_online_status")["data"]["online"] is True
            for number in range(REPORTS):
                device.publish(wire.encode(wire.CLOUD_REPORT, SCHEMA.encode_report({"heat": number})))
            for app in (first, second):
                heard = [app.get("s2c_noti")["data"]["attrs"]["heat"] for _ in range(REPORTS)]
                assert sorted(heard) == list(range(REPORTS))
            wait_until(lambda: one.cloud.store.app_sessions.count(did) == 2)
            for number, app in enumerate((first, second) * 3):
                app.send("c2s_read", {"did": did}, req_sn=number)
                topic, _ = device.heard.get(timeout=PATIENCE_S)
                client = topic.rpartition("/")[2]
                device._client.publish(
                    "dev2app/%s/%s" % (did, client), wire.encode(wire.CLOUD_CONTROL_ACK, b"", number)
                )
                assert app.get("s2c_ack")["res_sn"] == number
        for app in (first, second):
            assert app.get("s2c_online_status")["data"]["online"] is False
        two.app("DELETE", "/app/logout", None, user["token"])
        assert first.error() == 1009
        assert second.error() == 1009
