"""All ports of one process: started together, stopped together, and no trouble of one stops another."""

import asyncio
import logging
import os
import signal
import socket

from gagent.agent import Agent
from gagent.config import AgentConfig
from gagent.errors import ConfigError

from .log import PortLog, Redactor
from .runner import Runner
from .settings import PortSettings, Settings
from .storage import IdentityFile, StorageError, new_record

# Kept free for documents: routed like any other, answered by nobody.
_ANY_ADDRESS = ("192.0.2.1", 9)
# Controls that may wait for one MCU: a 9600 baud line takes some 25 a second, and an app that gets four seconds ahead
# of it has a loop somewhere.
_MAX_CONTROLS = 100
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Gateway:
    """The runners of `settings.ports`; `logger` and `redactor` come from `log.open_log`."""

    def __init__(self, settings: Settings, logger: logging.Logger, redactor: Redactor) -> None:
        self._settings = settings
        self._logger = logger
        self._redactor = redactor
        self.runners: list[Runner] = []
        self._stopped = asyncio.Event()

    def start(self) -> None:
        """Start every port that can be; those that cannot are told in the log."""
        for port in self._settings.ports:
            log = PortLog(self._logger, port.name)
            try:
                runner = self._make_runner(port, log)
            except (StorageError, ConfigError) as error:
                log.error("%s; this port stays off", error)
                continue
            self.runners.append(runner)
            runner.start()

    def stop(self) -> None:
        """Stop every port and let `run` return."""
        for runner in self.runners:
            runner.stop()
        self.runners = []
        self._stopped.set()

    async def run(self) -> bool:
        """Run until `stop` or a signal; False when not one port could be started."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.stop)
        self.start()
        if not self.runners:
            self._logger.error("no port could be started")
            return False
        await self._stopped.wait()
        self._logger.info("stopped")
        return True

    def _make_runner(self, port: PortSettings, log: PortLog) -> Runner:
        settings = self._settings
        identity = IdentityFile(settings.state, port.name)
        record = identity.load()
        if record is None:
            record = new_record(port.mac)
            identity.save(record)
        elif port.mac and record.get("mac") != port.mac:
            raise StorageError(
                "identity file %s is of mac %s, but the settings say %s: remove `mac` from the settings, "
                "or move the file away to register as a new device" % (identity.path, record.get("mac"), port.mac)
            )
        self._redactor.learn(record)
        config = AgentConfig(record, settings.api, tz_minutes=settings.tz_minutes)
        config.ip = _own_address()
        return Runner(port, Agent(config, os.urandom, port.baud, _MAX_CONTROLS), identity, self._redactor, log)


def _own_address() -> str:
    """The address this machine is seen under, for an MCU that asks; "" without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANY_ADDRESS)  # of a datagram socket: picks the route, sends nothing
        except OSError:
            return ""
        return probe.getsockname()[0]
