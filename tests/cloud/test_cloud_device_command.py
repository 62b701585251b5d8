"""`localcloud device`, and a product whose devices have owners."""

import json
import subprocess
import sys

import pytest
from localcloud import qr_code
from testkit.cloud_running import LAMP, PASSCODE, PRODUCT_KEY, PRODUCT_SECRET, mqtt_device, running_cloud
from testkit.patience import PATIENCE_S

# The command finds the database of the cloud in its data directory.
pytestmark = pytest.mark.sqlite


@pytest.fixture
def cloud(tmp_path):
    """A cloud whose database the command uses too."""
    with running_cloud(tmp_path / "data") as running:
        yield running


def _run(folder, *args):
    command = [sys.executable, "-m", "localcloud", *args, "--data", str(folder / "data")]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)


def test_devices_in_use_are_listed_with_their_state(cloud, tmp_path):
    gone = cloud.register("C001")
    one, two = cloud.register("C001", passcode="RESETRESET"), cloud.register("C002")
    with mqtt_device(cloud, two):
        lines = set(_run(tmp_path, "device", "list").stdout.splitlines())
    assert lines == {"%s %s C001 offline" % (one, PRODUCT_KEY), "%s %s C002 online" % (two, PRODUCT_KEY)}
    assert gone not in "".join(lines)


def test_the_code_of_the_command_binds_the_device(cloud, tmp_path):
    did = cloud.register("C003")
    made = _run(tmp_path, "device", "qr", PRODUCT_KEY.upper(), "C003", "--svg", str(tmp_path / "code.svg"))
    assert made.returncode == 0
    token = cloud.user()
    assert cloud.app("POST", "/app/bind_latest", {"qr_content": made.stdout.strip()}, token).status == 201
    assert cloud.app("GET", "/app/devices/" + did, token=token).json["passcode"] == PASSCODE
    assert "<svg" in (tmp_path / "code.svg").read_text()


def test_a_code_for_an_unknown_product_is_one_line_and_status_1(cloud, tmp_path):
    result = _run(tmp_path, "device", "qr", "00" * 16, "C003")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "localcloud: product %s is not known: see `localcloud product list`\n" % ("00" * 16)


def test_the_command_makes_a_product_whose_devices_have_owners(cloud, tmp_path):
    path = tmp_path / "lamp.json"
    path.write_text(json.dumps(LAMP))
    assert _run(tmp_path, "product", "add", str(path), "--secret", PRODUCT_SECRET, "--sharing").returncode == 0
    cloud.register("C004")
    assert cloud.bind(cloud.user("owner"), "C004").json["role"] == "owner"


def test_a_code_is_not_made_with_the_secret_in_it(cloud, tmp_path):
    content = _run(tmp_path, "device", "qr", PRODUCT_KEY, "C005").stdout.strip()
    assert PRODUCT_SECRET not in content
    code = qr_code.parse_content(content)
    assert isinstance(code, qr_code.MacCode)
    assert code.mac(PRODUCT_SECRET) == "C005"
