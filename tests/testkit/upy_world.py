"""The chip's port as a process, between an MCU on a pty and stubs of broker and cloud."""

import asyncio

from gagent_upy import storage

from gagent import topics, wire
from mcu_proto.const import CMD_P0_UP
from mcu_proto.link import Acked

from . import upy_program
from .broker_stub import BrokerStub
from .device_api_stub import DeviceApiStub
from .mcu_on_pty import McuOnPty
from .mosquitto_running import free_port
from .slow_clock import SLOWER


class World:
    """`broker` and `api` of a cloud, an `mcu`, and the settings of a chip between them."""

    def __init__(self, folder, broker, api, mcu):
        self.folder = folder
        self.broker = broker
        self.api = api
        self.mcu = mcu
        self.air("home homesecret")
        self.form_port = free_port()
        self.settings = ["api_url = " + api.url, "ssid = home", "key = homesecret", "form_port = %d" % self.form_port]

    @property
    def did(self):
        return self.identity["did"]

    @property
    def identity(self):
        return storage.load(str(self.folder / "identity"))[0]

    def air(self, *networks):
        """What is in reach of the radio: `ssid key` each."""
        (self.folder / "air").write_text("".join(line + "\n" for line in networks))

    def port(self, *settings, **options):
        environment = {"GAGENT_UART": self.mcu.path, "GAGENT_AIR": self.folder / "air"}
        return upy_program.port(self.folder, *self.settings, *settings, **environment, **options)

    def acked(self):
        """How many reports the MCU got acked."""
        return len([x for x in self.mcu.seen if isinstance(x, Acked) and x.token == CMD_P0_UP])

    def reports(self):
        """P0 of what was published to all apps, oldest first."""
        mine = [payload for topic, payload in self.broker.published if topic == topics.dev2app(self.did)]
        return [wire.decode(payload).p0 for payload in mine]


def in_a_world(folder, scenario):
    """Runs `scenario(world)` with the MCU powered."""

    async def play():
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            mcu = McuOnPty(folder, slower=SLOWER)
            mcu.power_on()
            try:
                await scenario(World(folder, broker, api, mcu))
            finally:
                mcu.power_off()

    asyncio.run(play())
