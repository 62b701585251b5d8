"""Many at once, and nothing at all: what an agent must not lose, and must not burn."""

import asyncio
import subprocess

import paho.mqtt.client as paho
import pytest
from mcu_debugger.mcu_events import Controlled
from paho.mqtt.enums import CallbackAPIVersion
from testkit import mqtt_script as script
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.heard import in_loop, until
from testkit.mcu_on_pty import McuOnPty
from testkit.mosquitto_running import mosquitto_running
from testkit.patience import PATIENCE_S
from testkit.raw_server import serving

from gagent import wire
from mcu_proto.const import CMD_P0_UP, STATUS_CLOUD
from mcu_proto.frame import encode_frame

REPORTS = 80
CONTROLS = 50
MAC = "A0B1C2D3E4F5"
TOPIC = "app2dev/%s/usr00000000000000000001" % did_of(MAC)


async def agent_online(processes, mcu, api):
    """The agent on the port of `mcu`, once the MCU has been told that it is online."""
    (processes.folder / "gagent.toml").write_text(
        "api = '%s'\nstate = 'state'\n[[port]]\nport = '%s'\nmac = '%s'\n" % (api, mcu.path, MAC)
    )
    mcu.power_on()
    agent = processes.start("gagent_linux", "run", "--config", "gagent.toml", stdin=subprocess.DEVNULL)
    await until(lambda: mcu.simulator.status & STATUS_CLOUD, "the MCU is told of the cloud", lambda: agent.stderr)
    return agent


def controls(schema):
    """Envelopes that set the timer to 1, 2, 3..."""
    return [wire.encode(wire.CLOUD_COMMAND, schema.encode_control({"timer": n})) for n in range(1, CONTROLS + 1)]


async def all_arrive(mcu, agent):
    def timers():
        return [effect.values["timer"] for effect in mcu.seen if isinstance(effect, Controlled)]

    wanted = list(range(1, CONTROLS + 1))
    await until(lambda: timers() == wanted, "the MCU gets them all", lambda: "%s\n%s" % (timers(), agent.stderr))


@pytest.mark.mosquitto
def test_reports_that_come_in_one_write_all_arrive_in_order(processes):
    async def scene():
        loop = asyncio.get_running_loop()
        heard = asyncio.Queue()
        with mosquitto_running(processes.folder) as broker:
            app = paho.Client(CallbackAPIVersion.VERSION2)
            listens = asyncio.Event()
            app.on_connect = lambda *_: app.subscribe("dev2app/#", 0)
            app.on_subscribe = lambda *_: loop.call_soon_threadsafe(listens.set)
            app.on_message = lambda _, __, message: loop.call_soon_threadsafe(heard.put_nowait, message.payload)
            app.connect(broker.host, broker.port)
            app.loop_start()
            await listens.wait()
            async with DeviceApiStub(broker.port).running() as api:
                mcu = McuOnPty(processes.folder)
                await agent_online(processes, mcu, api.url)
                schema = mcu.simulator.schema
                reports = [schema.encode_report({"timer": n}) for n in range(REPORTS)]
                mcu.write(b"".join(encode_frame(CMD_P0_UP, n, p0) for n, p0 in enumerate(reports)))
                for p0 in reports:
                    async with asyncio.timeout(PATIENCE_S):
                        assert await heard.get() == wire.encode(wire.CLOUD_REPORT, p0)
            app.disconnect()
            app.loop_stop()

    in_loop(scene())


@pytest.mark.mosquitto
def test_controls_published_back_to_back_all_reach_the_mcu(processes):
    async def scene():
        with mosquitto_running(processes.folder) as broker:
            app = paho.Client(CallbackAPIVersion.VERSION2)
            app.connect(broker.host, broker.port)
            app.loop_start()
            async with DeviceApiStub(broker.port).running() as api:
                mcu = McuOnPty(processes.folder)
                agent = await agent_online(processes, mcu, api.url)
                for payload in controls(mcu.simulator.schema):
                    app.publish(TOPIC, payload)
                await all_arrive(mcu, agent)
            app.disconnect()
            app.loop_stop()

    in_loop(scene())


def test_controls_that_come_in_one_segment_all_reach_the_mcu(processes):
    async def scene():
        writers = []

        async def broker(reader, writer):
            await script.accept(reader, writer)
            writers.append(writer)
            await reader.read()

        async with serving(broker) as port, DeviceApiStub(port).running() as api:
            mcu = McuOnPty(processes.folder)
            agent = await agent_online(processes, mcu, api.url)
            writers[0].write(b"".join(script.publish(TOPIC, payload) for payload in controls(mcu.simulator.schema)))
            await all_arrive(mcu, agent)

    in_loop(scene())


def test_an_idle_agent_without_stdin_uses_no_processor_time(chain):
    (chain.processes.folder / "clock").write_text("every 1s time\n")
    chain.add_product()
    chain.start_cloud()
    chain.start_mcu("--script", "clock")
    chain.start_agent(stdin=subprocess.DEVNULL)
    chain.agent.says("online, did")
    chain.mcu.says("network time:", since=chain.mcu.mark())
    mark, before = chain.mcu.mark(), chain.agent.cpu_seconds()
    chain.mcu.says("network time:", since=mark)
    # Of one second: an agent that polls a closed descriptor burns all of it, one that waits a few milliseconds.
    assert chain.agent.cpu_seconds() - before < 0.5
