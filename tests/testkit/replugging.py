"""An adapter that is pulled out and plugged in again, by its stable path, under a gateway that runs all the time."""

import asyncio
import pathlib

from .broker_stub import BrokerStub
from .device_api_stub import DeviceApiStub
from .gagent_running import gagent_running
from .heard import until
from .mcu_on_pty import McuOnPty


async def replug(folder: pathlib.Path, times: int) -> list[float]:
    """Seconds from the return of the node to the return to the cloud, each time."""
    mcu = McuOnPty(folder)
    mcu.power_on()
    took: list[float] = []
    async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
        flags = ("--port", mcu.path, "--name", "mcu", "--api", api.url, "--state", folder / "state")
        with gagent_running(folder, *flags) as process:
            await until(lambda: sum(broker.logins.values()) == 1, "it is on line", lambda: process.said)
            for count in range(times):
                mcu.power_off()
                await process.says("is gone", count + 1)
                mcu.power_on()
                began = asyncio.get_running_loop().time()
                await until(lambda: sum(broker.logins.values()) > len(took) + 1, "it is back", lambda: process.said)
                took.append(asyncio.get_running_loop().time() - began)
    return took
