"""gagent.upload and gagent.subdevices: what few MCUs do."""

import hashlib

from testkit.module_driver import DID, ModuleDriver

from gagent import wire
from gagent.effects import NOTICE_SUBDEVICE, NOTICE_UPLOAD, NOTICE_UPLOAD_FAILED
from mcu_proto.const import CMD_ANNOUNCE, CMD_PIECE, CMD_READY, CMD_STOP_RECEIVING, CMD_STOP_SENDING
from mcu_proto.subdevice import Registration, build_registration, parse_registration_result
from mcu_proto.transfer import build_announce, parse_ready

FILE = bytes(range(256)) * 5


class Crypto:
    def md5(self, data):
        return hashlib.md5(data).hexdigest().encode()


def uploading(max_upload=65000):
    return ModuleDriver(crypto=Crypto(), max_upload=max_upload).go_online()


def announce(driver, file=FILE, md5=None):
    driver.mcu_says(CMD_ANNOUNCE, 1, build_announce(len(file), md5 or hashlib.md5(file).hexdigest().encode()))


def send_pieces(driver, file=FILE, size=512):
    """Every piece, acked; the effects of the last."""
    count = (len(file) + size - 1) // size
    for number in range(1, count + 1):
        data = file[(number - 1) * size : number * size]
        driver.mcu_says(CMD_PIECE, number, number.to_bytes(2, "big") + count.to_bytes(2, "big") + data)
        assert driver.sent_frames()[0].cmd == CMD_PIECE + 1
    return driver.effects


def test_a_file_goes_up_whole_as_one_report():
    driver = uploading()
    announce(driver)
    ready = driver.sent_frames()[-1]
    assert (ready.cmd, parse_ready(ready.payload)[1]) == (CMD_READY, 512)
    driver.mcu_says(CMD_READY + 1, ready.sn)
    send_pieces(driver)
    assert driver.published() == [("dev2app/" + DID, wire.encode(wire.CLOUD_REPORT, FILE))]
    assert driver.notices() == [NOTICE_UPLOAD]


def test_a_file_with_another_md5_is_refused():
    driver = uploading()
    announce(driver, md5=b"0" * 32)
    driver.mcu_says(CMD_READY + 1, driver.sent_frames()[-1].sn)
    send_pieces(driver)
    assert driver.published() == [] and driver.notices() == [NOTICE_UPLOAD_FAILED]
    assert driver.sent_frames()[-1].cmd == CMD_STOP_RECEIVING


def test_a_file_that_is_too_large_is_refused_at_once():
    driver = uploading(max_upload=len(FILE) - 1)
    announce(driver)
    assert driver.notices() == [NOTICE_UPLOAD_FAILED]
    assert driver.sent_frames()[-1].cmd == CMD_STOP_RECEIVING


def test_reports_go_on_while_a_file_comes():
    driver = uploading()
    announce(driver)
    driver.mcu_says(CMD_READY + 1, driver.sent_frames()[-1].sn)
    driver.mcu_says(5, 77, b"\x04\x01")
    assert driver.published() == [("dev2app/" + DID, wire.encode(wire.CLOUD_REPORT, b"\x04\x01"))]
    send_pieces(driver)
    assert driver.notices() == [NOTICE_UPLOAD]


def test_an_mcu_that_falls_silent_or_stops_is_told_of():
    driver = uploading()
    announce(driver)
    driver.mcu_says(CMD_READY + 1, driver.sent_frames()[-1].sn)
    driver.pass_time(15_000)
    assert driver.notices() == [NOTICE_UPLOAD_FAILED]
    announce(driver)
    driver.mcu_says(CMD_STOP_SENDING, 9)
    assert driver.notices() == [NOTICE_UPLOAD_FAILED]


def test_an_agent_without_room_for_files_knows_no_such_command():
    driver = ModuleDriver().go_online()
    announce(driver)
    assert (driver.sent_frames()[0].cmd, driver.sent_frames()[0].payload) == (0x11, b"\x02")


DEVICES = [(b"AA01", b"0001"), (b"AA02", b"0002")]
KEY = b"c" * 32


def register(driver, is_reset=0, devices=DEVICES):
    return driver.mcu_says(0x53, 3, build_registration(Registration(KEY, b"d" * 32, 0, b"tag", is_reset, devices)))


def result_of(driver):
    frame = next(frame for frame in driver.sent_frames() if frame.cmd == 0x55)
    return parse_registration_result(frame.payload)


def dids(driver, *answers):
    for status, did in answers:
        driver.do("http_response", driver.requests()[0].ref, status, b"did=" + did)


def registered():
    driver = ModuleDriver().go_online()
    register(driver)
    dids(driver, (201, b"SubDevice0000000000001"), (201, b"SubDevice0000000000002"))
    return driver


def test_sub_devices_register_one_after_another_and_the_mcu_is_told():
    driver = ModuleDriver().go_online()
    register(driver)
    assert driver.sent_frames()[0].cmd == 0x54
    assert b"mac=AA01&product_key=" + KEY in driver.requests()[0].body
    dids(driver, (201, b"SubDevice0000000000001"))
    assert b"mac=AA02" in driver.requests()[0].body
    dids(driver, (201, b"SubDevice0000000000002"))
    assert result_of(driver) == (
        b"tag",
        0,
        [(b"AA01", b"0001", 0, b"SubDevice0000000000001"), (b"AA02", b"0002", 0, b"SubDevice0000000000002")],
    )
    assert driver.saved["subdevices"]["c" * 32 + "/AA02"][0] == "SubDevice0000000000002"
    assert NOTICE_SUBDEVICE in driver.notices()


def test_the_same_sub_device_keeps_its_passcode():
    driver = registered()
    passcode = driver.saved["subdevices"]["c" * 32 + "/AA01"][1]
    driver.mcu_says(0x56, driver.sent_frames()[-1].sn)
    driver.mcu_says(0x53, 4, build_registration(Registration(KEY, b"d" * 32, 0, b"again", 0, DEVICES[:1])))
    assert ("passcode=%s&" % passcode).encode() in driver.requests()[0].body


def test_one_failure_is_told_of_and_the_others_are_registered():
    driver = ModuleDriver().go_online()
    register(driver)
    dids(driver, (400, b""))
    driver.do("http_failed", driver.requests()[0].ref, "timeout")
    result = result_of(driver)
    assert result.result == 1 and [row[2] for row in result.devices] == [1, 1]


def test_deregistered_sub_devices_are_removed_from_the_cloud():
    driver = registered()
    driver.mcu_says(0x56, driver.sent_frames()[-1].sn)
    driver.now += 5000
    register(driver, is_reset=1)
    assert driver.requests()[0].method == "DELETE"
    dids(driver, (200, b""), (200, b""))
    assert result_of(driver).result == 0
    assert "subdevices" not in driver.saved


def test_without_a_cloud_the_registration_fails_at_once():
    driver = ModuleDriver()
    driver.boot()
    register(driver)
    driver.pass_time(2000)
    assert driver.agent.snapshot()["cloud"] != "online"


def test_a_registration_that_is_cut_is_told_of():
    driver = ModuleDriver().go_online()
    driver.mcu_says(0x53, 3, b"\x20abc")
    assert driver.requests() == [] and driver.notices()
