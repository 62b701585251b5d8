"""The module's own software over the air: taken, tried, confirmed; and taken back when it does not come up."""

import shutil
from pathlib import Path

import chip_tree
import pytest
from testkit.ota_operator import OtaOperator
from testkit.processes_running import until
from testkit.upy_chain import PROCESS, ROOMY, SETTINGS, UpyChain, built

pytestmark = pytest.mark.micropython

HARD, NEW, NEWER = "0000UNIX", "04020007", "04020008"
# As on an ESP8266: one image, and room behind it.
PARTITION = 320 * 1024


class UpgradedChain(UpyChain):
    """The chip in `form`, with flash that keeps what is written to it."""

    def __init__(self, processes, form):
        super().__init__(processes)
        self._form = form
        self.flash = processes.folder / "chip"
        shutil.copytree(built(), self.flash)
        with (self.flash / "app.romfs").open("r+b") as file:
            file.truncate(PARTITION)

    def start_agent(self):
        self._state.mkdir(exist_ok=True)
        (self._state / "gagent.txt").write_text(SETTINGS % self.api)
        arguments = ("--firmware", self.flash, "--form", self._form, "--heap", ROOMY, "--keep", "--state", self._state)
        self.agent = self.processes.start_file(PROCESS, *arguments, "GAGENT_UART=%s" % self.mcu_path)

    def offer(self, image, version):
        """As an operator; the number of the image."""
        operator = OtaOperator(self)
        number = operator.add(image.read_bytes(), "module", HARD, version)
        operator.ota("verify", number, self.identity["did"])
        return operator, number


IMAGES = {"mpy": "app.files", "romfs": "app.romfs"}


def bad(form: str, folder: Path) -> Path:
    """An image whose software raises when it is loaded."""
    import archive
    import firmware
    import profiles

    tree = folder / "bad"
    shutil.copytree(built() / "mpy", tree)
    for name in ("boot.py", "main.py", "loader.mpy", "package.json"):
        (tree / name).unlink()
    chip_tree.compile_texts({"gagent_chip.py": "raise ValueError('bad')\n"}, tree)
    if form == "mpy":
        (folder / "bad.files").write_bytes(archive.pack(tree))
        return folder / "bad.files"
    firmware._romfs(tree, folder / "bad.romfs", profiles.PROFILES["unix"])
    return folder / "bad.romfs"


@pytest.mark.parametrize("form", ["mpy", "romfs"])
def test_the_module_takes_its_own_software_and_runs_it(processes, form):
    chain = UpgradedChain(processes, form)
    did = chain.start()
    operator, number = chain.offer(built() / IMAGES[form], NEW)
    chain.agent.says("online, did " + did)
    until(lambda: operator.state(number)[0] == "done", "the cloud sees the version that runs")
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")


@pytest.mark.parametrize("form", ["mpy", "romfs"])
def test_software_that_does_not_come_up_is_taken_back(processes, form, tmp_path):
    chain = UpgradedChain(processes, form)
    did = chain.start()
    # The bad one never gets as far as to be online: what is online from here on is the one before.
    mark = chain.agent.mark()
    chain.offer(bad(form, tmp_path), NEW)
    chain.agent.says("software 04020007 did not come up: back to the one before", since=mark)
    chain.agent.says("online, did " + did, since=mark)
    chain.agent.says("tried again an hour after the start", since=mark)
    chain.app.control(did, power=True)
    chain.mcu.says("control: power true")
    # And it takes a good one.
    operator, number = chain.offer(built() / IMAGES[form], NEWER)
    until(lambda: operator.state(number)[0] == "done", "the cloud sees the version that runs")
