"""A running cloud: one for all tests that only add to it, and a fresh one for those that count."""

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit import databases, parts
from testkit.cloud_running import RunningCloud, running_cloud
from testkit.postgresql_running import postgresql_running

# What no database can change: brokers, pages, processes that run on SQLite, pure functions. And what starts a server of
# its own.
WITHOUT_DATABASE = (
    "test_access",
    "test_admission",
    "test_broker*",
    "test_cloud_captures",
    "test_cloud_command",
    "test_cloud_device_command",
    "test_cloud_doctor",
    "test_cloud_killed",
    "test_cloud_masking",
    "test_cloud_one_write",
    "test_cloud_ota_brokers",
    "test_cloud_qr_code",
    "test_cloud_settings",
    "test_cloud_shared_broker",
    "test_cloud_tls",
    "test_cloud_workers",
    "test_console_*pages",
    "test_mosquitto*",
    "test_mqtt*",
    "test_open_api_document",
    "test_service",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL the tests of SQLite's file are left out, and those that have nothing to do with it."""
    if not databases.is_postgresql():
        return
    left_out = [item for item in items if item.get_closest_marker("sqlite") is not None or _has_no_database(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _has_no_database(item: pytest.Item) -> bool:
    return any(fnmatch.fnmatch(item.path.stem, pattern) for pattern in WITHOUT_DATABASE)


@pytest.fixture(scope="session", autouse=True)
def database_server() -> Iterator[None]:
    """The PostgreSQL of a run with CLOUD_DATABASE=postgresql."""
    if not databases.is_postgresql():
        yield
        return
    reason = parts.missing("postgresql")
    if reason:
        pytest.exit("the cloud's tests on PostgreSQL: this " + reason, returncode=os.environ.get("CI") == "true")
    with postgresql_running() as server:
        databases.use(server)
        yield


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture
def fresh_cloud(tmp_path: Path) -> Iterator[RunningCloud]:
    with running_cloud(tmp_path) as running:
        yield running
