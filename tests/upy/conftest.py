"""Real processes, ended with the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.processes_running import Processes, processes_running


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with processes_running(tmp_path) as running:
        yield running
