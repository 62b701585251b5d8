"""What few devices need, in the image that is delivered: there it is made of other code than in the sources."""

import asyncio
import json
import shutil

import pytest
from testkit.certificates import Authority
from testkit.device_api_stub import DeviceApiStub
from testkit.heard import in_loop
from testkit.mcu_on_pty import McuOnPty
from testkit.mosquitto_running import free_port, mosquitto_running
from testkit.slow_clock import SLOWER
from testkit.upy_agent import upy_agent
from testkit.upy_chain import ROOMY

from mcu_proto.const import CMD_CONFIG_MODE, CONFIG_SOFTAP

pytestmark = [pytest.mark.micropython, pytest.mark.mosquitto]

PRODUCT_SECRET = "0123456789abcdef0123456789abcdef"


def device(tmp_path, scene, settings="", product_secret="", authority=None):
    """`scene(agent, mcu, api)` with a device that has these lines of settings besides."""

    async def whole():
        listener, tls = (), None
        if authority is not None:
            identity = authority.issue("127.0.0.1")
            tls = identity.server_context()
            listener = ("certfile %s" % identity.cert, "keyfile %s" % identity.key)
        with mosquitto_running(tmp_path, listener=listener) as broker:
            async with DeviceApiStub(broker.port, product_secret).running(tls) as api:
                mcu = McuOnPty(tmp_path, product_secret=product_secret or None, slower=SLOWER)
                mcu.power_on()
                lines = "%s\n%s" % (api.url, settings)
                async with upy_agent(tmp_path, lines, mcu.path, ROOMY) as agent:
                    await agent.connected()
                    await scene(agent, mcu, api)

    in_loop(whole())


def test_a_device_that_shows_and_asks_for_the_time_comes_online(tmp_path):
    async def scene(agent, mcu, api):
        await agent.says("online, did")
        await agent.clock(5000)
        assert "Error" not in agent.said

    device(tmp_path, scene, "led = 2\nntp_host = 127.0.0.1")


def test_a_product_with_a_secret_speaks_generation_b(tmp_path):
    async def scene(agent, mcu, api):
        await agent.says("online, did")
        assert api.secrets

    device(tmp_path, scene, product_secret=PRODUCT_SECRET)


def test_all_of_the_cloud_is_reached_by_tls(tmp_path):
    authority = Authority(tmp_path)

    async def scene(agent, mcu, api):
        await agent.says("online, did")

    # In the chip's own files.
    (tmp_path / "state").mkdir()
    shutil.copy(authority.ca, tmp_path / "state" / "ca.pem")
    device(tmp_path, scene, "ca_file = ca.pem\nntp_host = 127.0.0.1\nmqtt_tls = yes", authority=authority)


def test_the_mcu_has_the_network_configured_by_the_form(tmp_path):
    port = free_port()

    async def scene(agent, mcu, api):
        await agent.says("online, did")
        mcu.request(CMD_CONFIG_MODE, bytes((CONFIG_SOFTAP,)))
        await agent.says("is open for configuration")
        assert b"200" in await posted(port, b"ssid=home&pass=sweethome")
        await agent.says("online, did", times=2)
        networks = [json.loads(path.read_text().split("\n", 1)[1]) for path in agent.state.glob("networks.?")]
        assert ["home", "sweethome"] in [network.get("current") for network in networks]

    device(tmp_path, scene, "form_port = %d" % port)


async def posted(port, form):
    """What the form answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(form), form))
    answer = await reader.read()
    writer.close()
    return answer
