"""The short version of `kill_minus_nine.py`: each life is ended at a random moment, and nothing may be lost."""

import random

import pytest
from testkit.killed_gateway import KilledGateway, device_api_running
from testkit.mosquitto_running import mosquitto_running


@pytest.mark.mosquitto
def test_a_gateway_that_is_killed_at_any_moment_loses_nothing(tmp_path):
    with mosquitto_running(tmp_path) as broker, device_api_running(broker) as url:
        gateway = KilledGateway(tmp_path / "gateway", "A0B1C2D3E4F5", url, broker, random.Random())
        figures = gateway.run(kills=20, longest_s=0.8)
    print(figures)
    assert figures.acked > 0
    assert figures.unreadable == []
    assert figures.lost == 0
    assert figures.out_of_order == 0
    assert figures.most_duplicates <= 1
