"""The power goes while the configuration is written: there is always a good one, and it is not older than the last."""

import random
import shutil
import subprocess
import sys

import pytest
from testkit.upy_chain import PROCESS, built

pytestmark = pytest.mark.micropython

CUTS = 200
# An identity of the usual size; `number` tells which one it is.
WRITES_FOR_EVER = """
from gagent_upy import storage
record = storage.load("identity")[0]
number = record["number"] if record else 0
print("found", number)
while True:
    number += 1
    record = {"number": number, "mac": "A0B1C2D3E4F5", "did": "d" * 22, "passcode": "p" * 10, "old_did": "o" * 22}
    storage.save("identity", record)
    print("saved", number)
"""


@pytest.mark.parametrize("form", ["littlefs", "romfs"])
def test_a_power_cut_leaves_the_newest_identity_or_the_one_before(tmp_path, form):
    """`littlefs`: on the file system of a chip, in flash that keeps what it has. `romfs`: on that of this machine."""
    for name in ("shims.romfs", "littlefs.img", "app.romfs"):
        shutil.copy(built() / name, tmp_path / name)
    command = [sys.executable, PROCESS, "--firmware", tmp_path, "--form", form, "--keep", "--heap", "256K"]
    command += ["--state", tmp_path / "state", "--run", WRITES_FOR_EVER]
    rng = random.Random(5)
    saved = 0
    for _ in range(CUTS // 2):
        process = subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True, bufsize=1)
        found = process.stderr.readline().split()
        assert found[:1] == ["found"], found + process.stderr.readlines()
        assert int(found[1]) >= saved
        # Some writes on, and then at any moment of the next.
        for _ in range(rng.randrange(4)):
            saved = int(process.stderr.readline().split()[1])
        try:
            process.wait(rng.random() * 0.004)
        except subprocess.TimeoutExpired:
            process.kill()
        rest = process.stderr.read().splitlines()
        process.wait()
        process.stderr.close()
        saved = max(
            [saved, *[int(line.split()[1]) for line in rest if line.startswith("saved ") and line[6:].isdigit()]]
        )
    assert saved > CUTS // 2
