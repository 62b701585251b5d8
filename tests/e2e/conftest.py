"""Real processes, ended with the test, and the chain of the main job made of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.chain_running import Chain
from testkit.processes_running import Processes, processes_running


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with processes_running(tmp_path) as running:
        yield running


@pytest.fixture
def port() -> type[Chain]:
    """Whose agent stands in the middle; a file that is about every port has a fixture of this name itself."""
    return Chain


@pytest.fixture
def chain(processes: Processes, port: type[Chain]) -> Chain:
    return port(processes)


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def chain_of_each_broker(processes: Processes, port: type[Chain], request: pytest.FixtureRequest) -> Chain:
    return port(processes, request.param)
