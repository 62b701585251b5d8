"""A cloud as a process of its own, so that it can be killed: `localcloud run` with a settings file."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from .cloud_running import Reply, wait_until
from .patience import PATIENCE_S

_HTTP = re.compile(r"device API on http://[^:]+:(\d+)/")
_MQTT = re.compile(r"MQTT broker .* on mqtt://[^:]+:(\d+)$")


class CloudProcess:
    """`http_port` and `mqtt_port` are valid after `start`, and stay when it is killed and started again."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.http_port = self.mqtt_port = 0
        self.lines: list[str] = []
        self._settings = {"http_host": "127.0.0.1", "mqtt_host": "127.0.0.1", "requests_per_minute": 0, **settings}
        self._process: subprocess.Popen | None = None
        self._is_ready = threading.Event()
        self._reader = threading.Thread()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = {"http_port": self.http_port, "mqtt_port": self.mqtt_port, "ws_port": 0, "wss_port": 0}
        values = {"data_dir": str(self.folder), **ports, **self._settings}
        path = self.folder / "settings.toml"
        path.write_text("".join("%s = %s\n" % (key, json.dumps(value)) for key, value in values.items()))
        self._is_ready.clear()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "run", "--config", str(path)],
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._is_ready.wait(PATIENCE_S), "\n".join(self.lines)
        assert self._process.poll() is None, "\n".join(self.lines)

    def kill(self) -> None:
        """As a power cut would; a broker that it started is gone too."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """In good order."""
        self._end(signal.SIGTERM)

    def request(self, method: str, path: str, body: bytes | str = b"", headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def wait_for(self, words: str) -> None:
        """Returns when a line of the log has these words."""
        deadline = time.monotonic() + PATIENCE_S
        while not any(words in line for line in list(self.lines)):
            assert time.monotonic() < deadline, "\n".join(self.lines)
            time.sleep(0.02)

    def _read(self) -> None:
        process = self._process
        assert process is not None and process.stderr is not None
        for line in process.stderr:
            self.lines.append(line.rstrip())
            for pattern, name in ((_HTTP, "http_port"), (_MQTT, "mqtt_port")):
                found = pattern.search(self.lines[-1])
                if found:
                    setattr(self, name, int(found[1]))
            if "ready; Ctrl-C stops" in line:
                self._is_ready.set()
        self._is_ready.set()

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(PATIENCE_S)
            self._reader.join(PATIENCE_S)
            if process.stderr is not None:
                process.stderr.close()
            if "://" not in self._settings.get("broker", ""):
                # The kernel ends a mosquitto with its cloud, but not at the same moment.
                wait_until(lambda: not _listens(self.mqtt_port))


def _listens(port: int) -> bool:
    """Whether anybody has that port."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
