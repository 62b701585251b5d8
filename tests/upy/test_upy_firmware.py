"""An MCU upgrade over the chip's port: from `localcloud ota add` to what the MCU runs."""

import pytest
from testkit.chain_running import PRODUCT_KEY
from testkit.ota_operator import begin_upgrade
from testkit.processes_running import until
from testkit.upy_chain import UpyChain

pytestmark = pytest.mark.micropython

# A transfer takes some three seconds.
SLOW = ("--baud", 115200, "--pace")


def upgrading(processes, *flags):
    """A chain with an image for the MCU, which has these flags, on trial; (chain, operator, number, did)."""
    chain = UpyChain(processes)
    return chain, *begin_upgrade(chain, *flags)


def test_an_image_goes_over_the_chip_to_the_mcu_and_the_cloud_sees_that_it_runs(processes):
    chain, operator, number, did = upgrading(processes)
    chain.agent.says("firmware is offered: 00000002")
    chain.mcu.says("00000002")
    until(lambda: operator.state(number)[0] == "done", "the cloud knows")
    # Who signed it is trusted from now on.
    assert list(chain.identity["firmware_keys"]) == [PRODUCT_KEY]
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")


def test_a_chip_that_loses_power_in_the_middle_goes_on_without_a_second_download(processes):
    # An MCU that asks for no more keeps the transfer in its middle until the power goes.
    chain, operator, number, _ = upgrading(processes, "--misbehave", "stop-asking 9000")
    chain.mcu.says("as ordered: stop")
    stored = chain.identity_path.parent / "mcu.image"
    downloaded_at = stored.stat().st_mtime_ns
    chain.agent.kill()
    mark = chain.mcu.mark()
    chain.mcu.tell("misbehave stop-asking 9000")
    chain.mcu.tell("get timer")
    chain.mcu.says("timer ", since=mark)
    chain.start_agent()
    chain.mcu.says("as ordered: stop", since=mark)
    assert stored.stat().st_mtime_ns == downloaded_at
    chain.agent.kill()
    chain.start_agent()
    until(lambda: operator.state(number)[0] == "done", "the cloud knows")


def test_reports_go_on_while_an_image_is_on_its_way(processes):
    chain, operator, number, did = upgrading(processes, *SLOW)
    chain.mcu.says("firmware: 9")
    chain.mcu.tell("set timer 77")
    until(lambda: chain.app.attrs(did).get("timer") == 77, "the report reaches the app")
    until(lambda: operator.state(number)[0] == "done", "the cloud knows")
