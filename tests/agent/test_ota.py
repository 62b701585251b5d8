"""gagent.ota: an upgrade offered, downloaded, verified, sent, proven; and everything that can be wrong with it."""

import hashlib
import hmac
import re

import pytest
from testkit import captures
from testkit.module_driver import DID, PRODUCT_KEY, ModuleDriver

from gagent.effects import (
    NOTICE_FIRMWARE,
    NOTICE_FIRMWARE_DONE,
    NOTICE_FIRMWARE_FAILED,
    NOTICE_FIRMWARE_UNSIGNED,
    HttpRequest,
    MqttPublish,
    Notice,
    SaveConfig,
)
from gagent.firmware import KIND_MCU, KIND_MODULE, signed_message
from gagent.ota import (
    SIGNATURES_OFF,
    SIGNATURES_REQUIRE,
    SIGNATURES_WARN,
    Download,
    DropFirmware,
    FirmwareData,
    FirmwareFailed,
    Image,
    InstallFirmware,
    Progress,
    ReadFirmware,
)
from mcu_proto.const import (
    CMD_ANNOUNCE,
    CMD_GET_INFO,
    CMD_MODULE_STATUS,
    CMD_PIECE,
    CMD_READY,
    CMD_RESTART_MODULE,
    CMD_STOP_RECEIVING,
    CMD_STOP_SENDING,
    CMD_TRANSACTION,
    CMD_TRANSACTION_RESULT,
    FLAG_HEX,
    FLAG_LAST,
)
from mcu_proto.frame import FrameDecoder
from mcu_proto.mcu_message import build_device_info
from mcu_proto.transaction import Check, build_transaction
from mcu_proto.transaction import Download as DownloadRequest
from mcu_proto.transfer import build_ready, parse_announce

IMAGE = bytes(range(256)) * 3 + b"the end"
SIZE = len(IMAGE)
MD5 = hashlib.md5(IMAGE).hexdigest()
SHA256 = hashlib.sha256(IMAGE).hexdigest()
URL = "http://api.example/dev/ota/v4.1/download/7"
OLD, NEW = "00000001", "00000002"
LIMIT = 100_000
KEY, OTHER_KEY = "a1" * 32, "b2" * 32


class Crypto:
    """Signs with a keyed hash, which is as good as any signature to the code that asks."""

    def md5(self, data):
        return hashlib.md5(data).hexdigest().encode()

    def is_signed(self, key, signature, message):
        return signature == sign(key, message)


def sign(key, message):
    return hmac.new(key.encode(), message, "sha512").hexdigest()


def image(**heads):
    heads = {"firmware-md5": MD5, "soft-version": NEW, **{name.replace("_", "-"): text for name, text in heads.items()}}
    return Image(len(IMAGE), MD5, SHA256, {name: text for name, text in heads.items() if text is not None})


def signed(key=KEY, product_key=PRODUCT_KEY, kind=KIND_MCU, hard="00000003", soft=NEW, size=SIZE, sha=SHA256):
    signature = sign(key, signed_message(product_key, kind, hard, soft, size, sha))
    return image(firmware_key=key, firmware_signature=signature)


class Upgrade:
    """An agent on line, and the cloud, store and MCU of an upgrade, each moved by the test."""

    def __init__(self, record=None, signatures=SIGNATURES_WARN, trusted=""):
        self.driver = ModuleDriver(record, crypto=Crypto(), max_firmware=LIMIT)
        self.driver.config.signatures = signatures
        self.driver.config.firmware_key = trusted
        self.driver.go_online()

    def offer(self, version=NEW, kind=KIND_MCU, url=URL):
        """A push, the question what it is, and the answer; the effects of the answer."""
        driver = self.driver
        driver.do("receive_publish", "ser2cli_res/" + DID, b"\0\0\0\x03\x02\x11" + bytes((kind,)))
        ref = driver.requests()[0].ref
        answer = "soft_ver=%s&download_url=%s\r\n" % (version, url)
        return driver.do("http_response", ref, 200, answer.encode())

    def downloaded(self, what=None):
        return self.driver.do("firmware", what or image())

    def announced(self):
        """Up to the announcement on the line, which the MCU acks."""
        self.offer()
        self.downloaded()
        frame = self.sent(CMD_ANNOUNCE)
        self.driver.mcu_says(CMD_ANNOUNCE + 1, frame.sn)
        return frame

    def ready(self, size=256, flags=0, md5=MD5):
        """The MCU asks for pieces; the effects."""
        return self.driver.mcu_says(CMD_READY, 200, build_ready(md5.encode(), size), flags)

    def take_all(self, upto=10_000, image=IMAGE):
        """Gives the MCU what it wants, piece by piece; what it got."""
        got = []
        while len(got) < upto and (read := self.effect(ReadFirmware)):
            self.driver.do("firmware", FirmwareData(image[read.offset : read.offset + read.size]))
            piece = self.sent(CMD_PIECE)
            got.append(piece)
            self.driver.mcu_says(CMD_PIECE + 1, piece.sn)
        return got

    def restart_with(self, version):
        """The MCU restarts the module and tells its version."""
        driver = self.driver
        driver.info = driver.info._replace(soft_ver=version)
        driver.mcu_says(CMD_RESTART_MODULE, 210)
        driver.pass_time(100)
        driver.do("start")
        return driver.mcu_says(CMD_GET_INFO + 1, self.sent(CMD_GET_INFO).sn, build_device_info(driver.info))

    def effect(self, kind):
        return next((effect for effect in self.driver.effects if isinstance(effect, kind)), None)

    def sent(self, cmd):
        return next(frame for frame in self.driver.sent_frames() if frame.cmd == cmd)

    def failure(self):
        """Why it came to nothing, "" when it did not."""
        texts = [e.detail for e in self.driver.effects if isinstance(e, Notice) and e.code == NOTICE_FIRMWARE_FAILED]
        return texts[0] if texts else ""


# The way of an upgrade.


def test_an_offer_of_a_newer_version_is_downloaded():
    upgrade = Upgrade()
    assert Download(KIND_MCU, NEW, URL, LIMIT) in upgrade.offer()
    assert upgrade.driver.notices() == [NOTICE_FIRMWARE]


def test_an_agent_without_room_for_firmware_only_tells_of_it():
    driver = ModuleDriver().go_online()
    driver.do("receive_publish", "ser2cli_res/" + DID, b"\0\0\0\x03\x02\x11\x02")
    driver.do("http_response", driver.requests()[0].ref, 200, b"soft_ver=04020021&download_url=http://a/b\r\n")
    assert driver.effects == [Notice(NOTICE_FIRMWARE, "04020021")]


def test_a_downloaded_image_is_announced_with_its_size_and_md5():
    assert parse_announce(Upgrade().announced().payload) == (len(IMAGE), MD5.encode())


@pytest.mark.parametrize("size", [1, 128, 256, 512, 896, len(IMAGE), 2000])
def test_an_mcu_gets_every_byte_in_pieces_of_the_size_it_asked_for(size):
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready(size)
    if size > 1000:  # more than a frame holds
        assert upgrade.sent(CMD_STOP_SENDING) and "did not take" in upgrade.failure()
        return
    pieces = upgrade.take_all()
    assert b"".join(piece.payload[4:] for piece in pieces) == IMAGE
    assert {len(piece.payload[4:]) for piece in pieces[:-1]} <= {size}


def test_a_hex_image_goes_line_by_line_when_the_mcu_asks_for_it():
    upgrade = Upgrade()
    upgrade.offer()
    upgrade.downloaded(image(content_disposition='attachment; filename="mcu.hex"'))
    upgrade.driver.mcu_says(CMD_ANNOUNCE + 1, upgrade.sent(CMD_ANNOUNCE).sn)
    upgrade.ready(flags=FLAG_HEX)
    lines = upgrade.take_all()
    assert [line.payload[4:] for line in lines] == re.findall(rb"[^\n]*\n|[^\n]+$", IMAGE)
    assert [line.flags for line in lines][-1] == FLAG_HEX | FLAG_LAST


def test_the_version_of_the_mcu_proves_the_upgrade():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready()
    upgrade.take_all()
    effects = upgrade.restart_with(NEW)
    assert Notice(NOTICE_FIRMWARE_DONE, NEW) in effects and DropFirmware(KIND_MCU) in effects
    assert upgrade.driver.agent.snapshot()["firmware"]["state"] == "idle"


def test_an_mcu_that_does_not_restart_the_module_is_asked_for_its_version():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready()
    upgrade.take_all()
    upgrade.driver.mcu_answers = True
    upgrade.driver.info = upgrade.driver.info._replace(soft_ver=NEW)
    assert Notice(NOTICE_FIRMWARE_DONE, NEW) in upgrade.driver.pass_time(30_000)


def test_an_image_that_comes_between_a_restart_and_the_start_keeps_nobody_busy():
    upgrade = Upgrade()
    upgrade.offer()
    driver = upgrade.driver
    driver.mcu_says(CMD_RESTART_MODULE, 210)
    driver.pass_time(100)
    upgrade.downloaded()
    driver.now += 10_000
    driver.do("handle_timeout")
    assert driver.agent.next_timeout() > driver.now
    assert Notice(NOTICE_FIRMWARE_DONE, NEW) in upgrade.restart_with(NEW)


def test_an_mcu_that_restarts_before_it_acks_the_last_piece_is_judged_by_its_version():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready(1000 - 104)
    upgrade.driver.do("firmware", FirmwareData(IMAGE))
    assert Notice(NOTICE_FIRMWARE_DONE, NEW) in upgrade.restart_with(NEW)


def test_an_mcu_that_still_runs_the_old_version_is_sent_it_again_later():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready()
    upgrade.take_all()
    upgrade.restart_with(OLD)
    assert "runs 00000001" in upgrade.failure()
    assert upgrade.effect(DropFirmware) is None


def test_an_image_of_the_module_is_installed_by_the_port():
    upgrade = Upgrade()
    upgrade.offer("04020007", KIND_MODULE)
    assert InstallFirmware("04020007") in upgrade.downloaded(image(soft_version="04020007"))


def test_the_other_kind_waits_until_the_first_is_done():
    upgrade = Upgrade()
    upgrade.offer()
    assert upgrade.effect(Download) is not None
    upgrade.offer("04020007", KIND_MODULE)
    assert upgrade.effect(Download) is None
    upgrade.driver.do("firmware", FirmwareFailed("404"))
    assert upgrade.effect(Download).kind == KIND_MODULE


def test_the_cloud_hears_how_far_it_is():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready(128)
    said = []
    while read := upgrade.effect(ReadFirmware):
        upgrade.driver.do("firmware", FirmwareData(IMAGE[read.offset : read.offset + read.size]))
        upgrade.driver.mcu_says(CMD_PIECE + 1, upgrade.sent(CMD_PIECE).sn)
        said += [e.payload for e in upgrade.driver.effects if isinstance(e, MqttPublish) and e.topic == "cli2ser_req"]
    text = b"\x00\x1100000003,00000002\x00\x0ainstalling"
    assert said[0] == b"\0\0\0\x03\x02\x2c\0\x04" + (1 + len(text)).to_bytes(2, "big") + b"\x10" + text
    assert [message[10] for message in said] == sorted({message[10] for message in said})


def test_reports_and_controls_go_on_while_pieces_go_down():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready()
    driver = upgrade.driver
    driver.mcu_says(5, 77, b"\x04\x01")
    assert driver.published() != []
    driver.do("receive_publish", "app2dev/%s/app" % DID, bytes.fromhex("00000003050000900501"))
    control = upgrade.sent(3)
    assert control.payload == b"\x05\x01"
    driver.do("firmware", FirmwareData(IMAGE[:256]))
    driver.mcu_says(4, control.sn)
    assert upgrade.sent(CMD_PIECE)


def test_a_recorded_upgrade_is_repeated_byte_for_byte():
    name = "11-mcu-ota"
    (answer,) = [found for found in captures.answers(name) if found.path.endswith(".bin")]
    recorded = [FrameDecoder().feed(write.data)[0] for write in captures.serial(name)]
    (ready,) = [frame for frame in recorded if frame.cmd == CMD_READY]
    md5 = hashlib.md5(answer.body).hexdigest()
    upgrade = Upgrade()
    upgrade.offer()
    upgrade.downloaded(Image(len(answer.body), md5, "", {"firmware-md5": md5}))
    ours = [upgrade.sent(CMD_ANNOUNCE)]
    upgrade.driver.mcu_says(CMD_ANNOUNCE + 1, ours[0].sn)
    upgrade.driver.mcu_says(CMD_READY, 200, ready.payload, ready.flags)
    ours += upgrade.take_all(image=answer.body)
    theirs = [frame for frame in recorded if frame.cmd in (CMD_ANNOUNCE, CMD_PIECE)]
    assert [(f.cmd, f.flags, f.payload) for f in ours] == [(f.cmd, f.flags, f.payload) for f in theirs]


# On behalf of others.

OTHER = Check("c" * 32, DID, "00000007", "00000009", 1)


def checking(check=OTHER, online=True):
    upgrade = Upgrade()
    if not online:
        upgrade.driver.do("mqtt_lost", 0)
        upgrade.driver.mcu_says(CMD_MODULE_STATUS + 1, upgrade.sent(CMD_MODULE_STATUS).sn)
    upgrade.driver.mcu_says(CMD_TRANSACTION, 77, build_transaction(check))
    assert upgrade.sent(CMD_TRANSACTION + 1).payload == b""
    return upgrade


def results(upgrade):
    return [frame.payload for frame in upgrade.driver.sent_frames() if frame.cmd == CMD_TRANSACTION_RESULT]


def answered(upgrade, status=200, version="00000004"):
    """The cloud's answer, and what the MCU is told; the MCU acks."""
    ref = upgrade.driver.requests()[0].ref
    answer = b"soft_ver=%s&download_url=%s\r\n" % (version.encode(), URL.encode())
    upgrade.driver.do("http_response", ref, status, answer if status == 200 else b"")
    return results(upgrade)


def test_an_mcu_asks_for_the_firmware_of_another_product():
    request = checking().driver.requests()[0]
    path = "/dev/ota/v4.1/latest?hard_version=00000007&soft_version=00000009&product_key=%s&type=2" % ("c" * 32)
    assert (request.method, request.url) == ("GET", "http://api.example" + path)


def test_other_firmware_is_told_downloaded_announced_and_not_asked_about_again():
    upgrade = checking()
    assert answered(upgrade) == [b"\x02\x01"]
    assert upgrade.effect(Download) == Download(KIND_MCU, "00000004", URL, LIMIT)
    upgrade.driver.mcu_says(CMD_TRANSACTION_RESULT + 1, upgrade.sent(CMD_TRANSACTION_RESULT).sn)
    upgrade.downloaded(image(soft_version="00000004"))
    assert results(upgrade) == [b"\x04\x00"]
    upgrade.driver.mcu_says(CMD_TRANSACTION_RESULT + 1, upgrade.sent(CMD_TRANSACTION_RESULT).sn)
    upgrade.driver.mcu_says(CMD_ANNOUNCE + 1, upgrade.sent(CMD_ANNOUNCE).sn)
    upgrade.ready(512)
    upgrade.take_all()
    assert DropFirmware(KIND_MCU) in upgrade.driver.effects
    assert upgrade.driver.agent.snapshot()["firmware"]["state"] == "idle"
    assert upgrade.failure() == ""


@pytest.mark.parametrize(
    ("check", "status", "version", "told"),
    [
        (OTHER, 200, "00000009", b"\x02\x00"),
        (OTHER, 404, "", b"\x04\x01"),
        (OTHER._replace(compare=0), 200, "00000004", b"\x02" + b"00000004" + b"\x00\x2a" + URL.encode()),
        (OTHER._replace(compare=0), 404, "", b"\x04\x01"),
    ],
    ids=["same", "none", "told only", "told none"],
)
def test_what_the_cloud_has_is_told(check, status, version, told):
    upgrade = checking(check)
    assert answered(upgrade, status, version) == [told]
    assert upgrade.effect(Download) is None


def test_without_a_cloud_the_mcu_is_told_that_it_failed():
    assert results(checking(online=False)) == [b"\x04\x01"]


def test_a_url_of_the_mcu_is_downloaded():
    upgrade = checking(DownloadRequest(URL))
    assert upgrade.effect(Download) == Download(KIND_MCU, "", URL, LIMIT)
    upgrade.driver.do("firmware", FirmwareFailed("HTTP 404"))
    assert results(upgrade) == [b"\x04\x01"]
    upgrade.driver.mcu_answers = True
    upgrade.driver.pass_time(60_000)
    assert upgrade.driver.requests() == []


def test_an_image_for_others_is_verified_as_theirs():
    upgrade = checking()
    answered(upgrade)
    upgrade.driver.mcu_says(CMD_TRANSACTION_RESULT + 1, upgrade.sent(CMD_TRANSACTION_RESULT).sn)
    upgrade.downloaded(signed(product_key="c" * 32, hard="00000007", soft="00000004"))
    assert "version 00000002" in upgrade.failure()
    assert results(upgrade) == [b"\x04\x01"]


# What is refused, each with its reason and without touching what runs.

WRONG = {
    "md5": (image(firmware_md5="0" * 32), "md5"),
    "no-md5": (image(firmware_md5=None), "nothing tells"),
    "version": (image(soft_version="00000009"), "version 00000009"),
    "hardware": (image(hard_version="00000004"), "hardware 00000004"),
    "empty": (image()._replace(size=0), "0 bytes"),
    "too-large": (image()._replace(size=LIMIT + 1), "bytes"),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_image_that_is_not_what_was_offered_is_dropped_and_never_announced(what):
    wrong, words = WRONG[what]
    upgrade = Upgrade()
    upgrade.offer()
    upgrade.downloaded(wrong)
    assert words in upgrade.failure()
    assert DropFirmware(KIND_MCU) in upgrade.driver.effects
    assert [frame for frame in upgrade.driver.sent_frames() if frame.cmd == CMD_ANNOUNCE] == []


@pytest.mark.parametrize("version", ["00000000", "0000000", "000000010", "0"])
def test_a_version_that_is_not_newer_is_refused_without_a_download(version):
    upgrade = Upgrade()
    upgrade.offer(version)
    assert "newer than 00000001" in upgrade.failure() and upgrade.effect(Download) is None


def test_the_version_that_runs_is_no_news():
    upgrade = Upgrade()
    upgrade.offer(OLD)
    assert upgrade.failure() == "" and upgrade.effect(Download) is None


def test_an_offer_without_a_url_to_fetch_is_none():
    upgrade = Upgrade()
    upgrade.offer(url="ftp://a/b")
    assert upgrade.driver.effects == []


# Signatures.


def refused(upgrade, what):
    upgrade.offer()
    upgrade.downloaded(what)
    return upgrade.failure()


def test_an_unsigned_image_is_taken_with_a_warning_from_a_cloud_that_never_signed():
    upgrade = Upgrade()
    assert refused(upgrade, image()) == ""
    assert NOTICE_FIRMWARE_UNSIGNED in upgrade.driver.notices()


def test_the_first_signed_image_of_a_product_decides_who_may_sign():
    upgrade = Upgrade()
    assert refused(upgrade, signed()) == ""
    assert upgrade.effect(SaveConfig).record["firmware_keys"] == {PRODUCT_KEY: KEY}


def test_after_a_signed_image_unsigned_ones_are_refused_also_after_a_restart():
    upgrade = Upgrade()
    refused(upgrade, signed())
    again = Upgrade({**upgrade.effect(SaveConfig).record, "did": ""})
    assert "not signed" in refused(again, image())
    assert "trusted is " + KEY[:16] in refused(Upgrade(again.driver.config.to_record()), signed(OTHER_KEY))
    assert refused(Upgrade(again.driver.config.to_record()), signed()) == ""


BADLY_SIGNED = {
    "product": signed(product_key="f" * 32),
    "kind": signed(kind=KIND_MODULE),
    "hardware": signed(hard="00000009"),
    "version": signed(soft="00000001"),
    "size": signed(size=1),
    "content": signed(sha="0" * 64),
    "nonsense": image(firmware_key=KEY, firmware_signature="zz"),
}


@pytest.mark.parametrize("what", BADLY_SIGNED)
def test_a_signature_of_something_else_is_refused(what):
    upgrade = Upgrade()
    assert "signature is not" in refused(upgrade, BADLY_SIGNED[what])
    assert upgrade.driver.config.firmware_keys == {}


def test_who_requires_signatures_names_the_key():
    assert "not signed" in refused(Upgrade(signatures=SIGNATURES_REQUIRE), image())
    assert "no key is trusted" in refused(Upgrade(signatures=SIGNATURES_REQUIRE), signed())
    assert refused(Upgrade(signatures=SIGNATURES_REQUIRE, trusted=KEY), signed()) == ""
    assert "trusted is" in refused(Upgrade(trusted=OTHER_KEY), signed())


def test_signatures_can_be_left_unlooked_at():
    assert refused(Upgrade(signatures=SIGNATURES_OFF), BADLY_SIGNED["content"]) == ""


# What breaks off.


def test_after_a_failure_the_cloud_is_asked_again_after_a_wait_that_doubles():
    upgrade = Upgrade()
    waits = []
    upgrade.offer()
    for _ in range(3):
        upgrade.driver.do("firmware", FirmwareFailed("connection refused"))
        begun = upgrade.driver.now
        upgrade.driver.mcu_answers = True
        while not (asked := upgrade.driver.requests()):
            upgrade.driver.pass_time(1000)
        waits.append(upgrade.driver.now - begun)
        assert isinstance(asked[0], HttpRequest) and b"type=1" in asked[0].body
        upgrade.driver.do("http_response", asked[0].ref, 404, b"")
        answer = b"soft_ver=%s&download_url=%s\r\n" % (NEW.encode(), URL.encode())
        upgrade.driver.do("http_response", upgrade.driver.requests()[0].ref, 200, answer)
        assert upgrade.effect(Download)
    assert waits == [5000, 10000, 20000]


@pytest.mark.parametrize("cmd", [CMD_STOP_RECEIVING])
def test_an_mcu_may_cancel(cmd):
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready()
    upgrade.driver.mcu_says(cmd, 201)
    assert "did not take it all" in upgrade.failure()
    assert upgrade.driver.do("firmware", FirmwareData(IMAGE[:256])) == []


def test_a_store_that_lost_the_image_stops_the_transfer():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready()
    upgrade.driver.do("firmware", FirmwareData(IMAGE[:255]))
    assert "ends early" in upgrade.failure() and upgrade.sent(CMD_STOP_SENDING)


def test_a_piece_that_is_never_acked_ends_the_transfer():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready()
    upgrade.driver.do("firmware", FirmwareData(IMAGE[:256]))
    upgrade.driver.pass_time(10_000)
    assert "did not take it all" in upgrade.failure()


def test_an_mcu_that_asks_for_another_image_is_told_that_there_is_none():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready(md5="f" * 32)
    assert upgrade.sent(CMD_STOP_SENDING) and upgrade.failure()


def test_an_mcu_in_a_transfer_we_know_nothing_of_is_told_that_it_ended():
    upgrade = Upgrade()
    upgrade.ready()
    assert [frame.cmd for frame in upgrade.driver.sent_frames()] == [CMD_READY + 1, CMD_STOP_SENDING]


def test_an_mcu_that_asks_again_in_the_middle_begins_at_the_first_piece():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready()
    upgrade.take_all(upto=2)
    upgrade.driver.mcu_says(CMD_READY, 202, build_ready(MD5.encode(), 128))
    assert upgrade.effect(ReadFirmware) == ReadFirmware(0, 128)


def test_an_mcu_that_gets_ready_after_minutes_still_gets_the_image():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.driver.mcu_answers = True
    upgrade.driver.pass_time(121_000)
    upgrade.driver.mcu_answers = False
    upgrade.ready()
    assert upgrade.effect(ReadFirmware) == ReadFirmware(0, 256)


def test_a_piece_that_finds_no_place_among_the_controls_is_sent_later():
    upgrade = Upgrade()
    driver = upgrade.driver
    upgrade.announced()
    upgrade.ready()
    for n in range(20):
        driver.do("receive_publish", "app2dev/%s/app" % DID, bytes.fromhex("000000030500009005") + bytes((n,)))
    driver.do("firmware", FirmwareData(IMAGE[:256]))
    assert upgrade.failure() == ""
    driver.mcu_answers = True
    assert ReadFirmware(0, 256) in driver.pass_time(5000)


def test_power_loss_of_the_mcu_in_the_middle_ends_in_its_old_version_and_another_try():
    upgrade = Upgrade()
    upgrade.announced()
    upgrade.ready()
    upgrade.take_all(upto=1)
    upgrade.restart_with(OLD)
    assert "runs 00000001" in upgrade.failure()
    assert upgrade.driver.do("firmware", FirmwareData(IMAGE[256:512])) == []


def test_answers_of_the_port_without_an_upgrade_mean_nothing():
    driver = ModuleDriver(crypto=Crypto(), max_firmware=LIMIT).go_online()
    for event in (image(), FirmwareData(b"x"), FirmwareFailed("why"), Progress(1, 2)):
        assert driver.do("firmware", event) == []
