"""Faults that the reference agent was found to have, and ours must not: those that the core alone can show.

The numbers, and where the others are tested: `tests/linux/test_reference_faults.py`.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit.module_driver import DID, ModuleDriver

from gagent import wire
from gagent.effects import Notice
from mcu_proto.const import CMD_P0_DOWN
from mcu_proto.frame import FrameDecoder, encode_frame
from mcu_proto.link import Acked, McuLink, SendSerial

APP = "app2dev/%s/appclient01" % DID
REPORT = bytes.fromhex("04 00000010000000")


def online():
    return ModuleDriver().go_online()


def is_alive(driver, sn=77):
    """A report crosses and is acked, and a control reaches the MCU."""
    driver.mcu_says(5, sn, REPORT)
    if [payload[-len(REPORT) :] for _, payload in driver.published()] != [REPORT]:
        return False
    if (6, sn) not in [(frame.cmd, frame.sn) for frame in driver.sent_frames()]:
        return False
    driver.do("receive_publish", APP, wire.encode(wire.CLOUD_CONTROL, b"\x01\x0f", 9))
    return [(f.cmd, f.payload) for f in driver.sent_frames()] == [(CMD_P0_DOWN, b"\x01\x0f")]


def test_fault_2_an_envelope_cut_anywhere_never_reaches_the_mcu():
    whole = wire.encode(wire.CLOUD_CONTROL, bytes(300), 5)
    for size in range(len(whole)):
        driver = online()
        driver.do("receive_publish", APP, whole[:size])
        assert driver.sent_frames() == []
    driver.do("receive_publish", APP, whole)
    assert len(driver.sent_frames()) == 1


def test_fault_3_eighty_reports_in_one_read_all_cross_in_order():
    driver = online()
    reports = [b"\x04" + bytes((n,)) * 24 for n in range(80)]
    driver.do("receive_serial", b"".join([encode_frame(5, n, p0) for n, p0 in enumerate(reports)]))
    assert [wire.decode(payload).p0 for _, payload in driver.published()] == reports
    assert [frame.sn for frame in driver.sent_frames() if frame.cmd == 6] == list(range(80))


@pytest.mark.parametrize(
    ("sn", "ack"),
    [
        (0xFF, "ffff 0005 06 ff55 0000 0a"),  # the sn
        (0xF4, "ffff 0005 06 f4 0000 ff55"),  # the checksum
    ],
)
def test_fault_6_acks_are_stuffed(sn, ack):
    driver = online()
    driver.mcu_says(5, sn, REPORT)
    assert bytes.fromhex(ack) in [effect.data for effect in driver.effects if isinstance(effect, SendSerial)]


@pytest.mark.parametrize("cmd", [0x25, 0x27])
def test_fault_7_the_ack_of_25_and_of_27_ends_their_repetition(cmd):
    link = McuLink()
    sent = FrameDecoder().feed(link.request(cmd, b"\x00", 0, "asked")[0].data)[0]
    outcome = link.receive_bytes(encode_frame(cmd + 1, sent.sn), 5)
    assert [item.token for item in outcome if isinstance(item, Acked)] == ["asked"]
    assert link.handle_timeout(10_000) == []


def test_fault_8_while_the_mcu_owes_an_ack_its_reports_cross_and_the_cloud_is_heard():
    driver = online()
    driver.do("receive_publish", APP, wire.encode(wire.CLOUD_CONTROL, b"\x01\x01", 1))
    assert [frame.cmd for frame in driver.sent_frames()] == [CMD_P0_DOWN]
    driver.mcu_says(5, 200, REPORT)
    assert [wire.decode(payload).p0 for _, payload in driver.published()] == [REPORT]
    driver.do("receive_publish", "ser2cli_res/" + DID, bytes.fromhex("0000000302100001"))
    assert driver.agent.snapshot()["app_count"] == 1


def test_fault_9_an_unknown_app_command_never_reaches_the_mcu():
    driver = online()
    for cmd in range(0x300):
        if cmd not in (wire.CLOUD_COMMAND, wire.CLOUD_CONTROL):
            driver.do("receive_publish", APP, wire.encode(cmd, b"\x01\x02\x03"))
            assert driver.sent_frames() == [] and driver.published() == []


def test_fault_10_frames_too_short_to_be_one_are_not_taken():
    driver = online()
    for length in range(5):
        body = bytes((0, length)) + b"\x05\x07\x00\x00"[: max(0, length - 1)]
        data = b"\xff\xff" + body + bytes((sum(body) & 0xFF,))
        driver.do("receive_serial", data)
        assert driver.published() == []
        assert 6 not in [frame.cmd for frame in driver.sent_frames()]
        assert is_alive(driver, sn=100 + length)
        driver.mcu_says(4, driver.sent_frames()[0].sn)


def test_fault_11_a_report_that_is_repeated_is_published_once_and_acked_each_time():
    driver = online()
    published, acks = 0, 0
    for _ in range(3):
        driver.mcu_says(5, 9, REPORT)
        published += len(driver.published())
        acks += len([frame for frame in driver.sent_frames() if (frame.cmd, frame.sn) == (6, 9)])
        driver.now += 200
    assert (published, acks) == (1, 3)


def test_fault_11_a_refusal_of_the_mcu_ends_the_repetition():
    driver = online()
    driver.do("receive_publish", APP, wire.encode(wire.CLOUD_CONTROL, b"\x01\x01", 1))
    driver.mcu_says(0x12, driver.sent_frames()[0].sn, b"\x02")
    assert CMD_P0_DOWN not in [
        frame.cmd for effect in driver.pass_time(5000) if isinstance(effect, SendSerial) for frame in decoded(effect)
    ]


def decoded(effect):
    return FrameDecoder().feed(effect.data)


@pytest.mark.parametrize("cmd", [0x05, 0x07, 0x09, 0x0B, 0x13, 0x15, 0x17, 0x21, 0x23, 0x25, 0x27, 0x29, 0x2B, 0x7F])
def test_fault_12_a_bad_checksum_is_called_one_whatever_the_command(cmd):
    driver = online()
    frame = bytearray(encode_frame(cmd, 8, b"\x01"))
    frame[-1] ^= 1
    driver.do("receive_serial", bytes(frame))
    assert [(f.cmd, f.sn, f.payload) for f in driver.sent_frames()] == [(0x11, 8, b"\x01")]


def test_fault_12_an_unknown_command_with_a_good_checksum_is_called_one():
    driver = online()
    driver.mcu_says(0x7F, 8, b"\x01")
    assert [(f.cmd, f.sn, f.payload) for f in driver.sent_frames()] == [(0x11, 8, b"\x02")]


def test_fault_13_a_clock_that_jumps_moves_no_deadline():
    driver = online()
    due = driver.agent.next_timeout()
    for utc in (1, 4_000_000_000, 1_700_000_000):
        assert driver.do("set_utc", utc) == []
        assert driver.agent.next_timeout() == due


@pytest.mark.parametrize(
    ("cmd", "payload"),
    [
        (0x1B, b"\x00\x70" + b"a" * 112 + bytes(8)),
        (0x1B, b"\xff\xff"),
        (0x23, b"\x03" + b"http://" + b"a" * 890),
        (0x19, bytes(900)),
        (0x1D, bytes(900)),
        (0x53, b"\xff" * 900),
        (0x09, b""),
    ],
)
def test_a_payload_that_lies_about_its_length_harms_nothing(cmd, payload):
    driver = online()
    driver.mcu_says(cmd, 3, payload)
    assert all(len(str(e.detail)) < 250 for e in driver.effects if isinstance(e, Notice))
    assert is_alive(driver)


@pytest.mark.parametrize("length", [5000, 60000, 65535])
def test_a_frame_longer_than_any_costs_no_other(length):
    driver = online()
    driver.do("receive_serial", b"\xff\xff" + length.to_bytes(2, "big") + b"\x05\x01" + bytes(3000))
    assert is_alive(driver)


@given(st.text(max_size=400) | st.integers(0, 66_000).map(lambda n: "c" * n), st.binary(max_size=2000))
def test_a_topic_and_a_payload_of_any_length_and_content_harm_nothing(client, payload):
    driver = online()
    driver.do("receive_publish", "app2dev/%s/%s" % (DID, client), payload)
    for frame in driver.sent_frames():  # it happened to be a good control
        driver.mcu_says(4, frame.sn)
        assert len(driver.published()) <= 1
    assert is_alive(driver)


@given(st.binary(max_size=40), st.integers(0, 2**32))
def test_an_envelope_whose_length_lies_never_reaches_the_mcu(p0, length):
    driver = online()
    good = wire.encode(wire.CLOUD_COMMAND, p0)
    lie = good[:4] + _varint(length) + good[5:]
    driver.do("receive_publish", APP, lie)
    assert [frame.payload for frame in driver.sent_frames()] in ([], [p0])
    assert lie == good or driver.sent_frames() == []


def _varint(n):
    out = b""
    while n > 127:
        out += bytes((n & 127 | 128,))
        n >>= 7
    return out + bytes((n,))
