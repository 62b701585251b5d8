"""The load script measures, and at a load that is none nothing is lost."""

import subprocess
import sys

from testkit.repository import ROOT


def test_a_few_devices_lose_nothing():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "bench" / "cloud_load.py"), "--devices", "20", "--seconds", "2"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    head, _, row = done.stdout.splitlines()
    values = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert (values["sent"], values["lost"]) == ("40", "0")
