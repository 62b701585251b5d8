"""The parts of the main job in one event loop: a cloud, an MCU on a pseudo-terminal, an agent on a serial line."""

import asyncio
import errno
import io
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gagent_linux.gateway import Gateway
from gagent_linux.log import Redactor, open_log
from gagent_linux.settings import PortSettings
from gagent_linux.settings import Settings as GatewaySettings
from localcloud.app import Cloud
from localcloud.settings import Settings as CloudSettings
from mcu_debugger.port import open_port
from mcu_debugger.simulator import McuSimulator

from mcu_proto.link import SendSerial


class SimulatedMcu:
    """A `McuSimulator` on a pseudo-terminal; `heard` gets each of its effects but the bytes."""

    def __init__(self, definition: dict[str, Any], values: dict[str, Any], heard: Callable[[Any], None]) -> None:
        self.simulator = McuSimulator(definition, values)
        self._heard = heard
        self._port: Any = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def path(self) -> str:
        return str(self._port.name)

    def start(self) -> None:
        self._port = open_port("pty", 9600)
        asyncio.get_running_loop().add_reader(self._port.fileno(), self._read)
        self._perform(self.simulator.start(_now()))

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._port.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._port.close()

    def set(self, **values: Any) -> None:
        """The appliance changes attributes itself."""
        self._perform(self.simulator.set(values, _now()))

    def _read(self) -> None:
        self._perform(self.simulator.receive_serial(self._port.read(), _now()))

    def _time_is_up(self) -> None:
        self._perform(self.simulator.handle_timeout(_now()))

    def _perform(self, effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, SendSerial):
                self._port.write(effect.data)
            else:
                self._heard(effect)
        if self._timer is not None:
            self._timer.cancel()
        due = self.simulator.next_timeout()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at((due + 0.5) / 1000, self._time_is_up)


def make_cloud(data_dir: Path, http_port: int, mqtt_port: int, broker: str) -> Cloud:
    """A cloud of this machine; a port that is taken is replaced by a free one."""
    return Cloud(
        CloudSettings(
            data_dir=data_dir,
            http_host="127.0.0.1",
            http_port=http_port if _is_free(http_port) else 0,
            mqtt_host="127.0.0.1",
            mqtt_port=mqtt_port if _is_free(mqtt_port) else 0,
            ws_port=0,
            wss_port=0,
            broker=broker,
            products="any",
        )
    )


def make_gateway(api: str, state: Path, port: str, baud: int, log: io.TextIOBase) -> Gateway:
    """An agent on `port`; what it has to say goes into `log`, its troubles to stderr as well."""
    redactor = Redactor()
    logger = open_log(1, redactor, log)  # type: ignore[arg-type]
    troubles = logging.StreamHandler()
    troubles.setLevel(logging.WARNING)
    troubles.setFormatter(redactor)
    logger.addHandler(troubles)
    settings = GatewaySettings((PortSettings("demo", port, baud),), str(state), api)
    return Gateway(settings, logger, redactor)


def quiet_libraries() -> None:
    """The story is the demo's own; libraries speak up when something is wrong."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            # Whatever else is wrong with it, the cloud says it better.
            return error.errno != errno.EADDRINUSE
        return True


def _now() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
