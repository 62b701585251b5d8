"""The chip's port as a whole, between an MCU on a pty and stubs of broker and cloud: what must happen, in its order."""

import asyncio
import contextlib

import pytest
from gagent_upy import storage
from testkit.broker_stub import GOODBYE
from testkit.heard import until
from testkit.upy_world import in_a_world

from gagent import topics, wire
from mcu_proto.const import CMD_CONFIG_MODE, CMD_RESET_MODULE, CMD_RESTART_MODULE

pytestmark = pytest.mark.micropython

MAC = "A0B1C2D3E4F5"
RESET = 75


def test_a_new_device_registers_comes_online_and_leaves_in_good_order(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            assert world.identity["mac"] == MAC
            assert len(world.did) == 22
            assert await port.stops() == 0
        await until(lambda: (world.did, GOODBYE) in world.broker.published, "goodbye", lambda: "")
        assert world.api.asked[0][:2] == ("POST", "/dev/devices")

    in_a_world(tmp_path, scenario)


def test_the_identity_is_kept_and_not_written_again(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
        files = {path.name: path.read_bytes() for path in tmp_path.glob("*.[01]")}
        world.api.asked.clear()
        async with world.port() as port:
            await port.says("online, did", times=2)
        assert {path.name: path.read_bytes() for path in tmp_path.glob("*.[01]")} == files
        assert not [path for method, path, _ in world.api.asked if path == "/dev/devices"]

    in_a_world(tmp_path, scenario)


def test_no_secret_is_ever_said(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            passcode = world.identity["passcode"]
            world.broker.refuse = 4
            world.broker.writers[world.did].close()
            await port.says("offline, code 4")
            assert passcode not in port.said
            assert "homesecret" not in port.said

    in_a_world(tmp_path, scenario)


def test_a_report_crosses_and_is_acked(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            world.mcu.set(timer=75)
            await until(lambda: world.reports(), "the report is published", lambda: port.said)
            await until(lambda: world.acked() == 1, "the report is acked", lambda: port.said)

    in_a_world(tmp_path, scenario)


def test_a_control_crosses_and_is_answered(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            world.broker.send(
                world.did, topics.app2dev(world.did, "app"), wire.encode(wire.CLOUD_CONTROL, b"\x02", 0x1234)
            )
            answer = topics.dev2app(world.did, "app")
            await until(lambda: [t for t, _ in world.broker.published if t == answer], "the answer", lambda: port.said)
            (payload,) = [payload for topic, payload in world.broker.published if topic == answer]
            assert wire.decode(payload)[:2] == (wire.CLOUD_CONTROL_ACK, 0x1234)

    in_a_world(tmp_path, scenario)


def test_reports_without_a_broker_are_acked_and_the_newest_are_published_later(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            world.broker.refuse = 3
            world.broker.writers[world.did].close()
            await port.says("offline")
            for n in range(1, 9):
                world.mcu.set(timer=n)
                await until(lambda n=n: world.acked() == n, "it is acked", lambda: port.said)
            world.broker.refuse = 0
            await port.says("online, did", times=2)
            await until(lambda: len(world.reports()) >= 4, "the newest come", lambda: port.said)
            timers = [world.mcu.simulator.schema.decode(p0)["timer"] for p0 in world.reports()]
            assert timers == [5, 6, 7, 8]
            assert "reports dropped" in port.said

    in_a_world(tmp_path, scenario)


def test_a_lost_network_is_left_and_found_again(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            world.air()
            await port.says("the Wi-Fi is gone")
            await port.says("offline")
            world.air("home homesecret")
            await port.says("online, did", times=2)

    in_a_world(tmp_path, scenario)


def test_the_mcu_asks_for_configuration_and_another_network_is_joined(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            world.air("other othersecret")
            world.mcu.request(CMD_CONFIG_MODE, b"\x01")
            await port.says("SoftAP XPG-GAgent-E4F5 is open")
            reader, writer = await asyncio.open_connection("127.0.0.1", world.form_port)
            writer.write(b"GET /web_config.cgi?ssid=other&pass=othersecret HTTP/1.1\r\n\r\n")
            assert b"Thank you" in await reader.read()
            writer.close()
            await port.says("Wi-Fi other is joined")
            await port.says("online, did", times=2)

    in_a_world(tmp_path, scenario)


def test_a_mode_that_is_not_served_leaves_the_network_as_it_is(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            world.mcu.request(CMD_CONFIG_MODE, b"\x04\x01a\x01b\x01c")
            await port.says("network configuration mode 4 is not served")
            world.mcu.set(timer=75)
            await until(lambda: world.reports(), "it goes on", lambda: port.said)

    in_a_world(tmp_path, scenario)


def test_a_factory_reset_forgets_networks_and_identity_and_restarts_the_chip(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            before = world.identity
            world.mcu.request(CMD_RESET_MODULE)
            assert await port.ends() == RESET
        stored = storage.load(str(tmp_path / "networks"))[0]
        assert (stored["current"], stored["last_good"], stored["softap"]) == (None, None, True)
        assert world.identity["passcode"] != before["passcode"]
        assert world.identity["mac"] == before["mac"]

    in_a_world(tmp_path, scenario)


def test_a_restart_that_the_mcu_asks_for_restarts_the_chip(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            world.mcu.request(CMD_RESTART_MODULE)
            assert await port.ends() == RESET
        assert storage.load(str(tmp_path / "networks"))[0]["current"] == ["home", "homesecret"]

    in_a_world(tmp_path, scenario)


def test_an_error_inside_is_told_and_survived_and_many_restart_the_chip(tmp_path):
    broken = """
from gagent.agent import Agent
def fail(*arguments):
    raise MemoryError("no room")
Agent.receive_publish = fail
"""

    async def scenario(world):
        async with world.port(before=broken) as port:
            await port.says("online, did")
            world.broker.send(world.did, topics.app2dev(world.did, "app"), b"x")
            await port.says("MemoryError: no room")
            world.mcu.set(timer=75)
            await until(lambda: world.reports(), "it goes on", lambda: port.said)
            for n in range(4):
                await port.says("online, did", times=n + 2)
                world.broker.send(world.did, topics.app2dev(world.did, "app"), b"x")
            assert await port.ends() == RESET

    in_a_world(tmp_path, scenario)


def test_a_damaged_identity_is_told_and_a_new_one_registered(tmp_path):
    async def scenario(world):
        for n in (0, 1):
            (tmp_path / ("identity.%d" % n)).write_bytes(b"garbage")
        async with world.port() as port:
            await port.says("the stored identity is damaged")
            await port.says("online, did")

    in_a_world(tmp_path, scenario)


def test_the_port_goes_on_when_the_flash_is_full(tmp_path):
    async def scenario(world):
        (tmp_path / "identity.0").mkdir()
        (tmp_path / "networks.0").mkdir()
        async with world.port() as port:
            await port.says("the networks cannot be stored")
            await port.says("the identity cannot be stored")
            await port.says("online, did")

    in_a_world(tmp_path, scenario)


def test_a_held_key_leaves_the_chip_to_a_person(tmp_path):
    async def scenario(world):
        async with world.port("escape_pin = 5", GAGENT_PIN_5="0") as port:
            assert await port.ends() == 0
            assert "escape: the agent is not started" in port.said

    in_a_world(tmp_path, scenario)


def test_wrong_settings_are_told_and_nothing_is_started(tmp_path):
    async def scenario(world):
        async with world.port("boud = 9600") as port:
            assert await port.ends() == 0
            assert "gagent.txt line 6: boud: no such key" in port.said

    in_a_world(tmp_path, scenario)


def test_a_cloud_that_is_not_there_is_asked_again(tmp_path):
    async def scenario(world):
        world.api.broken = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"
        async with world.port() as port:
            await port.says("the cloud refused:")
            world.api.broken = None
            await port.says("online, did")

    in_a_world(tmp_path, scenario)


def test_a_broker_that_closes_again_and_again_is_tried_again(tmp_path):
    async def scenario(world):
        async with world.port() as port:
            await port.says("online, did")
            for n in range(3):
                with contextlib.suppress(KeyError):
                    world.broker.writers.pop(world.did).close()
                await port.says("online, did", times=n + 2)

    in_a_world(tmp_path, scenario)
