"""An MCU upgrade over the chip's port: from `localcloud ota add` to what the MCU runs."""

import pytest
from testkit.ota_operator import OtaOperator, mcu_image
from testkit.processes_running import until
from testkit.upy_chain import UpyChain

pytestmark = pytest.mark.micropython

# The demo's MCU.
HARD, OLD, NEW = "00000001", "00000001", "00000002"
SIZE = 30_000


def upgrading(processes):
    """A chain with an image for the MCU on trial; (chain, operator, number, did)."""
    chain = UpyChain(processes)
    chain.add_product()
    chain.start_cloud()
    flash = processes.folder / "flash"
    chain.start_mcu("--flash", flash, "--soft-ver", OLD, "--hard-ver", HARD, "--piece", 512)
    chain.start_agent()
    chain.agent.says("online, did")
    did = chain.bind()
    operator = OtaOperator(chain)
    operator.ota("keygen")
    number = operator.add(mcu_image(NEW, SIZE), "mcu", HARD, NEW)
    operator.ota("verify", number, did)
    return chain, operator, number, did


def test_an_image_goes_over_the_chip_to_the_mcu_and_the_cloud_sees_that_it_runs(processes):
    chain, operator, number, did = upgrading(processes)
    chain.agent.says("firmware 00000002")
    chain.mcu.says("00000002")
    until(lambda: operator.state(number)[0] == "done", "the cloud knows")
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")
