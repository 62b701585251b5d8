"""The rules of `conftest.py`, each on a small session of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from testkit.patience import PATIENCE_S

TESTS = Path(__file__).parent

# A part that exists nowhere, so that the outcome does not depend on this machine.
_CONFTEST = """
from testkit import parts
parts.PARTS["mosquitto"] = parts.Part(("no-such-broker",), "a broker", "install it")
"""
_INI = "[pytest]\nmarkers =\n    mosquitto: broker\n    hardware: port\n"

NEEDS_BROKER = "import pytest\n@pytest.mark.mosquitto\ndef test_it():\n    pass\n"
NEEDS_HARDWARE = "import pytest\n@pytest.mark.hardware\ndef test_it():\n    raise ValueError\n"
SKIPS_ITSELF = "import pytest\ndef test_it():\n    pytest.skip('not today')\n"
SKIPS_THE_FILE = "import pytest\npytest.skip('not here', allow_module_level=True)\n"
PASSES = "def test_other():\n    pass\n"


@pytest.fixture
def run_session(tmp_path):
    def run(source, ci):
        (tmp_path / "pytest.ini").write_text(_INI)
        (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text() + _CONFTEST)
        (tmp_path / "test_one.py").write_text(source)
        (tmp_path / "test_two.py").write_text(PASSES)
        env = dict(os.environ, PYTHONPATH=str(TESTS), CI="true" if ci else "", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
        command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", str(tmp_path)]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE_S)

    return run


def test_a_missing_part_is_a_skip_with_its_reason(run_session):
    result = run_session(NEEDS_BROKER, ci=False)
    assert result.returncode == 0, result.stdout
    assert "1 passed, 1 skipped" in result.stdout
    assert "no-such-broker not found" in result.stdout
    assert "install it" in result.stdout


def test_a_missing_part_is_a_failure_in_ci(run_session):
    result = run_session(NEEDS_BROKER, ci=True)
    assert result.returncode == 1, result.stdout
    assert "1 passed, 1 error" in result.stdout
    assert "no-such-broker not found" in result.stdout


@pytest.mark.parametrize("source", [SKIPS_ITSELF, SKIPS_THE_FILE])
def test_a_skip_for_any_other_reason_fails_the_session_in_ci(run_session, source):
    assert run_session(source, ci=False).returncode == 0
    result = run_session(source, ci=True)
    assert result.returncode == 1, result.stdout
    assert "nothing may be skipped" in result.stdout


def test_hardware_is_left_out_and_not_skipped(run_session):
    result = run_session(NEEDS_HARDWARE, ci=True)
    assert result.returncode == 0, result.stdout
    assert "1 passed, 1 deselected" in result.stdout
