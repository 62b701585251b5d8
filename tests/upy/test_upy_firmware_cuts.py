"""The power goes at any byte of a download or an install: the chip boots the old version or the new, and gets there."""

import functools
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import archive
import chip_tree
import firmware
import profiles
import pytest
from gagent_upy.uplink import READY
from testkit.image_server import ImageServer
from testkit.patience import PATIENCE_S
from testkit.upy_chain import PROCESS, built

pytestmark = pytest.mark.micropython

CUTS = 50
PARTITION = 128 * 1024
CUT_EXIT = 76

DOWNLOADS = """
import select, time
from gagent.ota import Download, DropFirmware, FirmwareFailed, Image
from gagent_upy.firmware import Firmware


class Agent:
    def firmware(self, event):
        if isinstance(event, Image):
            heard.append("whole %s %s %d" % (event.md5, event.sha256, event.size))
        elif isinstance(event, FirmwareFailed):
            heard.append("failed " + event.why)


class Network:
    dns = ""


heard = []
poll = select.poll()
part = Firmware(poll, Network, lambda method, *a: method(*a), Agent(), None, None, None)
part.perform(Download(2, "{version}", "{url}", 1 << 20))
while not heard:
    poll.poll(2)
    part.turn(time.ticks_ms())
print(heard[0])
"""

BOOTS = """
import sys
import loader

if loader.boot():
    print("reset")
else:
    try:
        from which import VERSION
    except ImportError:
        VERSION = "0"  # what a person installed
    print("runs", VERSION)
    from gagent_upy.trial import Trial

    class Uplink:
        state = {ready}

    trial = Trial(None)
    trial.uplink = Uplink
    if trial.is_on:
        trial.turn(0)
    if VERSION != "{version}":
        from gagent_upy.install import install

        with open("{offered}", "rb") as file, open("module.image", "wb") as out:
            out.write(file.read())
        install("module.image", "{version}", "{digest}", 0, None)
    else:
        print("confirmed")
"""


@functools.cache
def plain():
    """The files of a chip as their sources have it: in what a chip runs, nothing has a name for a test to call."""
    folder = Path(tempfile.mkdtemp(prefix="gagent-plain-"))
    chip_tree.compile_texts({at: path.read_text() for at, path in chip_tree.files_of("unix").items()}, folder / "board")
    firmware._littlefs(folder / "board", folder / "littlefs.img", profiles.PROFILES["unix"])
    return folder


class Chip:
    """The flash of one, in `folder`; each run is a life from power on to the end of the program, or of the power."""

    def __init__(self, folder, form, rng):
        self.folder = folder
        self._form = form
        self._rng = rng
        self.cuts = 0
        folder.mkdir()
        for name in ("shims.romfs", "app.romfs"):
            shutil.copy(built() / name, folder / name)
        shutil.copy(plain() / "littlefs.img", folder)
        # What writes to flash here is not part of the image that is written.
        shutil.copytree(plain() / "board", folder / "board")

    def run(self, program, most):
        """The lines of `program`, whose power goes within `most` bytes of flash, or somewhere else, or not at all."""
        command = [sys.executable, PROCESS, "--firmware", self.folder, "--form", self._form, "--keep", "--heap", "1M"]
        command += ["--state", self.folder / "state", "--run", program, "GAGENT_CUT=%d" % self._rng.randrange(most)]
        done = subprocess.run([*map(str, command)], stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
        assert done.returncode in (0, CUT_EXIT), done.stderr
        self.cuts += done.returncode == CUT_EXIT
        return done.stderr.splitlines()


def test_a_download_that_is_cut_goes_on_and_ends_with_the_image(tmp_path):
    rng = random.Random(11)
    chip = Chip(tmp_path / "chip", "littlefs", rng)
    server = ImageServer(b"", {}, rng)
    images = 0
    try:
        while chip.cuts < CUTS:
            images += 1
            server.image = rng.randbytes(rng.randrange(1, 40_000))
            md5 = hashlib.md5(server.image).hexdigest()
            server.heads = {"Firmware-MD5": md5, "Soft-Version": "%08d" % images}
            program = DOWNLOADS.format(version="%08d" % images, url=server.url)
            while not (lines := chip.run(program, 3 * len(server.image) + 20_000)):
                assert chip.cuts < 10 * CUTS, "it never gets there"
            assert lines == ["whole %s %s %d" % (md5, hashlib.sha256(server.image).hexdigest(), len(server.image))]
    finally:
        server.close()
    assert images > 1


@pytest.mark.parametrize("form", ["littlefs", "romfs"])
def test_an_install_that_is_cut_runs_the_old_or_the_new_and_ends_with_the_new(tmp_path, form):
    """`littlefs`: folders of files. `romfs`: read-only flash, which has room for one image only."""
    rng = random.Random(12)
    chip = Chip(tmp_path / "chip", form, rng)
    with (chip.folder / "app.romfs").open("r+b") as file:
        file.truncate(PARTITION)
    number = 0
    while chip.cuts < CUTS:
        number += 1
        assert number < CUTS * 10
        offered = image(tmp_path, form, str(number), rng)
        digest, size = hashlib.sha256(offered.read_bytes()).hexdigest(), offered.stat().st_size
        program = BOOTS.format(ready=READY, version=number, offered=offered, digest=digest)
        lines = []
        while lines[-1:] != ["confirmed"]:
            lines = chip.run(program, 3 * size + 4000)
            runs = [line.split()[1] for line in lines if line.startswith("runs ")]
            assert not runs or runs[0] in (str(number), str(number - 1)), lines
            assert not [line for line in lines if "did not come up" in line]
        offered.unlink()
    assert number > 1


def image(folder, form, version, rng):
    """Software that says `version`, and some ballast."""
    tree = folder / version
    chip_tree.compile_texts({"which.py": "VERSION = %r\n" % version}, tree)
    (tree / "ballast").write_bytes(rng.randbytes(rng.randrange(1, 20_000)))
    out = folder / (version + ".image")
    if form == "littlefs":
        out.write_bytes(archive.pack(tree))
    else:
        # By where it is from, the module knows what it runs from.
        chip_tree.compile_texts({"gagent_chip.py": ""}, tree)
        firmware._romfs(tree, out, profiles.PROFILES["unix"])
    shutil.rmtree(tree)
    return out
