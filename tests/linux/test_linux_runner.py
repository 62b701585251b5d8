"""Runner and gateway with the real Agent and real parts: pty, sockets, broker, disk."""

import asyncio
import contextlib
import json
import stat

import pytest
from gagent_linux.gateway import Gateway
from gagent_linux.settings import PortSettings, Settings
from mcu_debugger.mcu_events import Controlled, HeartbeatSeen, InfoSent, ModuleInfoReceived, TimeReceived
from testkit.broker_stub import GOODBYE, BrokerStub
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.heard import LogText, in_loop, until
from testkit.mcu_on_pty import McuOnPty

from gagent import effects as e
from mcu_proto.const import (
    CMD_CONFIG_MODE,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_RESET_MODULE,
    CMD_RESTART_MODULE,
    STATUS_CLOUD,
)

MAC = "A0B1C2D3E4F5"


class House:
    """A gateway with one MCU (or more), a stub of the HTTP API and a broker, all in this loop."""

    def __init__(self, folder, names=("mcu",), verbosity=2):
        self.folder = folder
        self.log = LogText(verbosity)
        self.broker = BrokerStub()
        self.mcus = {name: McuOnPty(folder, name) for name in names}
        self.state = str(folder / "state")

    @property
    def mcu(self):
        return self.mcus["mcu"]

    @contextlib.asynccontextmanager
    async def lived_in(self, macs=(MAC,)):
        async with self.broker.running(), DeviceApiStub(self.broker.port).running() as self.api:
            ports = tuple(
                PortSettings(name, mcu.path, 9600, mac)
                for (name, mcu), mac in zip(self.mcus.items(), macs, strict=True)
            )
            self.gateway = Gateway(Settings(ports, self.state, self.api.url), self.log.logger, self.log.redactor)
            self.gateway.start()
            try:
                yield
            finally:
                self.gateway.stop()

    async def online(self, name="mcu"):
        mcu = self.mcus[name]
        await until(lambda: mcu.simulator.status & STATUS_CLOUD, "the MCU is told of the cloud", self.log.getvalue)

    def record(self, name="mcu"):
        with open("%s/%s.json" % (self.state, name)) as file:
            return json.load(file)["identity"]


def test_an_mcu_comes_on_line_reports_and_is_controlled(tmp_path):
    async def scene():
        house = House(tmp_path)
        house.mcu.power_on()
        async with house.lived_in():
            await house.online()
            did = did_of(MAC)
            house.mcu.set(power=True)
            await until(lambda: house.broker.published, "a report is published")
            topic, payload = house.broker.published[0]
            assert topic == "dev2app/" + did
            assert payload[:5] == b"\x00\x00\x00\x03" + bytes((len(payload) - 5,))
            control = house.mcu.simulator.schema.encode_control({"power": False})
            envelope = b"\x00\x00\x00\x03" + bytes((len(control) + 7,)) + b"\x00\x00\x93\x00\x00\x00\x2a" + control
            house.broker.send(did, "app2dev/%s/usr1" % did, envelope)
            await house.mcu.sees(Controlled)
            assert house.mcu.simulator.values["power"] is False
            ack = b"\x00\x00\x00\x03\x07\x00\x00\x94\x00\x00\x00\x2a"
            await until(lambda: ("dev2app/%s/usr1" % did, ack) in house.broker.published, "the control is acked")

    in_loop(scene())


def test_the_identity_is_kept_and_used_at_the_next_start(tmp_path):
    async def scene():
        house = House(tmp_path)
        house.mcu.power_on()
        async with house.lived_in():
            await house.online()
            first = house.record()
            assert [path for _, path, _ in house.api.asked][:2] == ["/dev/devices", "/dev/devices/" + did_of(MAC)]
        assert (tmp_path / "state" / "mcu.json").stat().st_mode & stat.S_IRWXG == 0
        async with house.lived_in(macs=("",)):
            await until(lambda: house.broker.logins.get(did_of(MAC)) == 2, "it logs in again")
            assert ("POST", "/dev/devices") not in [asked[:2] for asked in house.api.asked]
            assert house.record() == first
            assert first["did"] == did_of(MAC)

    in_loop(scene())


def test_a_mac_is_made_at_the_first_start_and_kept_from_then_on(tmp_path):
    async def scene():
        house = House(tmp_path)
        async with house.lived_in(macs=("",)):
            mac = house.record()["mac"]
        async with house.lived_in(macs=("",)):
            assert house.record()["mac"] == mac

    in_loop(scene())


def test_many_ports_live_in_one_process_and_a_damaged_one_stops_no_other(tmp_path):
    async def scene():
        house = House(tmp_path, ("a", "b", "c"))
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "b.json").write_text("{")
        house.mcus["a"].power_on()
        house.mcus["b"].power_on()
        # c is not there yet.
        async with house.lived_in(macs=("AAAAAAAAAAAA", "BBBBBBBBBBBB", "CCCCCCCCCCCC")):
            await house.online("a")
            assert "ERROR b: identity file" in house.log.getvalue()
            assert "this port stays off" in house.log.getvalue()
            await house.log.says("/c does not exist")
            house.mcus["c"].power_on()
            await house.online("c")
        assert (tmp_path / "state" / "b.json").read_text() == "{"
        assert not any(isinstance(effect, InfoSent) for effect in house.mcus["b"].seen)

    in_loop(scene())


def test_another_mac_in_the_settings_never_overwrites_an_identity(tmp_path):
    async def scene():
        house = House(tmp_path)
        async with house.lived_in():
            before = house.record()
        async with house.lived_in(macs=("FFFFFFFFFFFF",)):
            assert "is of mac %s, but the settings say FFFFFFFFFFFF" % MAC in house.log.getvalue()
            assert house.gateway.runners == []
        assert house.record() == before

    in_loop(scene())


def test_a_port_with_a_damaged_identity_stays_off(tmp_path):
    async def scene():
        house = House(tmp_path)
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "mcu.json").write_text("{")
        settings = Settings((PortSettings("mcu", "/dev/null"),), house.state)
        gateway = Gateway(settings, house.log.logger, house.log.redactor)
        gateway.start()
        assert gateway.runners == []
        assert "mcu.json is damaged" in house.log.getvalue()

    in_loop(scene())


def test_an_mcu_that_is_unplugged_leaves_the_cloud_and_comes_back_by_itself(tmp_path):
    async def scene():
        house = House(tmp_path)
        house.mcu.power_on()
        async with house.lived_in():
            await house.online()
            house.mcu.power_off()
            await house.log.says("MCU lost")
            await until(lambda: (did_of(MAC), GOODBYE) in house.broker.published, "the broker is told")
            house.mcu.power_on()
            await until(lambda: house.broker.logins.get(did_of(MAC)) == 2, "it is on line again", house.log.getvalue)

    in_loop(scene())


def test_a_broker_that_drops_the_connection_is_joined_again(tmp_path):
    async def scene():
        house = House(tmp_path)
        house.mcu.power_on()
        async with house.lived_in():
            await house.online()
            house.broker.writers[did_of(MAC)].close()
            await house.log.says("offline: broker 127.0.0.1:")
            await house.log.says("closed the connection")
            await until(lambda: house.broker.logins.get(did_of(MAC)) == 2, "it is on line again", house.log.getvalue)

    in_loop(scene())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x00garbage\r\n", "the cloud cannot be reached: what 127.0.0.1:"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n{'error_code': 9002}", "the cloud refused: registration: HTTP 400"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "the cloud refused: registration: HTTP 500"),
        (b"HTTP/1.1 201 Created\r\n\r\ndid=short", "the cloud refused: registration: HTTP 201"),
        (b"", "the cloud cannot be reached: 127.0.0.1:"),
    ],
)
def test_a_cloud_that_answers_badly_is_told_in_one_line_and_tried_again(tmp_path, answer, words):
    async def scene():
        house = House(tmp_path, verbosity=0)
        house.mcu.power_on()
        async with house.lived_in():
            house.api.broken = answer
            await house.log.says(words)
            assert "check `api`" in house.log.getvalue()
            house.api.broken = None
            await house.online()

    in_loop(scene())


def test_a_refused_login_is_told_with_what_to_do(tmp_path):
    async def scene():
        house = House(tmp_path, verbosity=0)
        house.broker.refuse = 4
        house.mcu.power_on()
        async with house.lived_in():
            await house.log.says("offline: the broker says did or passcode are wrong: check that the cloud knows")
            house.broker.refuse = 0
            await house.online()

    in_loop(scene())


def test_an_mcu_is_told_the_time_and_the_module_info(tmp_path):
    async def scene():
        house = House(tmp_path)
        house.mcu.power_on()
        async with house.lived_in():
            await house.mcu.sees(InfoSent)
            house.mcu.request(CMD_GET_TIME)
            house.mcu.request(CMD_GET_MODULE_INFO)
            await house.mcu.sees(TimeReceived, ModuleInfoReceived)
            time = next(x for x in house.mcu.seen if isinstance(x, TimeReceived)).time
            assert time.year >= 2024
            assert MAC in str(next(x for x in house.mcu.seen if isinstance(x, ModuleInfoReceived)).info)

    in_loop(scene())


def test_a_restart_starts_the_agent_anew(tmp_path):
    async def scene():
        house = House(tmp_path)
        house.mcu.power_on()
        async with house.lived_in():
            await house.online()
            house.mcu.seen.clear()
            house.mcu.request(CMD_RESTART_MODULE)
            await house.mcu.sees(InfoSent)
            await until(lambda: house.broker.logins.get(did_of(MAC)) == 2, "it is on line again", house.log.getvalue)

    in_loop(scene())


def test_network_configuration_is_answered_at_once(tmp_path):
    async def scene():
        house = House(tmp_path)
        house.mcu.power_on()
        async with house.lived_in():
            await house.online()
            house.mcu.request(CMD_CONFIG_MODE, b"\x01")
            await house.log.says("a gateway is on the network already")
            await house.online()

    in_loop(scene())


def test_an_error_inside_one_agent_is_told_and_stops_no_other(tmp_path):
    async def scene():
        house = House(tmp_path, ("a", "b"))
        async with house.lived_in(macs=("AAAAAAAAAAAA", "BBBBBBBBBBBB")):

            def explode(now):
                raise RuntimeError("boom")

            house.gateway.runners[0].feed(explode)
            assert "ERROR a: internal error in explode" in house.log.getvalue()
            for mcu in house.mcus.values():
                mcu.power_on()
            await house.online("a")
            await house.online("b")

    in_loop(scene())


def test_effects_that_bring_inputs_are_performed_to_the_end_first(tmp_path):
    """An input that arrives while a list is being performed waits: the Agent is never entered twice."""

    async def scene():
        house = House(tmp_path)
        async with house.lived_in():
            runner = house.gateway.runners[0]
            order = []

            def inner(now):
                order.append("inner")
                return []

            def outer(now):
                return [e.ConfigureNetwork(1), e.Notice(e.NOTICE_IGNORED, "last of outer")]

            runner.agent.network_changed = lambda up, rssi, now: inner(now)
            runner._log.notice = lambda notice: order.append(notice.detail)
            runner._perform[e.Notice] = runner._log.notice
            runner.feed(outer)
            assert order == ["last of outer", "inner"]

    in_loop(scene())


def test_no_passcode_is_ever_logged(tmp_path):
    """A whole life at -vv: registration, control, refusal that quotes the request, reset, restart, errors."""

    async def scene():
        house = House(tmp_path, verbosity=2)
        house.mcu.power_on()
        async with house.lived_in():
            await house.online()
            secrets = {house.record()["passcode"]}
            assert secrets != {""}
            house.gateway.runners[0]._uplink.disconnect()
            house.mcu.request(CMD_RESET_MODULE)
            await house.log.says("factory reset")
            await until(lambda: house.record()["passcode"] not in secrets, "a new passcode")
            secrets.add(house.record()["passcode"])
            await until(lambda: house.broker.logins.get(did_of(MAC)) == 2, "it is on line again", house.log.getvalue)
            quoted = " ".join(secrets).encode()
            house.broker.send(did_of(MAC), "ser2cli_res/" + did_of(MAC), quoted)
            await house.log.says("message on ser2cli_res")
            house.api.broken = b"HTTP/1.1 400 Bad\r\n\r\n" + quoted
            house.mcu.request(CMD_RESTART_MODULE)
            await house.log.says("the cloud refused")

            def explode(now):
                raise RuntimeError(quoted.decode())

            house.gateway.runners[0].feed(explode)
        text = house.log.getvalue()
        assert "HTTP POST" in text
        assert "[passcode]" in text
        for secret in secrets:
            assert secret not in text
            assert secret.encode().hex() not in text
            assert secret.encode().hex(" ") not in text

    in_loop(scene())


def test_without_v_the_log_has_no_frames(tmp_path):
    async def scene():
        house = House(tmp_path, verbosity=0)
        house.mcu.power_on()
        async with house.lived_in():
            await house.online()
        assert "from MCU" not in house.log.getvalue()
        assert "online, did" in house.log.getvalue()

    in_loop(scene())


def test_with_v_frames_and_effects_are_words_and_with_vv_also_hex(tmp_path):
    async def scene():
        for verbosity in (1, 2):
            house = House(tmp_path / str(verbosity), verbosity=verbosity)
            house.folder.mkdir()
            house.mcu.power_on()
            async with house.lived_in():
                await house.online()
                house.mcu.set(power=True)
                await until(lambda house=house: house.broker.published, "a report is published")
            text = house.log.getvalue()
            assert "to MCU: get device info, sn " in text
            assert "from MCU: P0 from MCU (report), sn " in text
            assert "publish on dev2app/" in text
            assert ("to MCU: ff ff" in text) == (verbosity == 2)

    in_loop(scene())


def test_stopping_says_goodbye_to_the_broker(tmp_path):
    async def scene():
        house = House(tmp_path)
        house.mcu.power_on()
        async with house.lived_in():
            await house.online()
            house.gateway.stop()
            await until(lambda: (did_of(MAC), GOODBYE) in house.broker.published, "the broker is told")
            assert not any(isinstance(effect, HeartbeatSeen) for effect in house.mcu.seen)
            # Nothing of the gateway is left in the loop but what the test itself runs.
            names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}
            assert not [name for name in names if name.startswith(("SerialPort", "HttpClient", "_Session"))]

    in_loop(scene())
