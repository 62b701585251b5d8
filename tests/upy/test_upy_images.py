"""What `make firmware` makes is mounted as on a board and runs: from read-only flash, from littlefs, as plain files."""

import pytest
from testkit.device_api_stub import DeviceApiStub
from testkit.heard import in_loop
from testkit.mcu_on_pty import McuOnPty
from testkit.mosquitto_running import mosquitto_running
from testkit.slow_clock import SLOWER
from testkit.upy_agent import upy_agent
from testkit.upy_chain import ROOMY, SETTINGS

pytestmark = [pytest.mark.micropython, pytest.mark.mosquitto]

# On littlefs everything is in the image, so the settings have to be put there.
IN_THE_IMAGE = "with open('gagent.txt', 'w') as file: file.write(%r)\nimport boot\nimport main"


@pytest.mark.parametrize("form", ["romfs", "littlefs", "mpy"])
def test_an_image_brings_a_device_online(tmp_path, form):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            async with DeviceApiStub(broker.port).running() as api:
                mcu = McuOnPty(tmp_path, slower=SLOWER)
                mcu.power_on()
                run = IN_THE_IMAGE % (SETTINGS % api.url) if form == "littlefs" else ""
                async with upy_agent(tmp_path, api.url, mcu.path, ROOMY, form, run) as agent:
                    await agent.connected()
                    await agent.says("online, did")
                assert ("identity.0" in [path.name for path in agent.state.iterdir()]) == (form != "littlefs")

    in_loop(scene())
