"""What devices ask the service, without a broker: each command as the manual draws it."""

import asyncio

import pytest
from localcloud.service import Service, parse_versions

from mcu_proto.errors import RemoteError

DID = "WCWGkbS4Ttynzwx9brzpEa"
# Computed and self-decoded: the worked vectors of the cloud manual, device side, 19 to 22.
ASK_COUNT = bytes.fromhex("00000003020f")
RESET = bytes.fromhex("00000003021e0000")
VERSION = bytes.fromhex("00000003021c00020013001130304553503832362c3034303230303230")
PROGRESS = bytes.fromhex("00000003022c0002002132001130304553503832362c3034303230303231000b646f776e6c6f6164696e67")


class Cloud:
    """What the service does to a cloud."""

    def __init__(self):
        self.done = []
        self.service = Service(
            lambda did, payload: self.done.append(("send", did, payload)),
            lambda did: self.done.append(("count", did)),
            lambda did, columns: self.done.append(("learn", did, columns)),
            self._reset,
            lambda did, body: self.done.append(("progress", did, body)),
        )

    async def _reset(self, did):
        self.done.append(("reset", did))

    def receive(self, payload):
        asyncio.run(self.service.receive(DID, payload))
        return self.done


def test_the_app_count_is_pushed_to_who_asks():
    assert Cloud().receive(ASK_COUNT) == [("count", DID)]


def test_a_reset_takes_the_device_back():
    assert Cloud().receive(RESET) == [("reset", DID)]


def test_progress_is_passed_on():
    assert Cloud().receive(PROGRESS) == [("progress", DID, PROGRESS[6:])]


def test_a_version_report_is_kept_and_answered_with_the_same():
    versions = {"wifi_hard_version": "00ESP826", "wifi_soft_version": "04020020"}
    answer = VERSION[:5] + b"\x1d" + VERSION[6:]
    assert Cloud().receive(VERSION) == [("learn", DID, versions), ("send", DID, answer)]


def test_the_oldest_ota_check_is_told_that_there_is_nothing():
    assert Cloud().receive(bytes.fromhex("000000030205")) == [("send", DID, bytes.fromhex("000000030206" + "00" * 8))]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x00\x00\x00\x03", b"garbage", VERSION[:-1], VERSION + b"x", bytes.fromhex("000000030fff00")],
    ids=["nothing", "no command", "garbage", "cut", "padded", "unknown command"],
)
def test_garbage_changes_nothing_and_is_not_answered(payload):
    assert Cloud().receive(payload) == []


def test_each_flag_has_its_text():
    body = bytes.fromhex("00070017" + "0003" + b"sub".hex() + "0005" + b"h1,s1".hex() + "0009" + b"hard2,so2".hex())
    assert parse_versions(body) == {
        "wifi_hard_version": "h1",
        "wifi_soft_version": "s1",
        "mcu_hard_version": "hard2",
        "mcu_soft_version": "so2",
    }


@pytest.mark.parametrize("text", ["", ",", "a,", ",b", "h" * 33 + ",s"])
def test_a_version_without_both_halves_is_refused(text):
    data = len(text).to_bytes(2, "big") + text.encode()
    with pytest.raises(RemoteError):
        parse_versions(b"\x00\x02" + len(data).to_bytes(2, "big") + data)
