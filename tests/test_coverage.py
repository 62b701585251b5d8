"""Examples alone, tests whose inputs are written down and not drawn, run every line and branch of mcu_proto."""

import os
import subprocess
import sys

from testkit.repository import ROOT


def test_examples_run_every_line_and_branch_of_mcu_proto(tmp_path):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/proto", "-m", "not hypothesis"]
    command += ["--cov", "--cov-report=term-missing:skip-covered", "--cov-fail-under=100"]
    env = dict(os.environ, COVERAGE_FILE=str(tmp_path / "coverage"))
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
