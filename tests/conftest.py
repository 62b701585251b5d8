"""The policy on tests that cannot run here: skipped with the reason on a desk, failed in CI, where nothing may be.

A test marked `mosquitto` or `micropython` needs that part. A test marked `hardware` runs only when asked for
(`-m hardware`).
"""

import os

import pytest
from hypothesis import HealthCheck, settings
from testkit import parts

_IN_CI = os.environ.get("CI") == "true"
_skipped = pytest.StashKey[list[str]]()

# How long an example takes says only how busy the machine is. At a desk the examples are new each time and what they
# find is kept; in CI they are the same in every run, so that a failure there is the change's.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("desk"), derandomize=True, database=None)
settings.load_profile("ci" if _IN_CI else "desk")


def pytest_configure(config):
    config.stash[_skipped] = []
    config.pluginmanager.register(_SkipCounter(config), "skip-counter")


def pytest_collection_modifyitems(config, items):
    if "hardware" in config.option.markexpr:
        return
    asked = [item for item in items if item.get_closest_marker("hardware") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in asked])
    items[:] = asked


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    for marker in parts.PARTS:
        if item.get_closest_marker(marker) is None:
            continue
        reason = parts.missing(marker)
        if reason and _IN_CI:
            pytest.fail("this test " + reason, pytrace=False)
        if reason:
            pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if _IN_CI and session.config.stash[_skipped] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    skipped = config.stash[_skipped]
    if _IN_CI and skipped:
        terminalreporter.write_line("FAILED: %d skipped, and in CI nothing may be skipped:" % len(skipped), red=True)
        for nodeid in skipped:
            terminalreporter.write_line("  " + nodeid)


class _SkipCounter:
    """Notes what was skipped, whole files included; an expected failure is not a skip."""

    def __init__(self, config):
        self._skipped = config.stash[_skipped]

    def pytest_runtest_logreport(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skipped.append(report.nodeid)

    def pytest_collectreport(self, report):
        if report.skipped:
            self._skipped.append(report.nodeid)
