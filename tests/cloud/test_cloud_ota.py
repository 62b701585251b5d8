"""Firmware over the air, the cloud's side: checks, downloads, rules, notices, results."""

import csv
import hashlib
import io
import os
import stat
import subprocess
import sys
import threading
import time

import pytest
from gagent_linux.crypto import Crypto
from localcloud.__main__ import main
from localcloud.ota_orders import OtaError, add_firmware, add_rule, set_test
from localcloud.ota_rules import Asker, choose, covers, share
from localcloud.ota_service import OtaService, parse_progress
from localcloud.ota_signing import load_key, make_key
from localcloud.store.firmware import Firmware, PushRule
from testkit.cloud_running import LAMP, PASSCODE, PRODUCT_KEY, PRODUCT_SECRET, mqtt_device, wait_until
from testkit.patience import PATIENCE_S

from gagent.firmware import KIND_MCU, KIND_MODULE, build_progress, signed_message
from gagent.wire import SERVICE_OTA_PROGRESS, encode_service
from mcu_proto.errors import RemoteError

IMAGE = os.urandom(150_000)
MD5 = hashlib.md5(IMAGE).hexdigest()
HARD, OLD, NEW = "00000001", "00000001", "00000002"


def add(cloud, soft=NEW, hard=HARD, kind="mcu", content=IMAGE, name="pump.bin"):
    """A firmware nobody has tried."""
    inner = cloud.cloud
    return add_firmware(inner.store, inner.settings.data_dir, content, PRODUCT_KEY, kind, (hard, soft), name)


def check(cloud, did, soft=OLD, hard=HARD, kind="2", passcode=PASSCODE, host=None):
    body = "passcode=%s&type=%s&hard_version=%s&soft_version=%s" % (passcode, kind, hard, soft)
    headers = {"Host": host} if host else {}
    return cloud.request("POST", "/dev/ota/v4.1/update_and_check/" + did, body, headers)


def verified(cloud, mac, **firmware):
    """A firmware that ran on the device of that mac, and its did."""
    added = add(cloud, **firmware)
    did = cloud.register(mac)
    check(cloud, did)
    set_test(cloud.cloud.store, added.id, did)
    assert check(cloud, did).status == 200
    check(cloud, did, soft=added.soft_version)
    return added, did


@pytest.fixture
def fresh(cloud):
    """The cloud of all tests, without firmware."""
    for firmware in cloud.cloud.store.firmware.all():
        cloud.cloud.store.firmware.remove(firmware.id)
    return cloud


def test_a_device_on_which_firmware_is_tried_is_offered_it_as_modules_read_it(fresh):
    firmware = add(fresh)
    did = fresh.register("AA0000000101")
    set_test(fresh.cloud.store, firmware.id, did)
    reply = check(fresh, did, host="api.gizwits.com")
    place = b"http://127.0.0.1/dev/ota/v4.1/download/%d\r\n" % firmware.id
    assert (reply.status, reply.body) == (200, b"soft_ver=00000002&download_url=" + place)


def test_nobody_else_is_offered_what_was_not_verified(fresh):
    firmware = add(fresh)
    did, other = fresh.register("AA0000000102"), fresh.register("AA0000000103")
    set_test(fresh.cloud.store, firmware.id, did)
    assert (check(fresh, other).status, check(fresh, other).code) == (404, 9502)


def test_firmware_is_verified_when_the_device_says_that_it_runs_it(fresh):
    firmware, did = verified(fresh, "AA0000000104")
    assert fresh.cloud.store.firmware.get(firmware.id).verified_at is not None
    assert fresh.cloud.store.upgrades.get(did, firmware.id).state == "done"


def test_a_rule_needs_verified_firmware(fresh, capsys, tmp_path):
    with pytest.raises(Exception, match="has not run on any device yet"):
        add_rule(fresh.cloud.store, PushRule(add(fresh).id, 0.0))


def test_a_rule_offers_firmware_to_the_others_and_stops_when_it_is_stopped(fresh):
    firmware, _ = verified(fresh, "AA0000000105")
    other = fresh.register("AA0000000106")
    rule = add_rule(fresh.cloud.store, PushRule(firmware.id, 0.0))
    assert check(fresh, other).status == 200
    fresh.cloud.store.firmware.set_running(rule.id, False)
    assert check(fresh, other).code == 9502


@pytest.mark.parametrize(
    "asked",
    [{"hard": "00000009"}, {"soft": NEW}, {"soft": "00000003"}, {"soft": "00010001"}, {"kind": "1"}],
    ids=["hardware", "same", "newer", "series", "kind"],
)
def test_a_device_gets_only_newer_firmware_of_its_kind_hardware_and_series(fresh, asked):
    firmware, _ = verified(fresh, "AA0000000107")
    add_rule(fresh.cloud.store, PushRule(firmware.id, 0.0))
    assert check(fresh, fresh.register("AA0000000108"), **asked).status == 404


def test_a_wrong_passcode_learns_nothing(fresh):
    firmware = add(fresh)
    did = fresh.register("AA0000000109")
    set_test(fresh.cloud.store, firmware.id, did)
    assert check(fresh, did, passcode="WRONG").code == 9016


def test_an_image_comes_with_the_heads_that_modules_read(fresh):
    firmware = add(fresh)
    reply = fresh.request("GET", "/dev/ota/v4.1/download/%d" % firmware.id)
    assert (reply.status, reply.body) == (200, IMAGE)
    expected = {
        "Content-Length": str(len(IMAGE)),
        "Firmware-MD5": MD5,
        "Soft-Version": NEW,
        "Firmware-Version": NEW,
        "Content-Disposition": 'attachment; filename="pump.bin"',
    }
    assert expected.items() <= reply.headers.items()


def test_head_and_first_part_of_an_image_come_in_one_segment_and_the_head_is_short(fresh):
    import socket

    make_key_once(fresh)
    firmware = add(fresh, name="p" * 100 + ".bin", content=IMAGE[:300])
    with socket.create_connection(("127.0.0.1", fresh.cloud.http_port), timeout=PATIENCE_S) as sock:
        sock.sendall(b"GET /dev/ota/v4.1/download/%d HTTP/1.1\r\nHost: api.gizwits.com\r\n\r\n" % firmware.id)
        first = sock.recv(4096)
    head, _, body = first.partition(b"\r\n\r\n")
    assert len(head) + 4 < 600 and body == IMAGE[:300]
    assert b"\r\nFirmware-MD5: " in head and b"\r\nContent-Length: 300" in head


def make_key_once(cloud):
    if load_key(cloud.cloud.settings.data_dir) is None:
        make_key(cloud.cloud.settings.data_dir)


@pytest.mark.parametrize(
    ("span", "status", "part"),
    [
        ("bytes=0-", 206, slice(0, None)),
        ("bytes=100000-", 206, slice(100_000, None)),
        ("bytes=65535-65536", 206, slice(65_535, 65_537)),
        ("bytes=149999-", 206, slice(149_999, None)),
        ("bytes=150000-", 416, slice(0, 0)),
        ("bytes=5-2", 416, slice(0, 0)),
        ("lines=1-2", 200, slice(0, None)),
    ],
)
def test_a_part_of_an_image_is_sent_when_it_is_asked_for(fresh, span, status, part):
    reply = fresh.request("GET", "/dev/ota/v4.1/download/%d" % add(fresh).id, headers={"Range": span})
    assert (reply.status, reply.body) == (status, IMAGE[part])


@pytest.mark.parametrize("number", ["999999", "0", "-1", "x", "1e3", "99999999999999999999"])
def test_an_image_that_is_not_there_is_not_found(fresh, number):
    assert fresh.request("GET", "/dev/ota/v4.1/download/" + number).code == 9027


def test_the_old_generation_is_offered_a_number_and_a_path_that_ends_with_an_ampersand(fresh):
    firmware = add(fresh, kind="module")
    did = fresh.register("AA0000000110")
    set_test(fresh.cloud.store, firmware.id, did)
    query = "?did=%s&product_key=%s&type=1&hard_version=%s&soft_version=%s" % (did, PRODUCT_KEY, HARD, OLD)
    reply = fresh.request("GET", "/dev/ota/target_fid" + query + "&current_fid=1", headers={"Host": "a"})
    place = "http://127.0.0.1/dev/ota/download/%d" % firmware.id
    assert reply.body.decode() == "target_fid=%d&download_url=%s&" % (firmware.id, place)
    assert fresh.request("GET", "/dev/ota/download/%d" % firmware.id).body == IMAGE


def test_firmware_is_signed_when_there_is_a_key(fresh):
    make_key_once(fresh)
    firmware = add(fresh)
    reply = fresh.request("GET", "/dev/ota/v4.1/download/%d" % firmware.id)
    sha256 = hashlib.sha256(IMAGE).hexdigest()
    message = signed_message(PRODUCT_KEY, KIND_MCU, HARD, NEW, len(IMAGE), sha256)
    assert Crypto().is_signed(reply.headers["Firmware-Key"], reply.headers["Firmware-Signature"], message)
    assert not Crypto().is_signed(reply.headers["Firmware-Key"], reply.headers["Firmware-Signature"], message + b"x")
    mode = os.stat(fresh.cloud.settings.data_dir / "firmware-signing.key").st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_devices_on_line_are_told_once_and_what_they_say_of_it_is_kept(fresh):
    firmware = add(fresh)
    did = fresh.register("AA0000000111")
    check(fresh, did)
    with mqtt_device(fresh, did) as device:
        device.subscribe("ser2cli_res/" + did)
        set_test(fresh.cloud.store, firmware.id, did)
        topic, payload = next_notice(device)
        assert topic == "ser2cli_res/" + did
        assert payload == b"\0\0\0\x03\x02\x11\x02\x00\x16" + did.encode()
        assert check(fresh, did).status == 200
        progress = build_progress(40, KIND_MCU, HARD, NEW, "installing")
        device.publish(encode_service(SERVICE_OTA_PROGRESS, progress), "cli2ser_req")
        upgrades = fresh.cloud.store.upgrades
        wait_until(lambda: upgrades.get(did, firmware.id).percent == 40)
        assert upgrades.get(did, firmware.id).state == "under way"
        failed = build_progress(40, KIND_MCU, HARD, NEW, "failed: no room")
        device.publish(encode_service(SERVICE_OTA_PROGRESS, failed), "cli2ser_req")
        wait_until(lambda: upgrades.get(did, firmware.id).state == "failed")
        assert upgrades.get(did, firmware.id).detail == "failed: no room"


def next_notice(device):
    """The first message that is no app count."""
    while True:
        topic, payload = device.heard.get(timeout=PATIENCE_S)
        if payload[4:6] != b"\x02\x10":
            return topic, payload


def test_a_device_is_told_again_only_after_a_day(fresh):
    firmware = add(fresh)
    upgrades = fresh.cloud.store.upgrades
    told = [upgrades.may_notice("d" * 22, firmware.id, at, 86400.0) for at in (0.0, 1.0, 86399.0, 86401.0, 86402.0)]
    assert told == [True, False, False, True, False]
    upgrades.put("d" * 22, firmware.id, "done", 100, "", 0.0)
    assert not upgrades.may_notice("d" * 22, firmware.id, 1e9, 86400.0)


class Line:
    """Devices on line, and what they are sent."""

    def __init__(self, dids):
        self.dids = set(dids)
        self.sent = []

    def online(self, dids):
        return self.dids & set(dids)

    def send_service(self, did, payload):
        self.sent.append(did)


def test_of_two_workers_one_tells_a_device(fresh):
    firmware, _ = verified(fresh, "AA0000000120")
    store = fresh.cloud.store
    dids = [fresh.register("AA00000012%02X" % n) for n in range(0x21, 0x49)]
    for did in dids:
        check(fresh, did)
    add_rule(store, PushRule(firmware.id, 0.0))
    line, together = Line(dids), threading.Barrier(2)

    def work():
        service = OtaService(store, line)
        together.wait(PATIENCE_S)
        service.look(time.time())

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE_S)
    assert sorted(line.sent) == sorted(dids)


def test_a_device_that_has_just_asked_is_not_told_in_the_middle_of_its_download(fresh):
    firmware = add(fresh)
    did = fresh.register("AA0000000150")
    set_test(fresh.cloud.store, firmware.id, did)
    assert check(fresh, did).status == 200
    line = Line([did])
    service = OtaService(fresh.cloud.store, line)
    service.look(time.time())
    assert line.sent == []
    service.look(time.time() + 86401)
    assert line.sent == [did]
    # The operator may want it sooner.
    set_test(fresh.cloud.store, firmware.id, did)
    service.look(time.time())
    assert line.sent == [did, did]


def test_a_device_is_told_of_the_newest_only_and_older_ones_are_no_more_to_come(fresh):
    store = fresh.cloud.store
    older, _ = verified(fresh, "AA0000000156")
    newer, _ = verified(fresh, "AA0000000157", soft="00000003")
    did = fresh.register("AA0000000158")
    add_rule(store, PushRule(older.id, 0.0))
    assert check(fresh, did).status == 200
    add_rule(store, PushRule(newer.id, 0.0))
    line = Line([did])
    OtaService(store, line).look(time.time())
    assert line.sent == [did]
    check(fresh, did, soft="00000003")
    assert store.upgrades.get(did, older.id) is None
    assert store.upgrades.get(did, newer.id).state == "done"


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ({"soft": NEW}, "no newer"),
        ({"soft": "00000003"}, "no newer"),
        ({"soft": "0/000001"}, "another series"),
        ({"hard": "00000009"}, "has hardware 00000009"),
    ],
    ids=["same", "newer", "series", "hardware"],
)
def test_a_trial_on_a_device_that_would_not_take_it_is_refused_in_words(fresh, runs, words):
    firmware = add(fresh, soft=NEW)
    did = fresh.register("AA0000000151")
    check(fresh, did, **runs)
    with pytest.raises(OtaError, match=words):
        set_test(fresh.cloud.store, firmware.id, did)


def test_a_device_that_was_reset_is_offered_nothing_and_nobody_waits_for_it(fresh):
    firmware = add(fresh)
    did = fresh.register("AA0000000152")
    set_test(fresh.cloud.store, firmware.id, did)
    assert check(fresh, did).status == 200
    assert fresh.request("DELETE", "/dev/devices", "did=%s&passcode=%s" % (did, PASSCODE)).status == 200
    assert fresh.cloud.store.upgrades.results(firmware.id) == []
    assert check(fresh, did).code == 9023
    with pytest.raises(OtaError, match="one in use"):
        set_test(fresh.cloud.store, firmware.id, did)


def test_the_newest_is_the_greatest_as_ascii_whatever_the_database_thinks_of_letters(fresh):
    for soft in ("0000000B", "0000000a", "00000009"):
        add(fresh, soft=soft)
    found = fresh.cloud.store.firmware.of(PRODUCT_KEY, KIND_MCU, HARD)
    assert [firmware.soft_version for firmware in found] == ["0000000a", "0000000B", "00000009"]


def test_an_mcu_that_asks_on_behalf_of_another_is_offered_what_is_pushed_to_all(fresh):
    firmware, _ = verified(fresh, "AA0000000153")
    query = "?product_key=%s&type=2&hard_version=%s&soft_version=%s" % (PRODUCT_KEY, HARD, OLD)
    assert fresh.request("GET", "/dev/ota/v4.1/latest" + query).code == 9500
    rule = add_rule(fresh.cloud.store, PushRule(firmware.id, 0.0, macs=("aabb",)))
    assert fresh.request("GET", "/dev/ota/v4.1/latest" + query).code == 9500
    add_rule(fresh.cloud.store, PushRule(firmware.id, 0.0))
    reply = fresh.request("GET", "/dev/ota/v4.1/latest" + query)
    assert reply.body.startswith(b"soft_ver=00000002&download_url=http://127.0.0.1:")
    assert reply.body.endswith(b"/dev/ota/v4.1/download/%d\r\n" % rule.firmware_id)


def test_progress_is_that_of_the_kind_that_has_these_versions(fresh):
    mcu, module = add(fresh), add(fresh, kind="module")
    did = fresh.register("AA0000000154")
    upgrades = fresh.cloud.store.upgrades
    for at, firmware in enumerate((mcu, module)):
        upgrades.put(did, firmware.id, "offered", 0, "", float(at))
    service = OtaService(fresh.cloud.store, Line([]))
    service.progress(did, build_progress(40, KIND_MCU, HARD, NEW, "installing"))
    service.progress(did, build_progress(70, KIND_MODULE, HARD, NEW, "installing"))
    assert (upgrades.get(did, mcu.id).percent, upgrades.get(did, module.id).percent) == (40, 70)
    # Of other hardware, or of no firmware of ours.
    service.progress(did, build_progress(90, KIND_MCU, "00000009", NEW, "installing"))
    service.progress(did, build_progress(90, KIND_MCU, HARD, "00000007", "installing"))
    assert (upgrades.get(did, mcu.id).percent, upgrades.get(did, module.id).percent) == (40, 70)


@pytest.mark.parametrize("body", [b"", b"\0\2\0\0", b"\0\2\0\1\5", b"\0\2\0\5\5\0\1A\0", b"\0\2\0\4\5\0\1A"])
def test_progress_that_is_cut_is_refused(body):
    with pytest.raises(RemoteError):
        parse_progress(body)


def test_what_a_device_says_is_one_printable_line():
    body = build_progress(200, KIND_MCU, "a\nINFO", "b", "line\r\nforged \x1b[31m" + "x" * 500)
    told = parse_progress(body)
    assert (told.percent, told.versions) == (100, "a.INFO,b")
    assert told.text.startswith("line..forged .[31m")
    assert len(told.text) == 100


def test_a_version_that_comes_over_mqtt_is_a_result_too(fresh):
    firmware = add(fresh, kind="module")
    did = fresh.register("AA0000000155")
    set_test(fresh.cloud.store, firmware.id, did)
    assert check(fresh, did, kind="1").status == 200
    with mqtt_device(fresh, did) as device:
        text = ("%s,%s" % (HARD, NEW)).encode()
        data = len(text).to_bytes(2, "big") + text
        device.publish(encode_service(0x021C, b"\0\2" + len(data).to_bytes(2, "big") + data), "cli2ser_req")
        wait_until(lambda: fresh.cloud.store.firmware.get(firmware.id).verified_at)
    assert fresh.cloud.store.upgrades.get(did, firmware.id).state == "done"


# Rules, as functions on data.

FIRMWARE = Firmware(PRODUCT_KEY, KIND_MODULE, HARD, NEW, "a.bin", 1, "", "", "", "", 0.0, "", 1.0, 7)
ASKER = Asker("d" * 22, "aabb", OLD)


@pytest.mark.parametrize(
    ("rule", "now", "minute", "expected"),
    [
        (PushRule(7, 0.0), 1.0, 0, True),
        (PushRule(7, 2.0), 1.0, 0, False),
        (PushRule(7, 0.0, ends_at=1.0), 1.0, 0, False),
        (PushRule(7, 0.0, from_versions=(OLD,)), 1.0, 0, True),
        (PushRule(7, 0.0, from_versions=("00000000",)), 1.0, 0, False),
        (PushRule(7, 0.0, macs=("aabb",)), 1.0, 0, True),
        (PushRule(7, 0.0, macs=("aacc",)), 1.0, 0, False),
        (PushRule(7, 0.0, from_minute=120, to_minute=300), 1.0, 119, False),
        (PushRule(7, 0.0, from_minute=120, to_minute=300), 1.0, 120, True),
        (PushRule(7, 0.0, from_minute=120, to_minute=300), 1.0, 300, False),
        (PushRule(7, 0.0, from_minute=1320, to_minute=60), 1.0, 1439, True),
        (PushRule(7, 0.0, from_minute=1320, to_minute=60), 1.0, 30, True),
        (PushRule(7, 0.0, from_minute=1320, to_minute=60), 1.0, 61, False),
        (PushRule(7, 0.0, is_running=False), 1.0, 0, False),
    ],
)
def test_a_rule_covers_by_version_address_date_and_hour(rule, now, minute, expected):
    assert covers(rule, ASKER, now, minute) is expected
    assert (choose([FIRMWARE], {7: [rule]}, ASKER, now, minute) is not None) is expected


@pytest.mark.parametrize("percent", [1, 10, 50, 90, 100])
def test_a_percentage_takes_in_about_so_many_and_those_for_good(percent):
    dids = ["device%016d" % n for n in range(2000)]
    within = {did for did in dids if share(3, did) < percent}
    assert abs(len(within) / len(dids) * 100 - percent) < 4
    assert within <= {did for did in dids if share(3, did) < min(percent + 10, 100)}


# The command.


@pytest.fixture
def data(tmp_path, capsys):
    """The directory of a cloud with one product, for the command."""
    import json

    folder = str(tmp_path / "cloud")
    definition = tmp_path / "lamp.json"
    definition.write_text(json.dumps(LAMP))
    assert main(["product", "add", str(definition), "--secret", PRODUCT_SECRET, "--data", folder]) == 0
    (tmp_path / "pump.bin").write_bytes(IMAGE)
    capsys.readouterr()
    return folder


def ota(data, capsys, *words):
    """(exit status, stdout, stderr) of `localcloud ota`."""
    status = main(["ota", words[0], "--data", data, *words[1:]])
    out = capsys.readouterr()
    return status, out.out, out.err


def added(data, tmp_path, **changes):
    given = {"--product": PRODUCT_KEY, "--kind": "mcu", "--hard": HARD, "--soft": NEW, **changes}
    return ["add", str(tmp_path / "pump.bin"), *[word for pair in given.items() for word in pair]]


def test_the_command_goes_the_way_of_an_image(data, capsys, tmp_path):
    public = ota(data, capsys, "keygen")[1]
    assert ota(data, capsys, "key")[1] == public and len(public.strip()) == 64
    assert ota(data, capsys, *added(data, tmp_path))[:2] == (0, "1\n")
    assert "unsigned" not in ota(data, capsys, "list")[1]
    status, _, said = ota(data, capsys, "push", "1")
    assert status == 1 and "localcloud ota verify 1 DID" in said
    assert "expected one in use, of product" in ota(data, capsys, "verify", "1", "nobody")[2]
    assert "nobody was told" in ota(data, capsys, "status", "1")[1]
    assert next(csv.reader(io.StringIO(ota(data, capsys, "export", "1")[1])))[:3] == ["did", "mac", "state"]
    assert ota(data, capsys, "export", "9")[0] == ota(data, capsys, "status", "9")[0] == 1
    assert ota(data, capsys, "remove", "1")[0] == 0 and ota(data, capsys, "list")[1] == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--soft": "2"}, "expected 8 printable characters"),
        ({"--hard": "0000 001"}, "expected 8 printable characters"),
        ({"--product": "f" * 32}, "is not known"),
    ],
)
def test_an_image_that_cannot_be_offered_is_refused_in_words(data, capsys, tmp_path, changes, words):
    status, _, said = ota(data, capsys, *added(data, tmp_path, **changes))
    assert status == 1 and words in said


def test_an_image_is_not_added_twice_and_a_second_key_is_refused(data, capsys, tmp_path):
    ota(data, capsys, *added(data, tmp_path))
    assert "already" in ota(data, capsys, *added(data, tmp_path))[2]
    ota(data, capsys, "keygen")
    assert "already" in ota(data, capsys, "keygen")[2]


FULL_DISK = """
import pathlib, resource, signal, sys
from localcloud.ota_signing import SigningError, make_key
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    make_key(pathlib.Path(sys.argv[1]))
except SigningError as error:
    print(error)
"""


def test_a_key_that_cannot_be_written_whole_is_not_left_in_the_way(tmp_path):
    run = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=True)
    assert "File too large" in run.stdout
    assert list(tmp_path.iterdir()) == []
    assert len(make_key(tmp_path).public) == 64


@pytest.mark.parametrize(
    "words", [["--window", "2-5"], ["--until", "tomorrow"], ["--macs", "/nowhere"]], ids=["window", "date", "addresses"]
)
def test_a_rule_that_cannot_be_read_is_refused_in_words(data, capsys, tmp_path, words):
    ota(data, capsys, *added(data, tmp_path))
    status, _, said = ota(data, capsys, "push", "1", *words)
    assert status == 1 and words[1] in said
