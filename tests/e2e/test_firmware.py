"""Firmware over the air through real processes: from `localcloud ota add` to what the MCU, or the module, runs."""

import signal
import zipfile

import pytest
from gagent_linux import firmware_command
from testkit.chain_running import PRODUCT_KEY, Chain
from testkit.ota_operator import OtaOperator, begin_upgrade, start_mcu
from testkit.processes_running import until

MODULE_HARD, MODULE_NEW = "000LINUX", "04020007"


def test_an_image_goes_from_the_operator_to_the_mcu_and_the_cloud_sees_that_it_runs(chain):
    operator, number, did = begin_upgrade(chain)
    chain.agent.says("the cloud offers firmware 00000002")
    chain.mcu.says("00000002")
    chain.agent.says("firmware 00000002 runs")
    until(lambda: operator.state(number)[0] == "done", "the cloud knows")
    assert "verified" in operator.ota("list")
    # The key that signed it is trusted from now on.
    assert list(chain.identity["firmware_keys"]) == [PRODUCT_KEY]
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")


@pytest.fixture
def slow_chain(processes):
    """A chain over a line of 57600 baud, on which a transfer of 30 kB takes some six seconds."""
    return SlowChain(processes)


class SlowChain(Chain):
    def start_mcu(self, *flags):
        super().start_mcu("--baud", 57600, "--pace", *flags)

    def start_agent(self, *flags):
        super().start_agent("--baud", 57600, *flags)


def test_an_agent_that_is_killed_in_the_middle_goes_on_without_a_second_download(slow_chain):
    chain = slow_chain
    operator, number, _ = begin_upgrade(chain)
    chain.mcu.says("firmware: 9")
    stored = chain.identity_path.parent / "agent.firmware" / "mcu.image"
    downloaded_at = stored.stat().st_mtime_ns
    chain.agent.kill()
    mark = chain.mcu.mark()
    chain.start_agent()
    chain.mcu.says("firmware: 9", since=mark)
    assert stored.stat().st_mtime_ns == downloaded_at
    chain.agent.says("firmware 00000002 runs")
    until(lambda: operator.state(number)[0] == "done", "the cloud knows")


def test_an_mcu_that_loses_power_in_the_middle_runs_the_old_version_and_gets_the_new_one_later(slow_chain):
    chain = slow_chain
    begin_upgrade(chain)
    chain.mcu.says("firmware: 9")
    chain.kill_mcu()
    start_mcu(chain)
    chain.agent.says("firmware not taken")
    chain.agent.says("firmware 00000002 runs")


def test_the_module_takes_its_own_software_and_runs_it(chain):
    did = chain.start()
    operator = OtaOperator(chain)
    packed = chain.processes.folder / "module.bin"
    firmware_command.pack(str(packed))
    number = operator.add(packed.read_bytes(), "module", MODULE_HARD, MODULE_NEW)
    mark = chain.agent.mark()
    operator.ota("verify", number, did)
    chain.agent.says("software 04020007 of the module is tried now", since=mark)
    chain.agent.says("online, did " + did, since=mark)
    until(lambda: operator.state(number)[0] == "done", "the cloud sees the version that runs")
    chain.shows_online(did)
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")
    # It is what runs after a restart too.
    assert chain.agent.stop() == 0
    chain.start_agent()
    chain.agent.says("online, did " + did)
    # Whoever kills the process that was started ends the slot with it.
    slot = next(pid for pid in chain.agent.offspring() if pid != chain.agent.pid)
    chain.agent.kill()
    until(lambda: slot not in chain.agent.offspring(), "the slot has ended")
    shown = chain.processes.run("gagent_linux", "firmware", "show", "--state", chain.identity_path.parent).stdout
    assert "slot a     version 04020007  runs" in " ".join(shown.split("\n"))


def test_module_software_that_does_not_come_up_is_taken_back(chain, tmp_path):
    did = chain.start()
    operator = OtaOperator(chain)
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", "import sys; sys.exit(1)")
    number = operator.add(path.read_bytes(), "module", MODULE_HARD, MODULE_NEW)
    mark = chain.agent.mark()
    operator.ota("verify", number, did)
    chain.agent.says("software 04020007 of the module is tried now", since=mark)
    chain.agent.says("back to the one before", since=mark)
    chain.agent.says("online, did " + did, since=mark)
    chain.shows_online(did)
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")
    chain.agent.signal(signal.SIGTERM)
    assert chain.agent.wait() == 0
