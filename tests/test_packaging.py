"""What a person installs and types: the wheel, the editable install, the Makefile, CI."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata

import pytest
from testkit.repository import ROOT, packages, sources

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LISTED = PROJECT["tool"]["setuptools"]["packages"]
FOLDERS = PROJECT["tool"]["setuptools"]["package-dir"]
TARGETS = (
    "demo",
    "run",
    "test",
    "lint",
    "coverage",
    "mutation",
    "bench",
    "fleet",
    "fuzz",
    "firmware",
    "heap",
    "size",
    "clean",
)
# Copied or frozen onto a chip, in no wheel.
NOT_IN_THE_WHEEL = {"gagent_upy", "steps"}


def _run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_every_package_on_disk_is_listed_and_no_other():
    found = set()
    for package, folder in packages().items():
        if package in NOT_IN_THE_WHEEL:
            continue
        inits = [path.parent for path in sources(folder) if path.name == "__init__.py"]
        found |= {".".join((package, *path.relative_to(folder).parts)) for path in inits}
    assert set(LISTED) == found


@pytest.mark.parametrize("package", FOLDERS)
def test_a_directory_has_the_name_of_its_import(package):
    folder = ROOT / FOLDERS[package]
    assert folder.name == package
    assert (folder / "__init__.py").exists()


def test_the_version_is_said_once_and_the_same_everywhere():
    tree = ast.parse((ROOT / "gagent" / "__init__.py").read_text())
    versions = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    assert versions == [PROJECT["project"]["version"]]


@pytest.mark.parametrize("command", PROJECT["project"]["scripts"])
def test_a_command_leads_to_a_function_that_exists(command):
    module, function = PROJECT["project"]["scripts"][command].split(":")
    package, name = module.split(".", 1)
    tree = ast.parse((packages()[package] / (name + ".py")).read_text())
    assert function in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_the_wheel_holds_the_packages_and_nothing_else(tmp_path):
    source = tmp_path / "source"
    leave_out = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "state")
    shutil.copytree(ROOT, source, ignore=leave_out)
    build = "from setuptools import build_meta; print(build_meta.build_wheel(%r))" % str(tmp_path)
    result = _run(sys.executable, "-c", build, cwd=source)
    assert result.returncode == 0, result.stderr
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    found = {name.rsplit("/", 1)[0].replace("/", ".") for name in names if name.endswith("/__init__.py")}
    assert found == set(LISTED)
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {package.split(".")[0] for package in LISTED}


def test_an_editable_install_shows_the_packages_and_hides_the_plain_folders(tmp_path):
    try:
        metadata.distribution("gagent")
    except metadata.PackageNotFoundError:
        pytest.skip("gagent is not installed in this interpreter: pip install -e .")
    wanted = "import %s" % ", ".join(sorted({package.split(".")[0] for package in LISTED}))
    result = _run(sys.executable, "-P", "-c", wanted, cwd=tmp_path, env={})
    assert result.returncode == 0, result.stderr
    for folder in ("tools", "ports", "tests", "testkit"):
        result = _run(sys.executable, "-P", "-c", "import " + folder, cwd=tmp_path, env={})
        assert "No module named '%s'" % folder in result.stderr


def test_make_alone_explains_every_target():
    result = _run("make", "--no-print-directory", cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert [line.split()[1] for line in result.stdout.splitlines()] == list(TARGETS)


def test_make_run_without_a_port_says_what_to_do():
    env = {name: value for name, value in os.environ.items() if name != "PORT"}
    result = _run("make", "--no-print-directory", "run", cwd=ROOT, env=env)
    assert result.returncode == 2
    assert result.stderr.splitlines()[0].endswith("for example: make run PORT=/dev/ttyUSB0")


OLD_PYTHON = '#!/bin/sh\ncase "$1" in -V) echo "Python 3.9.2";; *) exit 1;; esac\n'
NO_VENV = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n'


@pytest.mark.parametrize(
    ("script", "line"),
    [
        (None, "python not found: install Python 3.11 or newer"),
        (OLD_PYTHON, "is Python 3.9.2: name another: make PYTHON=python3.11"),
        (NO_VENV, "on Debian: apt-get install -y python3-venv"),
    ],
)
def test_an_unusable_python_is_named_before_anything_is_made(tmp_path, script, line):
    python = tmp_path / "python"
    if script:
        python.write_text(script)
        python.chmod(0o755)
    venv = tmp_path / "venv"
    result = _run("make", "--no-print-directory", "demo", "PYTHON=%s" % python, "VENV=%s" % venv, cwd=ROOT)
    assert result.returncode == 2
    assert line in result.stderr
    assert not venv.exists()


def test_ci_runs_what_a_person_runs():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands[0] == "set -euo pipefail"
    assert commands[-1] == "exec make test"
