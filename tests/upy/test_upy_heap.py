"""The heap gate: the port's own code with a capped heap, between a real broker, a real cloud and an MCU on a pty.

What stands for a board's firmware is in the same heap here: what it costs is measured each time and given besides.
"""

import asyncio
import urllib.parse
import urllib.request

import pytest
import upy_heap
from localcloud import mqtt_packet
from localcloud.broker import DeviceLogin
from testkit.chain_running import PRODUCT_KEY, PRODUCT_SECRET
from testkit.heard import until
from testkit.mcu_on_pty import McuOnPty
from testkit.mqtt_parts import RawClient
from testkit.patience import PATIENCE_S
from testkit.slow_clock import SLOWER
from testkit.upy_agent import upy_agent
from testkit.upy_chain import UpyChain

from mcu_proto.const import STATUS_ROUTER

pytestmark = [pytest.mark.micropython, pytest.mark.mosquitto]

REPORTS = 500
CONTROLS = 200
HOUR_MS = 3600000
# The port polls once a second at least; a step within that is what it would see on a chip.
STEP_MS = 1000
# What one collection leaves more than another: an object that was in use in one of the two.
NOISE = 512


def in_its_time(scene):
    async def limited():
        async with asyncio.timeout(400):
            return await scene

    return asyncio.run(limited())


async def waits_for_nothing(mcu, agent):
    """Until no frame is on its way."""
    await until(mcu.simulator.is_idle, "the MCU waits for nothing", lambda: agent.said[-2000:])


async def bystander(chain):
    """Another device at the same broker."""
    form = {"mac": "021122334455", "passcode": "ABCDEFGHIJ", "product_key": PRODUCT_KEY}
    body = urllib.parse.urlencode(form).encode()
    answer = await asyncio.to_thread(lambda: urllib.request.urlopen(chain.api + "/dev/devices", body).read())
    login = DeviceLogin(answer.decode().split("did=")[1].strip(), form["passcode"], PRODUCT_KEY, False)
    client = await RawClient.open(chain.mqtt_port)
    assert await client.connect(login) == 0
    return client


async def broker_is_done(client):
    """Until the broker has answered all that it was sent; it may be going round its clients just now, therefore twice.

    Otherwise a broker that stands still for a moment is silent for minutes, by the agent's clock.
    """
    for _ in range(2):
        client.send(mqtt_packet.build_packet(mqtt_packet.PINGREQ << 4, b""))
        head, _ = await client.packet()
        assert head == mqtt_packet.PINGRESP << 4


@pytest.mark.parametrize("form", ["romfs"])
def test_a_day_in_a_capped_heap(processes, form):
    """Register, report, be controlled, lose the broker and the Wi-Fi, live an hour: without a byte of growth."""

    async def scene():
        chain = UpyChain(processes, "mosquitto")
        await asyncio.to_thread(chain.add_product)
        await asyncio.to_thread(chain.start_cloud)
        mcu = McuOnPty(processes.folder, slower=SLOWER)
        mcu.power_on()
        around = await upy_heap.bytes_around(form)
        heap = upy_heap.GATE[form] + around
        print("heap: %d bytes for the port, %d for what stands for a board" % (upy_heap.GATE[form], around))
        async with upy_agent(processes.folder, chain.api, mcu.path, str(heap), form) as agent:
            await agent.connected()
            await agent.says("online, did")
            did = await asyncio.to_thread(bind, chain, agent)
            app = chain.app

            async def reports(numbers):
                for n in numbers:
                    mcu.set(timer=n)
                    await waits_for_nothing(mcu, agent)

            async def controls(numbers):
                for n in numbers:
                    await asyncio.to_thread(app.control, did, timer=n)
                    await until(lambda n=n: mcu.simulator.values["timer"] == n, "the MCU is controlled")

            async def seen(n):
                async with asyncio.timeout(PATIENCE_S):
                    while (await asyncio.to_thread(app.attrs, did)).get("timer") != n:  # noqa: ASYNC110
                        await asyncio.sleep(0.02)

            async def heap(other):
                """When nothing is on its way any more: what waits for its acknowledgement is in the heap, too."""
                await waits_for_nothing(mcu, agent)
                await broker_is_done(other)
                await agent.clock(0)
                return await agent.heap()

            other = await bystander(chain)
            # Once through everything: what is loaded when first needed is loaded now.
            await reports(range(1, 20))
            await controls(range(20, 25))
            await seen(24)
            used, free = await heap(other)
            print("online: %d bytes in use by the port, %d free" % (used - around, free))

            await reports(range(100, 100 + REPORTS))
            await seen(99 + REPORTS)
            await controls(range(1000, 1000 + CONTROLS))
            await seen(999 + CONTROLS)
            after_work, free = await heap(other)
            story = (REPORTS, CONTROLS, after_work - around, free)
            print("after %d reports and %d controls: %d in use, %d free" % story)

            other.close()
            await asyncio.to_thread(chain.cloud.kill)
            await agent.says("offline")
            await asyncio.to_thread(chain.start_cloud)
            await agent.says("online, did " + did, times=2)

            agent.wifi("")
            await agent.says("offline", times=1)
            await until(lambda: not mcu.simulator.status & STATUS_ROUTER, "the MCU is told that the Wi-Fi is gone")
            agent.wifi()
            await agent.says("online, did " + did, times=3)

            other = await bystander(chain)
            for _ in range(HOUR_MS // STEP_MS):
                await agent.clock(STEP_MS)
                await waits_for_nothing(mcu, agent)
                await broker_is_done(other)
            await controls([7])
            await seen(7)
            at_end, free = await heap(other)
            other.close()
            print("after the broker's and the Wi-Fi's loss and an hour: %d in use, %d free" % (at_end - around, free))
            assert agent.said.count("online, did") == 3, agent.said
            assert "MemoryError" not in agent.said
            assert after_work <= used + NOISE
            assert at_end <= used + NOISE

    in_its_time(scene())


def bind(chain, agent):
    chain.app.sign_up()
    return chain.app.bind(PRODUCT_KEY, PRODUCT_SECRET, chain.identity["mac"])["did"]
