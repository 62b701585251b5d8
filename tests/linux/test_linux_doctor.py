"""`gagent doctor`: each layer that can fail is named, with its fix, and what stands on it is left out."""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import termios
import time

import pytest
from gagent_linux import cloud_checks, doctor
from gagent_linux.line_checks import LineChecks
from gagent_linux.settings import PortSettings, Settings
from testkit import mqtt_script as script
from testkit.broker_stub import BrokerStub
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.gagent_running import gagent, gagent_running
from testkit.heard import in_loop
from testkit.mcu_on_pty import McuOnPty
from testkit.pty_pair import PtyPair
from testkit.raw_server import http_answer, read_request, serving
from testkit.repository import ROOT

from mcu_proto.const import CMD_GET_INFO, CMD_P0_UP, ack_of
from mcu_proto.frame import encode_frame

PRODUCT = ROOT / "tools" / "demo" / "heatpump.json"
KEY = json.loads(PRODUCT.read_text())["product_key"]
MAC = "A0B1C2D3E4F5"
DID = did_of(MAC)
RECORD = {"mac": MAC, "product_key": KEY, "did": DID, "passcode": "ABCDEFGHIJ", "old_did": "", "old_passcode": ""}
LINE = ["node", "permission", "busy", "baud", "silence", "checksum", "handshake"]
NOBODY = "http://127.0.0.1:1"


def layers(text, word):
    return [line[6:18].strip() for line in text.splitlines() if line.startswith(word)]


def failure(text):
    """(layer, the line, its fix) of the first failure."""
    lines = text.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("FAIL"))
    return layers(text, "FAIL")[0], lines[at], lines[at + 1]


@contextlib.asynccontextmanager
async def cloud(server_ts=None):
    """A cloud whose clock is right."""
    async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
        stamp = int(time.time()) if server_ts is None else server_ts
        body = b"host=127.0.0.1&port=%d&server_ts=%d&" % (broker.port, stamp)
        api.broken = http_answer("200 OK", body)
        api.broker = broker
        yield api


def with_identity(folder):
    (folder / "state").mkdir()
    (folder / "state" / "pump.json").write_text(json.dumps({"version": 1, "identity": RECORD}))
    return "--name", "pump", "--state", folder / "state"


def test_when_all_works_every_layer_is_ok(tmp_path):
    async def run():
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        async with cloud() as api:
            where = ("--port", mcu.path, "--api", api.url, *with_identity(tmp_path))
            result = await gagent("doctor", *where, "--definition", PRODUCT)
            assert result.returncode == 0, result
            reached = ["DNS", "TCP", "TLS"]
            expected = [*LINE, "definition", *reached, "HTTP answer", "clock", *reached, "login", "topic rights"]
            assert layers(result.stdout, "ok") == expected
            assert KEY in result.stdout
            assert RECORD["passcode"] not in result.stdout + result.stderr
            assert api.broker.published[-1] == (DID, b"goodbye")
            assert [request[:2] for request in api.asked] == [("GET", "/dev/devices/" + DID)]

    in_loop(run())


def test_without_an_identity_nothing_is_registered(tmp_path):
    async def run():
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        async with cloud() as api:
            result = await gagent("doctor", "--port", mcu.path, "--api", api.url, "--state", tmp_path / "state")
            assert result.returncode == 0, result
            assert "there is no identity yet" in result.stdout
            assert [method for method, _, _ in api.asked] == ["GET"]
            assert not (tmp_path / "state").exists()

    in_loop(run())


# The line. Each MCU is a function: what it was sent -> what it answers.


def silent(data):
    return b""


def deaf_but_loud(data):
    return encode_frame(CMD_P0_UP, 1, b"\x04\x01")


def damaged(data):
    frame = bytearray(encode_frame(ack_of(CMD_GET_INFO), 0, bytes(74)))
    frame[-1] ^= 1
    return bytes(frame)


def noisy(data):
    return bytes(range(0x20, 0x40))


def short(data):
    return encode_frame(ack_of(CMD_GET_INFO), 0, b"short")


def echo(data):
    return data


LINE_FAULTS = [
    (silent, "silence", "not one byte came", "TX to RX"),
    (echo, "silence", "only our own bytes came back", "part them"),
    (noisy, "baud", "32 bytes came and no frame", "common ground"),
    (damaged, "checksum", "not one with a good checksum", "noise"),
    (deaf_but_loud, "handshake", "P0 from MCU", "RX of the MCU"),
    (short, "handshake", "step 1, device info: device info of 5 bytes", "firmware"),
]


@pytest.mark.parametrize(("mcu", "layer", "seen", "fix"), LINE_FAULTS, ids=[row[0].__name__ for row in LINE_FAULTS])
def test_what_the_line_brings_names_its_layer(tmp_path, mcu, layer, seen, fix):
    # Without a frame nothing can be said of speed and sound.
    below = LINE[:6] if layer == "handshake" else LINE[:3]

    async def run():
        pty = PtyPair(tmp_path)
        pty.plug_in()
        answered = []

        def answer(data):
            if data and (mcu is not noisy or not answered):
                answered.append(data)
                pty.write(mcu(data))

        pty.watch(answer)
        result = await gagent("doctor", "--port", pty.path, "--api", NOBODY, "--state", tmp_path / "state")
        pty.unwatch()
        assert result.returncode == 1
        found, line, advice = failure(result.stdout)
        assert found == layer
        assert seen in line
        assert fix in advice
        # What stands on it is left out, and the cloud is looked at all the same.
        assert layers(result.stdout, "ok") == [*below, "DNS"]
        assert layers(result.stdout, "FAIL") == [layer, "TCP"]

    in_loop(run())


def test_the_speed_at_which_an_mcu_answers_is_found(tmp_path):
    async def run():
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        receive = mcu._receive

        def at_its_speed(data):
            speed = termios.tcgetattr(mcu._pty._master)[5]
            if speed == termios.B38400:
                receive(data)
            else:
                mcu.write(b"\x80\x00\xf8")

        mcu._pty.watch(at_its_speed)
        result = await gagent("doctor", "--port", mcu.path, "--api", NOBODY, "--state", tmp_path / "state")
        layer, line, fix = failure(result.stdout)
        assert layer == "baud"
        assert "talks at 38400, not at 9600" in line
        assert "set baud = 38400" in fix

    in_loop(run())


def test_a_node_that_is_missing_is_named(tmp_path):
    findings = list(LineChecks(PortSettings("x", str(tmp_path / "nosuch"))).run())
    assert [finding.layer for finding in findings] == ["node"]
    assert "nosuch does not exist" in findings[0].seen
    assert findings[0].fix.startswith("plug the adapter in")


def test_a_file_that_is_no_serial_port_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    findings = list(LineChecks(PortSettings("x", str(tmp_path / "file"))).run())
    assert (findings[-1].layer, findings[-1].is_good()) == ("node", False)
    assert "not a serial port" in findings[-1].seen


def test_a_port_that_this_user_may_not_open_is_named(tmp_path):
    master, slave = os.openpty()
    path = os.ttyname(slave)
    os.chmod(path, 0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may open everything
    try:
        findings = list(LineChecks(PortSettings("x", path)).run())
    finally:
        os.seteuid(user)
        os.close(master)
        os.close(slave)
    assert [(finding.layer, finding.is_good()) for finding in findings] == [("node", True), ("permission", False)]
    assert "usermod -aG" in findings[1].fix


@pytest.mark.parametrize("is_locked", [True, False])
def test_a_port_that_another_program_has_open_is_named_with_it(tmp_path, is_locked):
    async def run():
        pty = PtyPair(tmp_path)
        pty.plug_in()
        other = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
        if is_locked:
            fcntl.flock(other, fcntl.LOCK_EX)
        result = await gagent("doctor", "--port", pty.path, "--api", NOBODY, "--state", tmp_path / "state")
        os.close(other)
        layer, line, fix = failure(result.stdout)
        assert layer == "busy"
        assert "(pid %d)" % os.getpid() in line
        assert "stop it" in fix

    in_loop(run())


def test_a_definition_of_another_product_is_named(tmp_path):
    async def run():
        other = json.loads(PRODUCT.read_text())
        other["product_key"] = "0" * 32
        (tmp_path / "other.json").write_text(json.dumps(other))
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        where = ("--port", mcu.path, "--api", NOBODY, "--state", tmp_path / "state")
        result = await gagent("doctor", *where, "--definition", tmp_path / "other.json")
        layer, line, _ = failure(result.stdout)
        assert layer == "definition"
        assert "of product key %s, the MCU is of %s" % ("0" * 32, KEY) in line

    in_loop(run())


# The cloud.


async def cloud_failure(folder, api, record=RECORD):
    """(layers that are ok, the finding that ended it)."""
    settings = Settings((), str(folder), api)
    checks = cloud_checks.CloudChecks(settings, record)
    findings = await all_findings(checks)
    assert not findings[-1].is_good(), findings
    return [finding.layer for finding in findings[:-1]], findings[-1]


async def all_findings(checks):
    return await asyncio.to_thread(lambda: list(checks.run(with_login=True)))


def test_a_name_that_does_not_resolve_is_named(tmp_path):
    before, finding = in_loop(cloud_failure(tmp_path, "http://gagent.invalid"))
    assert (before, finding.layer) == ([], "DNS")
    assert "gagent.invalid" in finding.seen
    assert "`api`" in finding.fix


def test_a_cloud_that_nobody_serves_is_named(tmp_path):
    before, finding = in_loop(cloud_failure(tmp_path, NOBODY))
    assert (before, finding.layer) == (["DNS"], "TCP")
    assert "Connection refused" in finding.seen


def test_a_server_without_tls_is_named(tmp_path):
    async def run():
        async def talk(reader, writer):
            writer.write(http_answer("400 Bad Request", b""))
            await reader.read()

        async with serving(talk) as port:
            return await cloud_failure(tmp_path, "https://127.0.0.1:%d" % port)

    before, finding = in_loop(run())
    assert (before, finding.layer) == (["DNS", "TCP"], "TLS")
    assert finding.fix


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"", "closed the connection without an answer"),
        (http_answer("404 Not Found", b'{"error_code": 9014}'), "HTTP 404"),
        (http_answer("200 OK", b"<html>welcome</html>"), "host and port expected"),
    ],
)
def test_an_answer_that_is_not_the_device_api_s_is_named(tmp_path, answer, seen):
    async def run():
        async def talk(reader, writer):
            await read_request(reader)
            writer.write(answer)

        async with serving(talk) as port:
            return await cloud_failure(tmp_path, "http://127.0.0.1:%d" % port)

    before, finding = in_loop(run())
    assert (before, finding.layer) == (["DNS", "TCP", "TLS"], "HTTP answer")
    assert seen in finding.seen


def test_a_broker_that_refuses_the_login_is_named(tmp_path):
    async def run():
        async with cloud() as api:
            api.broker.refuse = 4
            return await cloud_failure(tmp_path, api.url)

    before, finding = in_loop(run())
    assert (before[-1], finding.layer) == ("TLS", "login")
    assert "did or passcode are wrong" in finding.seen


def test_a_topic_that_the_broker_refuses_is_named(tmp_path):
    async def run():
        async def talk(reader, writer):
            await script.read_packet(reader)
            writer.write(script.connack())
            for granted in (0, 0, 0x80):
                _, body = await script.read_packet(reader)
                writer.write(script.suback(body, granted))
            await reader.read()

        async with serving(talk) as port, cloud() as api:
            api.broken = http_answer("200 OK", b"host=127.0.0.1&port=%d&server_ts=%d&" % (port, time.time()))
            return await cloud_failure(tmp_path, api.url)

    before, finding = in_loop(run())
    assert (before[-1], finding.layer) == ("login", "topic rights")
    assert finding.seen == "refused: app2dev/%s/#" % DID


def test_a_broker_that_is_none_is_named(tmp_path):
    async def run():
        async def talk(reader, writer):
            writer.write(b"220 mail.example ESMTP\r\n")

        async with serving(talk) as port, cloud() as api:
            api.broken = http_answer("200 OK", b"host=127.0.0.1&port=%d&server_ts=%d&" % (port, time.time()))
            return await cloud_failure(tmp_path, api.url)

    _, finding = in_loop(run())
    assert finding.layer == "login"


def test_a_clock_that_is_wrong_is_named_and_ends_nothing(tmp_path):
    async def run():
        async with cloud(server_ts=int(time.time()) + 3600) as api:
            return await all_findings(cloud_checks.CloudChecks(Settings((), str(tmp_path), api.url), RECORD))

    findings = in_loop(run())
    (wrong,) = [finding for finding in findings if not finding.is_good()]
    assert wrong.layer == "clock"
    # Less by what the check took.
    assert 3500 < int(re.search(r"the cloud \+(\d+) s from that", wrong.seen)[1]) <= 3600
    assert "set-ntp" in wrong.fix
    assert findings[-1].layer == "topic rights"


# Beside a running agent.


def test_a_port_that_a_running_gagent_serves_is_asked_for_and_not_touched(tmp_path):
    async def run():
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        async with cloud() as api:
            where = ("--port", mcu.path, "--api", api.url, *with_identity(tmp_path))
            with gagent_running(tmp_path, *where) as process:
                await process.says("online, did")
                result = await gagent("doctor", *where)
                assert "gagent, process %d has it open" % process.pid in result.stdout
                assert "on line for" in result.stdout
                assert layers(result.stdout, "FAIL") == []
                assert api.broker.logins == {DID: 1}
                mcu.power_off()
                await process.says("is gone")
                layer, line, fix = failure((await gagent("doctor", *where)).stdout)
                assert layer == "node"
                assert "does not exist" in line
                assert "plug the adapter in" in fix

    in_loop(run())


def test_a_damaged_identity_is_named(tmp_path):
    with_identity(tmp_path)
    (tmp_path / "state" / "pump.json").write_text("{")
    settings = Settings((), str(tmp_path / "state"), NOBODY)
    findings = list(doctor.examine(settings, PortSettings("pump", str(tmp_path / "nosuch"))))
    assert findings[-1].layer == "identity"
    assert "is damaged" in findings[-1].seen
