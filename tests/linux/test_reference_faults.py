"""Faults that the reference agent was found to have by running it, and ours must not: with the real parts around it.

Those named after a fault are here and, where the core alone can show it, in `tests/agent/test_agent_faults.py`, below
"core". Fault by fault, with the tests elsewhere that hold it too:

 1  standard input: here; test_linux_process.py::test_it_runs_without_stdin_and_stops_in_good_order
 2  one read, one message: here and core; test_linux_uplink.py::test_packets_that_come_in_one_piece_are_all_taken,
    ...that_come_byte_by_byte_are_put_together, ...test_a_message_of_any_size_arrives_whole (over 1,024 bytes);
    test_linux_http_client.py::test_an_answer_is_taken_however_it_is_framed
 3  bursts: here (both links) and core; test_linux_uplink.py::test_messages_that_come_together_all_arrive_in_order
 6  acks not stuffed: core                  7  acks 26 and 28 not recognised: core
 8  waiting stops everything: here and core; test_linux_tls.py (the handshake), test_linux_process.py::
    test_it_stops_while_the_cloud_keeps_it_waiting
 9  unknown app commands: core; test_agent.py::test_messages_we_do_not_serve_do_not_reach_the_mcu
10  short frames: core
11  no de-duplication: core; test_link.py::test_repeated_request_is_acked_again_and_not_delivered_again
12  wrong error code: core; test_link.py::test_bad_checksum_of_a_request_is_complained_of
13  wall clock: here and core
14  lost while offline: here; test_agent.py::test_report_is_handed_over_while_the_cloud_is_away
16  config mode spins: test_laws.py ("due again at once"); test_linux_runner.py::
    test_network_configuration_is_answered_at_once
18  exit is the recovery: here; test_agent.py::test_silent_mcu_is_asked_for_ever_..., test_linux_runner.py::
    test_a_restart_starts_the_agent_anew, test_linux_process.py::test_it_waits_for_a_port_that_is_not_there
memory errors: here and core; test_frame.py::test_length_at_the_maximum_is_accepted_and_one_more_is_not,
    test_device_api.py::test_provisioning_refused_or_garbled_is_an_error

15 firmware: test_linux_firmware_download.py::test_head_and_body_may_come_in_any_segments (of an image of 200 bytes)

4, 5, 17 concern the local network.
"""

import asyncio
import contextlib
import os
import sys
import time

import pytest
from gagent_linux.gateway import Gateway
from gagent_linux.http_client import HttpClient
from gagent_linux.settings import PortSettings, Settings
from mcu_debugger.mcu_events import TimeReceived
from testkit import mqtt_script as script
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.heard import Heard, LogText, in_loop, until
from testkit.mcu_on_pty import McuOnPty
from testkit.raw_server import http_answer, read_request, serving

from gagent import device_api, wire
from gagent.effects import HttpRequest
from gagent.errors import ConfigError
from mcu_proto.const import CMD_GET_TIME, STATUS_CLOUD
from mcu_proto.frame import encode_frame

MAC = "A0B1C2D3E4F5"
DID = did_of(MAC)
APP = "app2dev/%s/appclient01" % DID
ANSWERS = "dev2app/%s/appclient01" % DID


class Broker:
    """Accepts one device when it `may_log_in`; `published` has (topic, payload), `send` writes bytes to the device."""

    def __init__(self):
        self.published = []
        self.logins = 0
        self.may_log_in = asyncio.Event()
        self.may_log_in.set()
        self.send = None

    async def talk(self, reader, writer):
        kind, _ = await script.read_packet(reader)
        await self.may_log_in.wait()
        writer.write(script.connack())
        self.logins += 1
        self.send = writer.write
        while True:
            kind, body = await script.read_packet(reader)
            if kind == script.SUBSCRIBE:
                writer.write(script.suback(body))
            elif kind & 0xF0 == script.PUBLISH:
                at = 2 + int.from_bytes(body[:2], "big")
                topic = body[2:at].decode()
                if kind & 0x06:
                    writer.write(script.packet(script.PUBACK, body[at : at + 2]))
                    at += 2
                self.published.append((topic, body[at:]))

    def reports(self):
        """P0 of every report."""
        return [wire.decode(payload).p0 for topic, payload in self.published if topic == "dev2app/" + DID]


class Life:
    """One appliance, its agent in this loop, and a cloud."""

    def __init__(self, folder):
        self.folder = folder
        self.log = LogText(0)
        self.mcu = McuOnPty(folder)
        self.broker = Broker()

    @contextlib.asynccontextmanager
    async def lived(self):
        async with serving(self.broker.talk) as port, DeviceApiStub(port).running() as self.api:
            ports = (PortSettings("mcu", self.mcu.path, 9600, MAC),)
            settings = Settings(ports, str(self.folder / "state"), self.api.url)
            gateway = Gateway(settings, self.log.logger, self.log.redactor)
            gateway.start()
            self.mcu.power_on()
            try:
                yield
            finally:
                gateway.stop()
                self.mcu.power_off()

    async def online(self):
        simulator = self.mcu.simulator
        await until(lambda: simulator.status & STATUS_CLOUD, "the MCU is told of the cloud", self.log.getvalue)

    async def is_alive(self):
        """A control crosses to the MCU and its answer back."""
        sn = 1000 + len(self.broker.published)
        values = self.mcu.simulator.schema.encode_control({"power": True})
        self.broker.send(script.publish(APP, wire.encode(wire.CLOUD_CONTROL, values, sn)))
        await until(lambda: sn in self.answered(), "control %d is answered" % sn, self.log.getvalue)

    def answered(self):
        """The sn of every control that was answered, in order."""
        return [wire.decode(payload).sn for topic, payload in self.broker.published if topic == ANSWERS]


def scene(folder, play):
    async def run():
        life = Life(folder)
        async with life.lived():
            await play(life)

    in_loop(run())


def asleep(pid):
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's /proc: run it on Linux")
def test_fault_1_with_standard_input_on_dev_null_it_works_and_sleeps_cold_and_warm(tmp_path):
    async def run():
        broker = Broker()
        mcu = McuOnPty(tmp_path)
        async with serving(broker.talk) as port, DeviceApiStub(port).running() as api:
            mcu.power_on()
            for start in (1, 2):
                process = await the_agent("--port", mcu.path, "--api", api.url, "--state", str(tmp_path / "state"))
                try:
                    await until(lambda: broker.logins == start, "it is on line")  # noqa: B023
                    assert os.readlink("/proc/%d/fd/0" % process.pid) == "/dev/null"
                    # Not one look of many finds it at work.
                    await until(lambda: all(asleep(process.pid) for _ in range(200)), "it sleeps")  # noqa: B023
                finally:
                    process.kill()
                    await process.wait()

    in_loop(run())


async def the_agent(*flags):
    arguments = ("-m", "gagent_linux", "run", *flags)
    nothing = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=nothing, stderr=nothing)


def test_fault_2_and_3_fifty_controls_in_one_write_are_all_executed_and_answered_in_order(tmp_path):
    async def play(life):
        await life.online()
        p0 = [life.mcu.simulator.schema.encode_control({"target_temp": 20 + n / 2}) for n in range(50)]
        life.broker.send(
            b"".join([script.publish(APP, wire.encode(wire.CLOUD_CONTROL, x, n)) for n, x in enumerate(p0)])
        )
        await until(lambda: len(life.answered()) == 50, "all are answered", life.log.getvalue)
        assert life.answered() == list(range(50))

    scene(tmp_path, play)


def test_fault_3_eighty_reports_in_one_write_all_arrive_in_order(tmp_path):
    async def play(life):
        await life.online()
        before = len(life.broker.reports())
        reports = [b"\x04" + bytes((n,)) * 24 for n in range(80)]
        life.mcu.write(b"".join([encode_frame(5, n, p0) for n, p0 in enumerate(reports, 100)]))
        await until(lambda: len(life.broker.reports()) >= before + 80, "all arrive", life.log.getvalue)
        assert [p0 for p0 in life.broker.reports() if p0 in reports] == reports

    scene(tmp_path, play)


def test_fault_8_a_cloud_that_never_answers_does_not_keep_the_mcu_waiting(tmp_path):
    async def run():
        asked = asyncio.Event()

        async def talk(reader, writer):
            await read_request(reader)
            asked.set()
            await reader.read()

        mcu, log = McuOnPty(tmp_path), LogText(0)
        async with serving(talk) as port:
            settings = Settings(
                (PortSettings("mcu", mcu.path, 9600, MAC),), str(tmp_path), "http://127.0.0.1:%d" % port
            )
            gateway = Gateway(settings, log.logger, log.redactor)
            gateway.start()
            mcu.power_on()
            await asked.wait()
            mcu.request(CMD_GET_TIME)
            await mcu.sees(TimeReceived)
            gateway.stop()
            mcu.power_off()

    in_loop(run())


def test_fault_13_a_wall_clock_that_jumps_ends_no_session(tmp_path, monkeypatch):
    async def play(life):
        await life.online()
        present = time.time
        for years in (30, -30, 0):
            monkeypatch.setattr(time, "time", lambda: present() + years * 31_557_600)  # noqa: B023
            await life.is_alive()
        assert life.broker.logins == 1

    scene(tmp_path, play)


def test_fault_13_a_clock_that_was_never_set_is_not_told_to_the_mcu(tmp_path, monkeypatch):
    async def play(life):
        await life.online()
        life.mcu.request(CMD_GET_TIME)
        await life.mcu.sees(TimeReceived)
        told = next(x.time for x in life.mcu.seen if isinstance(x, TimeReceived))
        assert told.year == 2023  # the cloud's

    monkeypatch.setattr(time, "time", lambda: 1000.0)
    scene(tmp_path, play)


def test_fault_14_reports_while_the_cloud_is_away_arrive_when_it_is_back(tmp_path):
    async def play(life):
        life.broker.may_log_in.clear()
        await life.log.says("registered, did")
        reports = [b"\x04" + bytes((n,)) * 24 for n in range(20)]
        for n, p0 in enumerate(reports, 100):
            life.mcu.write(encode_frame(5, n, p0))
        life.mcu.request(CMD_GET_TIME)
        await life.mcu.sees(TimeReceived)  # so the module has read all of them
        assert life.broker.published == []
        life.broker.may_log_in.set()
        await until(lambda: len(life.broker.reports()) >= 20, "all arrive", life.log.getvalue)
        assert [p0 for p0 in life.broker.reports() if p0 in reports] == reports

    scene(tmp_path, play)


def test_fault_18_a_silent_mcu_is_waited_for_and_found(tmp_path):
    async def play(life):
        await life.online()
        life.mcu.power_off()
        await life.log.says("MCU lost")
        life.mcu.power_on()
        await life.log.says("online, did", 2)
        await life.is_alive()

    scene(tmp_path, play)


NASTY = {
    "client of 230 bytes": script.publish("app2dev/%s/%s" % (DID, "c" * 230), wire.encode(0x93, b"\x02", 1)),
    "topic of 65,535 bytes": script.publish(("app2dev/%s/" % DID).ljust(65535, "c"), b"x"),
    "topic with a wildcard": script.publish("app2dev/%s/#" % DID, wire.encode(0x93, b"\x02", 1)),
    "topic that is no text": script.packet(script.PUBLISH, b"\x00\x02\xff\xfe" + b"x"),
    "empty payload": script.publish(APP, b""),
    "length that lies": script.publish(APP, b"\x00\x00\x00\x03\xff\xff\x03\x00\x00\x90\x01"),
    "length of nothing": script.publish(APP, b"\x00\x00\x00\x03\x00"),
    "payload of 200,000 bytes": script.publish(APP, wire.encode(wire.CLOUD_COMMAND, bytes(200_000))),
    "all bytes": script.publish(APP, bytes(range(256)) * 8),
    "command 0x0077": script.publish(APP, wire.encode(0x77, b"\x01\x02")),
    "service message cut": script.publish("ser2cli_res/" + DID, b"\x00\x00\x00\x03\x02"),
}


@pytest.mark.parametrize("packet", NASTY.values(), ids=NASTY)
def test_memory_errors_a_message_of_any_topic_and_content_harms_nothing(tmp_path, packet):
    async def play(life):
        await life.online()
        life.broker.send(packet)
        await life.is_alive()
        assert life.broker.logins == 1

    scene(tmp_path, play)


BODY = b"host=10.0.0.2&port=1883&server_ts=1795289071&log_host=&log_port=0&"
ANSWER = http_answer("200 OK", BODY)


def test_memory_errors_an_http_answer_cut_anywhere_is_never_half_believed():
    async def run():
        async def talk(reader, writer):
            await read_request(reader)
            writer.write(ANSWER[: cuts[-1]])
            await writer.drain()

        cuts = []
        async with serving(talk) as port:
            heard = Heard()
            client = HttpClient(heard.note("response"), heard.note("failed"))
            for cut in range(len(ANSWER)):
                cuts.append(cut)
                client.request(HttpRequest(cut, "GET", "http://127.0.0.1:%d/" % port, b""))
                kind, ref, *answer = await heard.next()
                assert ref == cut
                if kind == "response":  # a head that was cut has no body, which is nothing to believe
                    assert answer in ([200, BODY], [200, b""])
            client.close()

    in_loop(run())


@pytest.mark.parametrize(
    "body",
    [
        b"host=10.0.0.2&port=" + b"1" * 30 + b"&server_ts=1",
        b"host=" + b"a" * 300 + b"&port=1883&",
        b"host=10.0.0.2;port=1883",
        b"host=10.0.0.2",
        b"&&&&====",
        b"3rd_cloud=" + b"x" * 200 + b"&product_uuid=",
        b"\x00" * 1000,
    ],
)
def test_memory_errors_an_answer_without_its_separators_is_refused(body):
    with pytest.raises(ConfigError):
        device_api.parse_provision(200, body)
