"""gagent.agent: handshake, duties towards the MCU, relay."""

import pytest
from testkit.module_driver import DEVICE_INFO, DID, PRODUCT_KEY, PROVISIONED, ModuleDriver

from gagent import wire
from gagent.effects import (
    NOTICE_BAD_FRAME,
    NOTICE_CONTROL_FAILED,
    NOTICE_IGNORED,
    NOTICE_MCU_LOST,
    NOTICE_MCU_READY,
    NOTICE_MCU_SILENT,
    NOTICE_NEW_IDENTITY,
    NOTICE_OFFLINE,
    NOTICE_RESET,
    NOTICE_RESTART,
    ConfigureNetwork,
    MqttDisconnect,
    MqttPublish,
    Reported,
    Restart,
)
from mcu_proto.const import (
    CMD_BINDABLE,
    CMD_GET_INFO,
    CMD_HEARTBEAT,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_PRODUCTION_TEST,
    FAIL_STOPPED,
    STATUS_APP,
    STATUS_BINDABLE,
    STATUS_CLOUD,
    STATUS_CONFIG,
    STATUS_ROUTER,
    STATUS_STATION,
    STATUS_TEST,
)
from mcu_proto.frame import encode_frame
from mcu_proto.link import SendSerial
from mcu_proto.mcu_message import build_device_info, parse_network_time
from mcu_proto.module_info import parse_module_info

LEVEL_7 = 0x0700
APP = "app2dev/%s/appclient01" % DID


def frames_of(effects, cmd):
    driver = ModuleDriver()
    driver.effects = effects
    return [frame for frame in driver.sent_frames() if frame.cmd == cmd]


def status_words(effects):
    return [int.from_bytes(frame.payload, "big") for frame in frames_of(effects, CMD_MODULE_STATUS)]


# Handshake


def test_first_frame_asks_for_device_info_with_sn_0():
    assert ModuleDriver().do("start") == [SendSerial(bytes.fromhex("ffff00050100000006"))]


def test_silent_mcu_is_asked_for_ever_and_told_of_once_a_minute():
    driver = ModuleDriver()
    driver.do("start")
    effects = driver.pass_time(300_000)
    assert len(frames_of(effects, CMD_GET_INFO)) > 1000
    assert driver.notices().count(NOTICE_MCU_SILENT) == 5
    driver.mcu_says(2, frames_of(effects, CMD_GET_INFO)[-1].sn, build_device_info(DEVICE_INFO))
    assert NOTICE_MCU_READY in driver.notices()


def test_device_info_that_cannot_be_used_is_asked_again_after_a_pause():
    driver = ModuleDriver()
    driver.do("start")
    driver.mcu_says(2, 0, bytes(66))
    assert driver.notices() == [NOTICE_MCU_SILENT]
    assert "product key" in driver.effects[0].detail
    assert len(frames_of(driver.pass_time(1000), CMD_GET_INFO)) == 1


def test_nothing_goes_to_the_cloud_before_the_handshake():
    driver = ModuleDriver()
    driver.do("start")
    driver.do("network_changed", True, 100)
    driver.pass_time(5000)
    assert driver.requests() == []


def test_new_product_gets_a_new_identity_and_the_old_did_is_remembered():
    driver = ModuleDriver()
    driver.go_online()
    old = dict(driver.saved)
    driver.info = DEVICE_INFO._replace(product_key="f" * 32)
    driver.do("start")
    driver.settle()
    assert driver.saved["product_key"] == "f" * 32
    fresh = ModuleDriver(old, driver.info)
    fresh.boot()
    assert NOTICE_NEW_IDENTITY in fresh.notices()
    assert (fresh.saved["old_did"], fresh.saved["did"]) == (DID, "")


def test_same_product_keeps_its_identity():
    record = ModuleDriver().go_online().saved
    driver = ModuleDriver(record)
    driver.boot()
    assert NOTICE_NEW_IDENTITY not in driver.notices()
    assert [request.method for request in driver.requests()] == ["GET"]


# Duties


def test_status_word_is_pushed_on_every_change():
    driver = ModuleDriver()
    driver.boot()
    word = LEVEL_7 | STATUS_STATION | STATUS_BINDABLE | STATUS_ROUTER
    assert status_words(driver.effects) == [word] == [0x071A]
    driver.settle()
    driver.do("mqtt_lost", 0)
    assert status_words(driver.effects) == [0x071A]
    driver.settle()
    driver.do("network_changed", False, 0)
    assert status_words(driver.effects) == [STATUS_STATION | STATUS_BINDABLE]


def test_status_word_is_that_of_the_reference_agent_when_online():
    driver = ModuleDriver()
    driver.boot()
    driver.mcu_says(CMD_MODULE_STATUS + 1, 1)
    driver.do("http_response", 1, 201, b"did=" + DID.encode())
    driver.do("http_response", 2, 200, b"host=a&port=1883&")
    driver.do("mqtt_connected")
    assert status_words(driver.effects) == [0x073A]


def test_status_change_while_a_push_waits_for_its_ack_follows_it():
    driver = ModuleDriver()
    driver.boot()
    driver.do("network_changed", False, 0)
    assert status_words(driver.effects) == []
    driver.mcu_says(CMD_MODULE_STATUS + 1, 1)
    assert status_words(driver.effects) == [STATUS_STATION | STATUS_BINDABLE]


def test_status_is_repeated_every_ten_minutes_and_a_second_after_a_failure():
    driver = ModuleDriver().go_online()
    answered = []
    for _ in range(600):
        driver.pass_time(1000)
        answered += status_words(driver.effects)
        driver.settle()
    assert answered == [0x073A]
    driver.do("mqtt_lost", 0)
    sent = len(status_words(driver.effects)) + len(status_words(driver.pass_time(2500)))
    assert sent >= 6


def test_app_count_sets_its_bit():
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", "ser2cli_res/" + DID, bytes.fromhex("0000000302100002"))
    assert status_words(driver.effects) == [0x073A | STATUS_APP]
    driver.settle()
    driver.do("receive_publish", "ser2cli_res/" + DID, bytes.fromhex("0000000302100000"))
    assert status_words(driver.effects) == [0x073A]


def test_heartbeat_follows_55_s_of_silence_and_any_frame_puts_it_off():
    driver = ModuleDriver().go_online()
    assert frames_of(driver.pass_time(54_999), CMD_HEARTBEAT) == []
    driver.mcu_says(5, 1, b"\x04")
    assert frames_of(driver.pass_time(54_999), CMD_HEARTBEAT) == []
    assert len(frames_of(driver.pass_time(1), CMD_HEARTBEAT)) == 1


def test_three_unanswered_heartbeats_lose_the_mcu_and_the_handshake_starts_over():
    driver = ModuleDriver().go_online()
    effects = driver.pass_time(3 * 55_000 + 1000)
    assert NOTICE_MCU_LOST in driver.notices()
    assert MqttDisconnect() in effects
    assert driver.agent.snapshot()["state"] == "handshake"
    driver.mcu_says(2, frames_of(effects, CMD_GET_INFO)[-1].sn, build_device_info(DEVICE_INFO))
    driver.settle()
    assert driver.agent.snapshot()["cloud"] == "online"


def test_one_answered_heartbeat_forgives_the_missed_ones():
    driver = ModuleDriver().go_online()
    driver.pass_time(2 * 55_000 + 2000)
    driver.mcu_says(5, 1, b"\x04")
    driver.pass_time(2 * 55_000 + 2000)
    assert NOTICE_MCU_LOST not in driver.notices()


def test_lost_port_is_a_lost_mcu():
    driver = ModuleDriver().go_online()
    effects = driver.do("serial_lost")
    assert driver.notices()[:2] == [NOTICE_MCU_LOST, NOTICE_OFFLINE]
    assert MqttDisconnect() in effects


def test_time_is_that_of_the_port_before_that_of_the_cloud():
    driver = ModuleDriver().go_online()
    driver.now += 5000
    driver.mcu_says(0x17, 1)
    assert parse_network_time(driver.sent_frames()[0].payload).utc == 1795289071 + 5
    driver.do("set_utc", 1800000000)
    driver.now += 2000
    driver.mcu_says(0x17, 2)
    assert parse_network_time(driver.sent_frames()[0].payload).utc == 1800000002


def test_unknown_time_is_told_as_unknown():
    driver = ModuleDriver()
    driver.boot()
    driver.mcu_says(0x17, 1)
    assert driver.sent_frames()[0].payload == bytes(11)


def test_module_info_names_the_module():
    driver = ModuleDriver(info=DEVICE_INFO._replace(device_attr=0x2))
    driver.go_online()
    driver.config.ip = "192.168.1.23"
    driver.mcu_says(0x21, 1, b"\x00")
    info = parse_module_info(driver.sent_frames()[0].payload)
    assert info == ("00000004", "000LINUX", "04020006", "021122334455", "192.168.1.23", 2)


def test_bindable_window_closes_and_opens_again_on_request():
    driver = ModuleDriver(info=DEVICE_INFO._replace(bindable_timeout=60))
    driver.go_online()
    words = []
    for _ in range(70):
        words += status_words(driver.pass_time(1000))
        driver.settle()
    assert words == [0x073A & ~STATUS_BINDABLE]
    driver.mcu_says(0x15, 1)
    assert status_words(driver.effects) == [0x073A]


@pytest.mark.parametrize("cmd", [CMD_BINDABLE, CMD_PRODUCTION_TEST])
def test_what_needs_an_mcu_means_nothing_before_its_device_info_in_the_same_read(cmd):
    driver = ModuleDriver()
    driver.do("start")
    info = encode_frame(CMD_GET_INFO + 1, driver.sent_frames()[0].sn, build_device_info(driver.info))
    driver.do("receive_serial", encode_frame(cmd, 7) + info)
    assert [frame.cmd for frame in driver.sent_frames()] == [cmd + 1, CMD_MODULE_STATUS]
    assert not driver.agent.snapshot()["status"] & STATUS_TEST


def test_production_test_leaves_the_cloud_for_three_minutes():
    driver = ModuleDriver().go_online()
    effects = driver.mcu_says(0x13, 1)
    assert MqttDisconnect() in effects
    assert status_words(effects)[-1] & (STATUS_TEST | STATUS_CLOUD) == STATUS_TEST
    driver.settle()
    for _ in range(4):
        driver.pass_time(50_000)
        driver.settle()
    assert driver.agent.snapshot()["cloud"] == "online"


@pytest.mark.parametrize("mode", [1, 2])
def test_config_mode_is_handed_to_the_port(mode):
    driver = ModuleDriver().go_online()
    effects = driver.mcu_says(0x09, 1, bytes((mode,)))
    assert ConfigureNetwork(mode) in effects
    assert status_words(effects)[-1] & STATUS_CONFIG
    driver.settle()
    assert not status_words(driver.do("network_changed", True, 100))[-1] & STATUS_CONFIG


def test_reset_forgets_the_did_removes_it_from_the_cloud_and_restarts_after_2_s():
    driver = ModuleDriver().go_online()
    effects = driver.mcu_says(0x0B, 1)
    assert isinstance(effects[0], SendSerial)
    assert NOTICE_RESET in driver.notices()
    assert (driver.saved["did"], driver.saved["old_did"]) == ("", DID)
    assert [(r.method, r.url) for r in driver.requests()] == [("DELETE", "http://api.example/dev/devices")]
    driver.settle()
    assert (driver.saved["old_did"], driver.saved["old_passcode"]) == ("", "")
    assert Restart(NOTICE_RESET) not in driver.pass_time(1999)
    assert Restart(NOTICE_RESET) in driver.pass_time(1)


def test_an_old_did_that_could_not_be_removed_is_removed_at_the_next_session():
    driver = ModuleDriver().go_online()
    driver.mcu_says(0x0B, 1)
    driver.do("http_failed", driver.requests()[0].ref, "no answer")
    driver.pass_time(2000)
    driver.do("start")
    driver.settle()
    assert driver.saved["old_did"] == ""


def test_restart_is_acked_first_and_done_after_100_ms():
    driver = ModuleDriver().go_online()
    effects = driver.mcu_says(0x29, 6)
    assert effects[0] == SendSerial(bytes.fromhex("ffff00052a06000035"))
    assert [e for e in driver.pass_time(100) if isinstance(e, Restart)] == [Restart(NOTICE_RESTART)]


# Relay


def test_report_is_handed_over_before_it_is_acked():
    driver = ModuleDriver().go_online()
    assert driver.mcu_says(5, 9, b"\x04\x01\x02") == [
        MqttPublish("dev2app/" + DID, wire.encode(wire.CLOUD_REPORT, b"\x04\x01\x02"), 1),
        SendSerial(bytes.fromhex("ffff0005060900 0014")),
    ]


def test_report_is_handed_over_while_the_cloud_is_away():
    driver = ModuleDriver().go_online()
    driver.do("mqtt_lost", 0)
    driver.mcu_says(5, 9, b"\x04\x01")
    assert driver.published() == [("dev2app/" + DID, wire.encode(wire.CLOUD_REPORT, b"\x04\x01"))]


def test_the_newest_report_waits_for_the_first_did():
    driver = ModuleDriver()
    driver.boot()
    driver.mcu_says(5, 1, b"\x04\x01")
    driver.mcu_says(5, 2, b"\x04\x02")
    assert driver.published() == [] and driver.sent_frames()[-1].cmd == 6
    driver.do("http_response", 1, 201, b"did=" + DID.encode())
    assert driver.published() == [("dev2app/" + DID, wire.encode(wire.CLOUD_REPORT, b"\x04\x02"))]
    driver.do("http_response", 2, 200, PROVISIONED)
    assert driver.published() == []


def test_report_before_the_handshake_is_handed_over_and_acked_after_it():
    driver = ModuleDriver(ModuleDriver().go_online().saved)
    driver.do("start")
    assert driver.mcu_says(5, 9, b"\x04\x01") == []
    driver.mcu_says(2, 0, build_device_info(DEVICE_INFO))
    assert driver.published() == [("dev2app/" + DID, wire.encode(wire.CLOUD_REPORT, b"\x04\x01"))]
    assert 6 in [frame.cmd for frame in driver.sent_frames()]


def test_report_of_another_product_before_the_handshake_is_not_handed_over():
    driver = ModuleDriver(ModuleDriver().go_online().saved)
    driver.do("start")
    driver.mcu_says(5, 9, b"\x04\x01")
    driver.mcu_says(2, 0, build_device_info(DEVICE_INFO._replace(product_key="f" * 32)))
    assert driver.published() == []


@pytest.mark.parametrize("p0", [b"", bytes(900), b"\xff\x55\xff\xff", b"\x06 transparent"])
def test_p0_of_a_report_crosses_undecoded(p0):
    driver = ModuleDriver().go_online()
    driver.mcu_says(5, 9, p0)
    assert [wire.decode(payload).p0 for _, payload in driver.published()] == [p0]


def test_command_is_answered_by_a_report_to_all():
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", APP, wire.encode(wire.CLOUD_COMMAND, b"\x01\x0a\x0b"))
    frame = driver.sent_frames()[0]
    assert (frame.cmd, frame.payload) == (CMD_P0_DOWN, b"\x01\x0a\x0b")
    driver.mcu_says(4, frame.sn)
    assert driver.published() == [("dev2app/" + DID, bytes.fromhex("0000000303000091"))]


def test_control_is_acked_to_its_app_with_its_sn():
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", APP, bytes.fromhex("000000030a00009301020304010c0d"))
    driver.mcu_says(4, driver.sent_frames()[0].sn)
    assert driver.published() == [("dev2app/%s/appclient01" % DID, bytes.fromhex("000000030700009401020304"))]


def test_read_reply_goes_back_as_the_answer():
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", APP, wire.encode(wire.CLOUD_CONTROL, b"\x02", 7))
    driver.mcu_says(4, driver.sent_frames()[0].sn, b"\x03\x01\x02")
    assert driver.published() == [
        ("dev2app/%s/appclient01" % DID, wire.encode(wire.CLOUD_CONTROL_ACK, b"\x03\x01\x02", 7))
    ]


def test_controls_that_come_while_the_mcu_is_busy_are_all_executed_in_order():
    driver = ModuleDriver().go_online()
    for sn in range(10):
        driver.do("receive_publish", APP, wire.encode(wire.CLOUD_CONTROL, bytes((1, sn)), sn))
        if sn == 0:
            frame = driver.sent_frames()[0]
    answered = []
    for sn in range(10):
        assert frame.payload == bytes((1, sn))
        driver.mcu_says(4, frame.sn)
        answered += [wire.decode(payload).sn for _, payload in driver.published()]
        frame = driver.sent_frames()[-1] if driver.sent_frames() else None
    assert answered == list(range(10))


def test_control_the_mcu_does_not_take_is_told_of_and_not_answered():
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", APP, wire.encode(wire.CLOUD_CONTROL, b"\x01", 7))
    driver.pass_time(2000)
    assert driver.notices() == [NOTICE_CONTROL_FAILED]
    assert driver.published() == []


def test_controls_under_way_when_the_port_is_lost_are_told_of():
    driver = ModuleDriver().go_online()
    for sn in range(3):
        driver.do("receive_publish", APP, wire.encode(wire.CLOUD_CONTROL, b"\x01", sn))
    driver.do("serial_lost")
    assert [e.detail for e in driver.effects if getattr(e, "code", 0) == NOTICE_CONTROL_FAILED] == [FAIL_STOPPED] * 3


@pytest.mark.parametrize(
    "topic, payload",
    [
        (APP, wire.encode(0x0077, b"\x01")),
        (APP, b""),
        (APP, b"\x00\x00\x00\x03\xff\xff\xff\xff"),
        (APP, wire.encode(wire.CLOUD_COMMAND, bytes(901))),
        ("app2dev/AnotherDevice000000001/x", wire.encode(wire.CLOUD_COMMAND, b"\x01")),
        ("app2dev", wire.encode(wire.CLOUD_COMMAND, b"\x01")),
        ("ser2cli_res/" + DID, b"\x00\x00\x00\x03\x02"),
        ("ser2cli_res/" + DID, bytes.fromhex("00000003021107")),
        ("ser2cli_res/" + DID, bytes.fromhex("000000030211")),
        ("ser2cli_noti/" + PRODUCT_KEY, b"hello"),
        ("x" * 60_000, b"x" * 60_000),
    ],
)
def test_messages_we_do_not_serve_do_not_reach_the_mcu(topic, payload):
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", topic, payload)
    assert driver.notices() == [NOTICE_IGNORED]
    assert driver.sent_frames() == [] and driver.published() == []
    assert all(len(str(effect.detail)) < 200 for effect in driver.effects)


def test_long_client_id_is_cut_as_the_reference_agent_does():
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", "app2dev/%s/%s" % (DID, "c" * 30), wire.encode(wire.CLOUD_CONTROL, b"\x01", 7))
    driver.mcu_says(4, driver.sent_frames()[0].sn)
    assert driver.published()[0][0] == "dev2app/%s/%s" % (DID, "c" * 23)


def test_control_sent_again_while_it_is_under_way_is_executed_once():
    driver = ModuleDriver().go_online()
    control = wire.encode(wire.CLOUD_CONTROL, b"\x01\x01", 7)
    driver.do("receive_publish", APP, control)
    frame = driver.sent_frames()[0]
    assert driver.do("receive_publish", APP, control) == []
    driver.mcu_says(4, frame.sn)
    assert len(driver.published()) == 1 and driver.sent_frames() == []
    driver.do("receive_publish", APP, control)
    assert driver.sent_frames()[0].payload == b"\x01\x01"


def test_local_features_see_every_report_and_reply():
    driver = ModuleDriver(local=True).go_online()
    assert Reported(b"\x04\x01") in driver.mcu_says(5, 1, b"\x04\x01")
    driver.do("receive_publish", APP, wire.encode(wire.CLOUD_CONTROL, b"\x02", 7))
    assert Reported(b"\x03\x05") in driver.mcu_says(4, driver.sent_frames()[0].sn, b"\x03\x05")
    driver.do("control", b"\x02")
    assert driver.mcu_says(4, driver.sent_frames()[0].sn, b"\x03\x06") == [Reported(b"\x03\x06")]


def test_local_control_is_queued_sent_and_told_when_it_fails():
    driver = ModuleDriver(local=True).go_online()
    driver.do("control", b"\x01\x01")
    assert driver.sent_frames()[0].payload == b"\x01\x01"
    driver.pass_time(2000)
    assert driver.notices() == [NOTICE_CONTROL_FAILED]
    assert driver.agent.snapshot()["counts"]["control_failures"] == 1


def test_without_a_cloud_nothing_is_asked_of_one_and_the_mcu_is_told_of_what_stands_in():
    driver = ModuleDriver(local=True, cloud=False)
    driver.boot()
    driver.settle()
    assert driver.requests() == driver.connects() == []
    assert status_words(driver.do("local_online", True)) == [0x073A]
    driver.settle()
    assert driver.mcu_says(5, 1, b"\x04\x01")[0] == Reported(b"\x04\x01")
    assert driver.published() == [] and driver.sent_frames()[0].cmd == 6


def test_what_the_mcu_asks_for_in_its_device_info_is_heeded():
    info = DEVICE_INFO._replace(device_attr=0, product_secret="", data=b"LocalHT=20&tz=3600&m2mKeepAL=60&x=y")
    driver = ModuleDriver(info=info).go_online()
    assert driver.keepalive == 60
    assert frames_of(driver.pass_time(19_999), CMD_HEARTBEAT) == []
    assert len(frames_of(driver.pass_time(1), CMD_HEARTBEAT)) == 1
    driver.settle()
    driver.mcu_says(0x17, 1)
    time = parse_network_time(driver.sent_frames()[0].payload)
    assert time.hour == (time.utc // 3600 + 1) % 24


@pytest.mark.parametrize("data", [b"LocalHT=0&tz=x&m2mKeepAL=", b"LocalHT=--20&tz=99999999999&m2mKeepAL=1"])
def test_nonsense_in_device_info_is_ignored(data):
    info = DEVICE_INFO._replace(device_attr=0, product_secret="", data=data)
    driver = ModuleDriver(info=info).go_online()
    assert driver.keepalive == 120
    assert len(frames_of(driver.pass_time(55_000), CMD_HEARTBEAT)) == 1


def test_counts_tell_the_life_of_the_agent():
    driver = ModuleDriver().go_online()
    driver.mcu_says(5, 1, b"\x04")
    driver.mcu_says(5, 1, b"\x04")
    driver.do("receive_publish", APP, wire.encode(wire.CLOUD_CONTROL, b"\x01", 7))
    driver.mcu_says(4, driver.sent_frames()[0].sn)
    counts = driver.agent.snapshot()["counts"]
    assert (counts["reports"], counts["duplicates"], counts["controls"]) == (1, 1, 1)
    assert counts["sent"] == 4  # device info, two status words, the control


def test_bad_frames_are_told_of():
    driver = ModuleDriver().go_online()
    driver.do("receive_serial", bytes.fromhex("ffff00050508000013"))
    assert driver.sent_frames()[0].cmd == 0x11
    assert driver.notices() == [NOTICE_BAD_FRAME]


def test_snapshot_has_no_passcode():
    driver = ModuleDriver(urandom=lambda n: bytes(range(7, 7 + n))).go_online()
    assert driver.saved["passcode"] not in str(driver.agent.snapshot())
