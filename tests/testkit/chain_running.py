"""The chain of the main job as three processes: a cloud, an MCU on a pseudo-terminal, the Linux port between them.

Addresses, data, identity and the path of the serial port stay the same when a process is killed and started again.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from .mosquitto_running import free_port
from .open_api_app import OpenApiApp
from .processes_running import Processes, RunningProcess, until
from .repository import ROOT

PRODUCT = ROOT / "tools" / "demo" / "heatpump.json"
PRODUCT_KEY = json.loads(PRODUCT.read_text())["product_key"]
PRODUCT_SECRET = "5e" * 16


class Chain:
    """`cloud`, `mcu` and `agent` are the processes that run now; `app` is a user who bound the device, once it is."""

    cloud: RunningProcess
    mcu: RunningProcess
    agent: RunningProcess

    def __init__(self, processes: Processes, broker: str = "embedded") -> None:
        self.processes = processes
        self.http_port = free_port()
        self.mqtt_port = free_port()
        self.api = "http://127.0.0.1:%d" % self.http_port
        self.app = OpenApiApp(self.http_port)
        self.data = processes.folder / "cloud"
        self.mcu_path = processes.folder / "mcu"
        self._state = processes.folder / "state"
        self._broker = broker

    @property
    def identity_path(self) -> Path:
        return self._state / "agent.json"

    @property
    def identity(self) -> dict[str, Any]:
        """mac, product_key, did, passcode... as the agent stored them."""
        return dict(json.loads(self.identity_path.read_text())["identity"])

    def add_product(self) -> None:
        """By the command, as an operator does, whether the cloud runs or not."""
        arguments = ("product", "add", PRODUCT, "--secret", PRODUCT_SECRET, "--data", self.data)
        assert self.processes.run("localcloud", *arguments).stdout == PRODUCT_KEY + "\n"

    def start_cloud(self) -> None:
        """Returns when it is ready."""
        ports = ("--http-port", self.http_port, "--mqtt-port", self.mqtt_port, "--ws-port", 0, "--wss-port", 0)
        arguments = ("run", "--data", self.data, "--broker", self._broker, "--host", "127.0.0.1", *ports)
        self.cloud = self.processes.start("localcloud", *arguments, stdin=subprocess.DEVNULL)
        self.cloud.says("ready")

    def start_mcu(self, *flags: object) -> None:
        """Returns when its serial port is there."""
        arguments = ("sim", "--product", PRODUCT, "--port", "pty", "--link", self.mcu_path)
        self.mcu = self.processes.start("mcu_debugger", *arguments, *flags)
        self.mcu.says("MCU of")

    def kill_mcu(self) -> None:
        """Ends it without a word and takes its port away, as pulling an adapter out does."""
        self.mcu.kill()
        # Before the kernel gives the terminal's number to another program.
        self.mcu_path.unlink()

    def start_agent(self, *flags: object, stdin: int = subprocess.DEVNULL) -> None:
        """Returns at once: what it waits for is what tests are about."""
        arguments = ("run", "--port", self.mcu_path, "--name", "agent", "--api", self.api, "--state", self._state)
        self.agent = self.processes.start("gagent_linux", *arguments, *flags, stdin=stdin)

    def start(self) -> str:
        """All three, and the device bound by a user; its did."""
        self.add_product()
        self.start_cloud()
        self.start_mcu()
        self.start_agent()
        self.agent.says("online, did")
        return self.bind()

    def bind(self) -> str:
        """The did of the device, which is online and now bound."""
        self.app.sign_up()
        device = self.app.bind(PRODUCT_KEY, PRODUCT_SECRET, self.identity["mac"])
        did = str(device["did"])
        self.shows_online(did)
        return did

    def shows_online(self, did: str) -> None:
        """Returns when the cloud does: its broker answers the agent first, and tells the cloud then."""
        until(lambda: self.app.is_online(did), "the cloud shows the device as online")
