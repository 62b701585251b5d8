import json
import re
import time
from pathlib import Path

import pytest
from testkit.cloud_running import PASSCODE, PRODUCT_KEY, RunningCloud, mqtt_device, running_cloud, wait_until
from testkit.patience import PATIENCE_S

# What reference modules search for in the raw bytes of any answer.
FORBIDDEN = (b"did=", b"host=", b"port=", b"server_ts=", b"soft_ver=", b"download_url=", b"3rd_cloud=", b"filename=")
ADOPTED = "WCWGkbS4Ttynzwx9brzpEa"


def _register(cloud: RunningCloud, body: str):
    return cloud.request("POST", "/dev/devices", body)


def _disable(cloud: RunningCloud, did: str, passcode: str = PASSCODE):
    return cloud.request("DELETE", "/dev/devices", "did=%s&passcode=%s" % (did, passcode))


def test_a_new_device_gets_a_did_of_22_letters_without_look_alikes(cloud):
    did = cloud.register("AA0000000001")
    assert re.fullmatch("[2-9A-HJ-NP-Za-km-z]{22}", did)


def test_the_same_passcode_gets_the_same_did_whatever_the_case_of_the_mac(cloud):
    assert cloud.register("AA0000000002") == cloud.register("aa0000000002")


def test_another_passcode_means_reset_the_old_did_is_disabled_and_unbound(cloud):
    old = cloud.register("AA0000000003")
    token = cloud.user()
    assert cloud.bind(token, "AA0000000003").status == 201
    new = cloud.register("AA0000000003", "KLMNOPQRST")
    assert new != old
    assert cloud.request("GET", "/dev/devices/" + old).code == 9023
    assert old not in cloud.app("GET", "/app/bindings?limit=100", token=token).body.decode()


def test_a_form_with_percent_codes_and_a_line_end_is_read_too(cloud):
    did = cloud.register("AA:00:04")
    body = "passcode=%s&mac=AA%%3A00%%3A04&product_key=%s\r\n" % (PASSCODE, PRODUCT_KEY.upper())
    assert _register(cloud, body).body.decode() == "did=" + did


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("passcode=ABCDEFGHIJ&mac=AA0000000005&product_key=" + "00" * 16, 9002),
        ("mac=AA0000000005&product_key=" + PRODUCT_KEY, 9015),
        ("passcode=&mac=AA0000000005&product_key=" + PRODUCT_KEY, 9015),
        ("passcode=A B&mac=AA0000000005&product_key=" + PRODUCT_KEY, 9015),
        ("passcode=ABCDEFGHIJ&mac=%s&product_key=%s" % ("A" * 33, PRODUCT_KEY), 9015),
        ("\xff\x00garbage", 9015),
        ("", 9015),
    ],
)
def test_a_registration_that_cannot_be_used_is_refused_without_words_modules_search_for(cloud, body, code):
    reply = _register(cloud, body)
    assert (reply.status, reply.code) == (400, code)
    assert not any(word in reply.body for word in FORBIDDEN)


def test_provisioning_names_the_broker_the_time_and_the_log_sink_in_the_order_modules_expect(cloud):
    did = cloud.register("AA0000000006")
    reply = cloud.request("GET", "/dev/devices/" + did)
    found = re.fullmatch(
        rb"host=127\.0\.0\.1&port=(\d+)&server_ts=(\d+)&log_host=127\.0\.0\.1&log_port=\d+&biz_log=0&sys_log=0",
        reply.body,
    )
    assert reply.status == 200
    assert found
    assert int(found[1]) == cloud.cloud.mqtt_port
    assert abs(int(found[2]) - time.time()) < 60


def test_the_advertised_host_of_the_settings_goes_before_the_address_of_the_request(tmp_path: Path):
    with running_cloud(tmp_path, advertised_host="10.9.8.7") as cloud:
        assert b"host=10.9.8.7&port=" in cloud.request("GET", "/dev/devices/" + cloud.register("AA01")).body


def test_a_did_of_another_cloud_is_adopted_and_its_passcode_learned_from_the_first_login(fresh_cloud):
    assert fresh_cloud.request("GET", "/dev/devices/" + ADOPTED).status == 200
    with mqtt_device(fresh_cloud, ADOPTED, passcode="FIRSTLOGIN"):
        # Learned from what it subscribes to, after it was told that it has.
        wait_until(lambda: fresh_cloud.cloud.store.devices.get(ADOPTED).product_key == PRODUCT_KEY)
    assert fresh_cloud.cloud.store.devices.get(ADOPTED).passcode == "FIRSTLOGIN"


def test_a_device_that_never_asked_over_http_is_adopted_at_its_first_login(fresh_cloud):
    with mqtt_device(fresh_cloud, ADOPTED, passcode="FIRSTLOGIN"):
        assert fresh_cloud.cloud.store.devices.get(ADOPTED).passcode == "FIRSTLOGIN"


@pytest.mark.parametrize("did", [ADOPTED[:-1], ADOPTED + "a", ADOPTED[:-1] + "_"])
def test_what_does_not_look_like_a_did_is_not_adopted(cloud, did):
    reply = cloud.request("GET", "/dev/devices/" + did)
    assert (reply.status, reply.code) == (404, 9014)


def test_no_did_is_adopted_when_the_settings_say_so(tmp_path: Path):
    with running_cloud(tmp_path, adopt=False) as cloud:
        reply = cloud.request("GET", "/dev/devices/" + ADOPTED)
        assert (reply.status, reply.code) == (404, 9014)


def test_delete_disables_the_did_with_an_empty_answer_and_says_yes_again(cloud):
    did = cloud.register("AA0000000007")
    assert [_disable(cloud, did)[::2] for _ in range(2)] == [(200, b""), (200, b"")]
    reply = cloud.request("GET", "/dev/devices/" + did)
    assert (reply.status, reply.code) == (403, 9023)


def test_delete_of_an_unknown_did_is_no_error_or_the_module_would_ask_for_ever(cloud):
    assert _disable(cloud, "x" * 22).status == 200


def test_delete_needs_the_passcode(cloud):
    did = cloud.register("AA0000000008")
    reply = _disable(cloud, did, "KLMNOPQRST")
    assert (reply.status, reply.code) == (400, 9016)
    assert cloud.request("GET", "/dev/devices/" + did).status == 200


def test_delete_ends_the_session_and_the_device_cannot_come_back(cloud):
    did = cloud.register("AA0000000009")
    with mqtt_device(cloud, did) as device:
        assert _disable(cloud, did).status == 200
        assert device.is_gone.wait(PATIENCE_S)
    assert cloud.cloud.accounts.device(did).disabled


def test_the_update_check_keeps_the_versions_and_offers_nothing(cloud):
    did = cloud.register("AA0000000010")
    for kind, versions in (("1", ("00ESP826", "04020019")), ("2", ("00000001", "00000002"))):
        body = "passcode=%s&type=%s&hard_version=%s&soft_version=%s" % (PASSCODE, kind, *versions)
        reply = cloud.request("POST", "/dev/ota/v4.1/update_and_check/" + did, body)
        assert reply.status == 404
        assert reply.json["error_message"] == "Don't have a push rule id on device"
        assert reply.code == 9500
    device = cloud.cloud.store.devices.get(did)
    assert (device.wifi_hard_version, device.wifi_soft_version) == ("00ESP826", "04020019")
    assert (device.mcu_hard_version, device.mcu_soft_version) == ("00000001", "00000002")


def test_the_update_check_keeps_nothing_for_a_wrong_passcode(cloud):
    did = cloud.register("AA0000000011")
    body = "passcode=WRONG&type=1&hard_version=1&soft_version=2"
    assert cloud.request("POST", "/dev/ota/v4.1/update_and_check/" + did, body).code == 9016
    assert cloud.cloud.store.devices.get(did).wifi_soft_version is None


def test_the_other_upgrade_questions_are_answered_with_nothing_new(cloud):
    query = "?hard_version=1&soft_version=2&product_key=%s&type=2" % PRODUCT_KEY
    assert cloud.request("GET", "/dev/ota/v4.1/latest" + query).code == 9500
    reply = cloud.request("GET", "/dev/ota/target_fid%s&did=x&current_fid=17" % query)
    place = "http://127.0.0.1:%d/dev/ota/download/17" % cloud.cloud.http_port
    assert reply.body == b"target_fid=17&download_url=%s&" % place.encode()


def test_a_third_party_cloud_is_told_yes_so_that_the_module_stops_asking(cloud):
    assert cloud.request("POST", "/dev/jd/" + ADOPTED, "feed_id=1&access_key=2").status == 200
    assert cloud.request("GET", "/dev/jd/product/" + PRODUCT_KEY).status == 200


def test_an_error_of_the_device_api_has_the_shape_of_the_open_api(cloud):
    body = json.loads(cloud.request("GET", "/dev/devices/nonsense").body)
    assert list(body)[:3] == ["error_code", "error_message", "detail_message"]
