"""A mosquitto as several clouds share it: its dynamic security plugin, its log on a topic, sessions that are kept."""

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

from localcloud.mosquitto_process import find_plugin

from . import parts
from .mosquitto_running import Mosquitto

_ADMIN, _PASSWORD = "localcloud", "admin-password"

# What the README asks of such a broker; it says more often than there how long it has run.
_SETTINGS = """
allow_anonymous false
set_tcp_nodelay true
upgrade_outgoing_qos true
max_inflight_messages 200
max_queued_messages 100000
sys_interval 2
log_dest topic
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
log_type subscribe
connection_messages true
"""


class SharedMosquitto(Mosquitto):
    """`url` is what the settings of a cloud name."""

    @property
    def url(self) -> str:
        return "mqtt://%s:%s@127.0.0.1:%d" % (_ADMIN, _PASSWORD, self.port)

    def _write_settings(self) -> pathlib.Path:
        accounts = self._folder / "accounts.json"
        if not accounts.exists():
            command = parts.find("mosquitto_ctrl")
            if command is None:
                raise RuntimeError("mosquitto_ctrl not found: it comes with mosquitto")
            subprocess.run(
                [command, "dynsec", "init", str(accounts), _ADMIN, _PASSWORD], check=True, capture_output=True
            )
        lines = ["listener %d %s" % (self.port, self.host), _SETTINGS.strip(), "plugin %s" % find_plugin()]
        lines += ["plugin_opt_config_file %s" % accounts, "persistence true", "persistence_location %s/" % self._folder]
        if os.geteuid() == 0:
            lines.append("user root")
        path = self._folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        return path


@contextlib.contextmanager
def shared_mosquitto(folder: pathlib.Path) -> Iterator[SharedMosquitto]:
    """One that runs; its files go into `folder`."""
    broker = SharedMosquitto(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
