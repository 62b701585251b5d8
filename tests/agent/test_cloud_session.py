"""gagent.cloud: register, provision, connect, stay on line."""

import pytest
from testkit.module_driver import DID, PROVISIONED, ModuleDriver

from gagent.effects import (
    NOTICE_CLOUD_REFUSED,
    NOTICE_CLOUD_UNREACHABLE,
    NOTICE_FIRMWARE,
    NOTICE_OFFLINE,
    NOTICE_ONLINE,
    NOTICE_REGISTERED,
    NOTICE_RETRY,
    MqttConnect,
    MqttDisconnect,
    Notice,
)
from mcu_proto.mcu_message import parse_network_time

TEN_MINUTES = 600_000


def a_waiting_random(n):
    """Full jitter drawn a second long, so that a test sees the wait."""
    return (1000).to_bytes(n, "big")


def returning():
    """An agent that is registered, asks for its broker, and whose MCU answers whatever it is asked."""
    driver = ModuleDriver(ModuleDriver().go_online().saved, urandom=a_waiting_random)
    driver.mcu_answers = True
    driver.boot()
    return driver


def fail_login(driver, reason):
    """One refused or failed login, then whatever follows the wait."""
    driver.do("mqtt_lost", reason)
    return driver.pass_time(1000)


def logins(effects):
    return [effect for effect in effects if isinstance(effect, MqttConnect)]


def test_the_ladder_is_climbed_in_the_order_of_the_reference_agent():
    driver = ModuleDriver()
    driver.boot()
    steps = []
    while driver.requests() or driver.connects():
        for request in driver.requests():
            steps.append((request.method, request.url[len("http://api.example") :]))
        if driver.connects():
            connect = driver.connects()[0]
            steps.append((connect.host, connect.port, connect.client_id, connect.username, connect.keepalive_s))
            chore = driver.requests()[0]
            driver.do("mqtt_connected")
            driver.do("http_response", chore.ref, 404, b"")
        else:
            driver.do("http_response", driver.requests()[0].ref, *driver.answer(driver.requests()[0]))
    assert steps == [
        ("POST", "/dev/devices"),
        ("GET", "/dev/devices/" + DID),
        ("POST", "/dev/ota/v4.1/update_and_check/" + DID),
        ("m2m.example", 1883, DID, DID, 120),
        ("POST", "/dev/ota/v4.1/update_and_check/" + DID),
    ]


def test_did_is_saved_before_it_is_used():
    driver = ModuleDriver()
    driver.boot()
    driver.do("http_response", 1, 201, b"did=" + DID.encode())
    assert driver.saved["did"] == DID
    assert driver.notices() == [NOTICE_REGISTERED]


def test_online_is_told_once_subscribed():
    driver = returning()
    driver.do("http_response", 1, 200, PROVISIONED)
    assert NOTICE_ONLINE not in driver.notices()
    driver.do("mqtt_connected")
    assert driver.notices() == [NOTICE_ONLINE]


@pytest.mark.parametrize("status, body", [(500, b""), (200, b"garbage"), (400, b'{"error_code": 9002}')])
def test_refused_registration_is_tried_again_and_the_identity_is_kept(status, body):
    driver = ModuleDriver(urandom=a_waiting_random)
    driver.boot()
    passcode = driver.saved["passcode"]
    driver.do("http_response", 1, status, body)
    assert driver.notices() == [NOTICE_CLOUD_REFUSED, NOTICE_RETRY]
    driver.pass_time(1000)
    assert [r.method for r in driver.requests()] == ["POST"]
    assert driver.saved["passcode"] == passcode


def test_unreachable_cloud_is_tried_again():
    driver = ModuleDriver(urandom=a_waiting_random)
    driver.boot()
    driver.do("http_failed", 1, "connection refused")
    assert driver.notices() == [NOTICE_CLOUD_UNREACHABLE, NOTICE_RETRY]
    driver.pass_time(999)
    assert driver.requests() == []
    driver.pass_time(1)
    assert [r.method for r in driver.requests()] == ["POST"]


def test_late_answers_are_ignored():
    driver = ModuleDriver(urandom=a_waiting_random)
    driver.boot()
    driver.do("http_failed", 1, "timeout")
    assert driver.do("http_response", 1, 201, b"did=" + DID.encode()) == []
    assert driver.do("http_response", 77, 201, b"did=" + DID.encode()) == []
    assert driver.do("mqtt_connected") == []
    assert driver.do("mqtt_lost", 0) == []


def test_lost_session_comes_back_without_http():
    driver = ModuleDriver(urandom=a_waiting_random).go_online()
    driver.do("mqtt_lost", 0)
    assert driver.notices() == [NOTICE_OFFLINE, NOTICE_RETRY]
    driver.pass_time(1000)
    assert len(driver.connects()) == 1 and driver.requests() == []


def test_three_failed_logins_ask_again_where_the_broker_is():
    driver = returning()
    driver.do("http_response", 1, 200, PROVISIONED)
    assert len(logins(fail_login(driver, 0))) == 1
    assert len(logins(fail_login(driver, 0))) == 1
    fail_login(driver, 0)
    assert [r.method for r in driver.requests()] == ["GET"]


def test_a_broker_that_moved_is_found():
    driver = returning()
    driver.do("http_response", 1, 200, PROVISIONED)
    for _ in range(3):
        fail_login(driver, 0)
    driver.do("http_response", driver.requests()[-1].ref, 200, b"host=elsewhere&port=8883&")
    assert (driver.connects()[0].host, driver.connects()[0].port) == ("elsewhere", 8883)


@pytest.mark.parametrize("status", [403, 404])
def test_did_that_the_cloud_no_longer_knows_is_registered_anew(status):
    driver = returning()
    driver.do("http_response", 1, status, b'{"error_code": 9014}')
    driver.pass_time(1000)
    assert [(r.method, r.url) for r in driver.requests()] == [("POST", "http://api.example/dev/devices")]
    assert driver.config.did == DID
    driver.do("http_response", driver.requests()[0].ref, 201, b"did=AnotherDevice000000001")
    assert driver.saved["did"] == "AnotherDevice000000001"


def test_login_refused_over_and_over_is_registered_anew():
    driver = returning()
    driver.do("http_response", 1, 200, PROVISIONED)
    methods = []
    for _ in range(6):
        fail_login(driver, 4)
        if driver.requests():
            methods += [r.method for r in driver.requests()]
            driver.do("http_response", driver.requests()[-1].ref, *driver.answer(driver.requests()[-1]))
    assert methods == ["GET", "POST"]


def test_registering_anew_happens_at_most_every_ten_minutes():
    driver = returning()
    posts = []
    for _ in range(30 * 60):
        for request in driver.requests():
            if request.method == "POST":
                posts.append(driver.now)
            driver.do("http_response", request.ref, 404, b"")
        driver.pass_time(1000)
    assert len(posts) == 3
    assert min(posts[1] - posts[0], posts[2] - posts[1]) >= TEN_MINUTES


def test_lost_network_ends_the_session_and_its_return_provisions_again():
    driver = ModuleDriver().go_online()
    driver.mcu_answers = True
    assert MqttDisconnect() in driver.do("network_changed", False, 0)
    driver.pass_time(600_000)
    assert driver.requests() == [] and driver.connects() == []
    driver.do("network_changed", True, 50)
    assert [r.method for r in driver.requests()] == ["GET"]


def test_time_is_asked_every_hour_beside_the_session():
    driver = ModuleDriver().go_online()
    driver.mcu_answers = True
    driver.pass_time(3_600_000 - 1)
    assert driver.requests() == []
    driver.pass_time(1)
    assert [r.method for r in driver.requests()] == ["GET"]
    driver.do("http_response", driver.requests()[0].ref, 200, b"host=a&port=1&server_ts=1800000000&")
    assert driver.agent.snapshot()["cloud"] == "online"
    driver.mcu_says(0x17, 1)
    assert parse_network_time(driver.sent_frames()[0].payload).utc == 1800000000


def test_failed_time_request_changes_nothing():
    driver = ModuleDriver().go_online()
    driver.mcu_answers = True
    driver.pass_time(3_600_000)
    assert driver.do("http_response", driver.requests()[0].ref, 500, b"") == []
    assert driver.agent.snapshot()["cloud"] == "online"


@pytest.mark.parametrize("kind", [1, 2])
def test_a_push_about_firmware_is_followed_by_the_question_what_it_is(kind):
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", "ser2cli_res/" + DID, bytes.fromhex("00000003021101")[:-1] + bytes((kind,)))
    assert b"type=%d&" % kind in driver.requests()[0].body
    driver.do("http_response", driver.requests()[0].ref, 200, b"soft_ver=04020021&download_url=http://a/b\r\n")
    assert driver.effects == [Notice(NOTICE_FIRMWARE, "04020021")]


def test_a_firmware_question_without_an_offer_says_nothing():
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", "ser2cli_res/" + DID, bytes.fromhex("00000003021102"))
    assert driver.do("http_response", driver.requests()[0].ref, 404, b"soft_ver=04020021") == []
