"""`localcloud doctor` and `localcloud console`: what a person is told, in a process of its own."""

import re
import socket
import subprocess
import sys
import threading

import pytest
from localcloud import doctor, doctor_probes
from localcloud.certificate import make_certificate
from localcloud.settings import Settings
from testkit.cloud_running import running_cloud
from testkit.deaf_port import deaf_port
from testkit.patience import PATIENCE_S

# A cloud on a busy machine may take longer to answer than the doctor waits.
_PATIENT = """
import sys
from localcloud import __main__, doctor_probes
doctor_probes.TIMEOUT_S = %d
sys.exit(__main__.main())
"""


def _run(folder, *args, stdin="", start=("-m", "localcloud")):
    command = [sys.executable, *start, *map(str, args), "--data", str(folder)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE_S)


def _states(text):
    """layer -> state of every line that is no fix."""
    return {match[2]: match[1] for match in re.finditer(r"^(ok|note|FAIL) +(port 80|\S+) ", text, re.MULTILINE)}


def test_a_cloud_that_runs_and_lacks_nothing_is_found_good(tmp_path):
    make_certificate(tmp_path, ["127.0.0.1"])
    assert _run(tmp_path, "console", "password", stdin="Operator-1\n").returncode == 0
    with running_cloud(tmp_path, https_port=0, mqtts_port=0) as cloud:
        http, mqtt, websocket = cloud.cloud.http_port, cloud.cloud.mqtt_port, cloud.cloud.websocket.port
        ports = ("--http-port", http, "--mqtt-port", mqtt, "--ws-port", websocket)
        result = _run(tmp_path, "doctor", "--host", "127.0.0.1", *ports, start=("-c", _PATIENT % PATIENCE_S))
    states = _states(result.stdout)
    assert {states[layer] for layer in ("clock", "data", "HTTP", "MQTT", "WebSocket", "TLS")} == {"ok"}
    assert "FAIL" not in result.stdout
    assert result.returncode == 0


def test_what_does_not_answer_is_a_failure_with_what_to_do_and_status_1(tmp_path):
    with deaf_port() as port:
        ports = [word for flag in ("--http-port", "--mqtt-port", "--ws-port") for word in (flag, port)]
        result = _run(tmp_path, "doctor", "--host", "127.0.0.1", *ports)
    states = _states(result.stdout)
    assert {states[layer] for layer in ("HTTP", "MQTT", "WebSocket", "products")} == {"FAIL"}
    assert (states["console"], states["TLS"], states["DNS"]) == ("note", "note", "note")
    assert result.stdout.count("localcloud run") == 3
    assert result.returncode == 1
    assert "Traceback" not in result.stderr


def test_a_database_that_is_none_is_a_failure_and_the_rest_is_examined(tmp_path):
    (tmp_path / "cloud.db").write_bytes(b"my diary" * 1000)
    with deaf_port() as port:
        result = _run(tmp_path, "doctor", "--http-port", port)
    assert _states(result.stdout)["data"] == "FAIL"
    assert "HTTP" in _states(result.stdout)


def test_a_program_that_is_something_else_is_told_from_a_cloud():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        other.settimeout(PATIENCE_S)
        for probe in (doctor_probes.open_api, doctor_probes.mqtt, doctor_probes.websocket):
            assert _asked(probe, other, port) is False


def _asked(probe, other, port):
    """What the probe says of a server that answers everything with one line."""

    def answer():
        connection, _ = other.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"220 mail.example ESMTP\r\n")

    answering = threading.Thread(target=answer)
    answering.start()
    seen, is_good = probe("127.0.0.1", port)
    answering.join(PATIENCE_S)
    assert str(port) in seen
    return is_good


def test_a_broker_that_lets_strangers_in_is_told(monkeypatch):
    monkeypatch.setattr(doctor_probes, "TIMEOUT_S", PATIENCE_S)
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            connection, _ = other.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"\x20\x02\x00\x00")

        answering = threading.Thread(target=answer)
        answering.start()
        seen, is_good = doctor_probes.mqtt("127.0.0.1", other.getsockname()[1])
        answering.join(PATIENCE_S)
    assert "no password" in seen
    assert not is_good


def test_a_certificate_that_lacks_a_region_is_a_failure_with_the_command_that_makes_it(tmp_path):
    make_certificate(tmp_path, ["cloud.home"])
    settings = Settings(tmp_path, regions={"euapi.gizwits.com": "eum2m.gizwits.com"})
    (finding,) = [finding for finding in doctor.examine(settings) if finding.layer == "regions"]
    assert finding.state == doctor.BAD
    assert finding.fix == "localcloud cert cloud.home euapi.gizwits.com eum2m.gizwits.com"


@pytest.mark.parametrize("password", ["", "short", "onlylowercase"])
def test_a_weak_operator_password_is_refused(tmp_path, password):
    result = _run(tmp_path, "console", "password", stdin=password + "\n")
    assert result.returncode == 1
    assert result.stderr.startswith("localcloud: password: expected")
