"""A running cloud: one for all tests that only add to it, and a fresh one for those that count."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.cloud_running import RunningCloud, running_cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture
def fresh_cloud(tmp_path: Path) -> Iterator[RunningCloud]:
    with running_cloud(tmp_path) as running:
        yield running
