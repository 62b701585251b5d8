import time

import pytest
from localcloud.store.history import Span
from testkit.cloud_running import mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S


def _home(cloud, mac):
    did = cloud.register(mac)
    token = cloud.user("user of " + mac)
    assert cloud.bind(token, mac).status == 201
    return did, token


def _is_online(cloud, did, token):
    return cloud.app("GET", "/app/devices/" + did, token=token).json["is_online"]


def _changes(cloud, did, token):
    now = int(time.time())
    query = "?type=online&sort=asc&start_time=%d&end_time=%d" % (now - 3600, now + 60)
    return cloud.app("GET", "/app/devices/%s/raw_data%s" % (did, query), token=token).json["objects"]


def test_a_login_and_a_goodbye_are_recorded_with_reason_and_duration(cloud):
    did, token = _home(cloud, "EE01")
    assert not _is_online(cloud, did, token)
    began = time.time()
    with mqtt_device(cloud, did):
        assert _is_online(cloud, did, token)
    wait_until(lambda: not _is_online(cloud, did, token))
    ended = time.time()
    online, offline = _changes(cloud, did, token)
    assert (online["type"], online["keep_alive"], online["ip"]) == ("dev_online", 120, "127.0.0.1")
    assert (offline["type"], offline["reason"], offline["ip"]) == ("dev_offline", "mqtt_disconnect", "127.0.0.1")
    assert 0 <= offline["duration"] <= round(ended - began, 3)


def test_a_login_over_a_living_session_is_a_re_online_without_an_offline(cloud):
    did, token = _home(cloud, "EE02")
    with mqtt_device(cloud, did) as first:
        with mqtt_device(cloud, did):
            assert first.is_gone.wait(PATIENCE_S)
            assert _is_online(cloud, did, token)
            assert [row["type"] for row in _changes(cloud, did, token)] == ["dev_online", "dev_re_online"]
        wait_until(lambda: not _is_online(cloud, did, token))
    assert [row["type"] for row in _changes(cloud, did, token)][2:] == ["dev_offline"]


def test_a_reset_device_goes_offline_for_that_reason(cloud):
    did, _ = _home(cloud, "EE03")
    with mqtt_device(cloud, did) as device:
        cloud.register("EE03", "KLMNOPQRST")
        assert device.is_gone.wait(PATIENCE_S)
    everything = Span(0.0, time.time() + 60, newest_first=False, skip=0, limit=10)
    _, changes = cloud.cloud.store.history.presence(did, everything)
    assert [(change.type, change.reason) for change in changes] == [
        ("dev_online", None),
        ("dev_offline", "offline_reset"),
    ]


@pytest.mark.parametrize("is_clean", [True, False])
def test_everything_is_offline_after_a_restart_and_the_records_say_so(tmp_path, is_clean):
    with running_cloud(tmp_path) as cloud:
        did, token = _home(cloud, "EE05")
        if is_clean:
            with mqtt_device(cloud, did):
                cloud.do(cloud.cloud.broker.stop())
        else:
            # What a power cut leaves behind: a login without an end.
            cloud.do(_record_login(cloud.cloud, did))
    with running_cloud(tmp_path) as cloud:
        assert not _is_online(cloud, did, token)
        online, offline = _changes(cloud, did, token)
    assert (online["type"], offline["type"]) == ("dev_online", "dev_offline")
    assert is_clean or offline["reason"] == "offline_exception"


async def _record_login(cloud, did):
    cloud.sessions.device_connected(did, keepalive_s=120, ip="10.0.0.1", again=False)
