"""The `localcloud` command as a user meets it: a process, its output, its exit status."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from testkit.cloud_running import LAMP, PRODUCT_KEY
from testkit.patience import PATIENCE_S

SECRET = "5e" * 16


def _command(folder: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "localcloud", *args, "--data", str(folder / "data")]


def _run(folder: Path, *args: str, stdin: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(_command(folder, *args), input=stdin, capture_output=True, text=True, timeout=PATIENCE_S)


def _add_lamp(folder: Path) -> subprocess.CompletedProcess:
    path = folder / "lamp.json"
    path.write_text(json.dumps(LAMP))
    return _run(folder, "product", "add", str(path), "--secret", SECRET, "--name", "my lamp")


def test_a_product_is_added_and_listed(tmp_path):
    added = _add_lamp(tmp_path)
    assert (added.returncode, added.stdout, added.stderr) == (0, PRODUCT_KEY + "\n", "added product my lamp\n")
    assert "replaced" in _add_lamp(tmp_path).stderr
    assert _run(tmp_path, "product", "list").stdout == PRODUCT_KEY + " my lamp\n"


def test_a_definition_that_cannot_be_read_is_one_line_and_status_1(tmp_path):
    result = _run(tmp_path, "product", "add", "nothing.json", "--secret", SECRET)
    assert result.returncode == 1
    assert re.fullmatch(r"localcloud: product definition nothing\.json: .*No such file.*\n", result.stderr)


def test_an_app_is_added_and_listed(tmp_path):
    app_id = _run(tmp_path, "app", "add", "--name", "phone").stdout.strip()
    assert re.fullmatch("[0-9a-f]{32}", app_id)
    assert _run(tmp_path, "app", "list").stdout == "%s phone\n" % app_id


def test_the_password_of_a_user_comes_from_stdin(tmp_path):
    result = _run(tmp_path, "user", "add", "anna", stdin="Secret-word1\n")
    assert re.fullmatch("[0-9a-f]{32}\n", result.stdout)
    refused = _run(tmp_path, "user", "add", "bert", stdin="weakpassword\n")
    assert refused.returncode == 1
    assert "weakpassword" not in refused.stderr


@pytest.mark.parametrize(
    "args", [(), ("fly",), ("run", "--http-port", "x"), ("product", "add"), ("run", "--mqtt-port", "x")]
)
def test_misuse_is_status_2(tmp_path, args):
    result = subprocess.run(
        [sys.executable, "-m", "localcloud", *args], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert result.returncode == 2
    assert "usage: localcloud" in result.stderr


@pytest.mark.parametrize(
    "args", [("--help",), ("run", "--help"), ("product", "add", "--help"), ("user", "add", "--help")]
)
def test_help_shows_examples(args):
    result = subprocess.run(
        [sys.executable, "-m", "localcloud", *args], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert result.returncode == 0
    assert "examples:\n  localcloud " in result.stdout


def test_unusable_settings_are_one_line_and_status_2(tmp_path):
    path = tmp_path / "localcloud.toml"
    path.write_text("http_port = 80\nbroker = 'emqx'\n")
    result = _run(tmp_path, "run", "--config", str(path))
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    said = "localcloud: settings %s, line 2: broker is 'emqx', expected one of embedded, mosquitto, or a URL" % path
    assert line.startswith(said)


PORTS = ("--http-port", "--mqtt-port", "--ws-port", "--wss-port")


@pytest.mark.parametrize("taken", PORTS[:3])
def test_a_busy_port_is_one_clear_line_and_status_1(tmp_path, taken):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ports = [word for flag in PORTS for word in (flag, str(port) if flag == taken else "0")]
        result = _run(tmp_path, "run", "--host", "127.0.0.1", *ports)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("localcloud: ")
    assert "port %d" % port in last
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_tells_its_addresses_serves_and_stops_in_order(tmp_path, number):
    _add_lamp(tmp_path)
    ports = [word for flag in PORTS for word in (flag, "0")]
    command = _command(tmp_path, "run", "--host", "127.0.0.1", *ports)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        story = []
        for line in process.stderr:
            story.append(line)
            if "ready" in line:
                break
        url = re.search(r"Open API on (http://127\.0\.0\.1:\d+)/app", "".join(story))[1]
        request = urllib.request.Request(url + "/status", headers={"X-Gizwits-Application-Id": "0" * 32})
        assert json.load(urllib.request.urlopen(request, timeout=PATIENCE_S))["status"]
        process.send_signal(number)
        out, rest = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (0, "")
    assert "product %s my lamp" % PRODUCT_KEY in "".join(story)
    assert "stopped; everything is stored" in rest
    assert SECRET not in "".join(story) + rest
    assert "Traceback" not in "".join(story) + rest
