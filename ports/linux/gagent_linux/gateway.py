"""All ports of one process: started together, stopped together, and no trouble of one stops another.

New settings touch only the ports they are about: the others keep their MCU and their session.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from gagent.agent import Agent
from gagent.config import SOFT_VERSION, AgentConfig
from gagent.errors import ConfigError

from .alert_watch import AlertWatch, nothing_is_news
from .bridges import Bridges
from .crypto import Crypto
from .definition_store import Definition, DefinitionStore, parse_definition
from .log import PortLog, Redactor
from .outbox import Outbox, OutboxRules
from .runner import Runner
from .settings import PortSettings, Settings
from .settings_values import SIGNATURES
from .slots import Slots
from .storage import IdentityFile, StorageError, new_record
from .tls import Route, make_context

# Kept free for documents: routed like any other, answered by nobody.
_ANY_ADDRESS = ("192.0.2.1", 9)
# Controls that may wait for one MCU: a 9600 baud line takes some 25 a second, and an app that gets four seconds ahead
# of it has a loop somewhere.
_MAX_CONTROLS = 100
# What an MCU may send up in one piece: reference modules announce at most 65 kB, their frame's head included.
_MAX_UPLOAD = 65_000
# What a serial port may take to be let go of before it is opened anew; one that takes longer is waited for there.
_RELEASE_S = 2


class Gateway:
    """The runners of `settings.ports`; `logger` and `redactor` come from `log.open_log`.

    `on_installed` is called when other software of the module is to run; `software` is what runs: its version.
    """

    def __init__(
        self,
        settings: Settings,
        logger: logging.Logger,
        redactor: Redactor,
        on_installed: Callable[[], None] = lambda: None,
        software: str = SOFT_VERSION,
    ) -> None:
        self._settings = settings
        self._logger = logger
        self._redactor = redactor
        self._on_installed = on_installed
        self._software = software
        self._route = _route(settings)
        self._bridges = Bridges(PortLog(logger, "bridge"))
        self.runners: list[Runner] = []

    def start(self) -> None:
        """Start every port that can be; those that cannot are told in the log."""
        self._bridges.use(self._settings)
        self._start(self._settings.ports)

    def stop(self) -> None:
        """Stop every port at once."""
        self._stop(self.runners)
        self._bridges.stop()

    async def drain(self) -> None:
        """Stop every port when what it has for the cloud has left, or at once when cancelled."""
        try:
            await asyncio.gather(*[runner.drain() for runner in self.runners])
        finally:
            self.stop()

    async def reload(self, settings: Settings) -> None:
        """New ports start, missing ones stop, changed ones start anew, and the others are not touched."""
        same_for_all = _for_all(settings) == _for_all(self._settings)
        before = {port.name: port for port in self._settings.ports}
        kept = {port.name for port in settings.ports if same_for_all and before.get(port.name) == port}
        running = {runner.name for runner in self.runners}
        self._route = _route(settings)
        self._settings = settings
        await self._let_go([runner for runner in self.runners if runner.name not in kept])
        self._bridges.use(settings)
        self._start([port for port in settings.ports if port.name not in kept & running])

    def status(self) -> list[dict[str, Any]]:
        """The status of every port."""
        return [runner.status() for runner in self.runners]

    def blocked(self) -> dict[str, str]:
        """Port -> why it makes no progress, of those that do not."""
        found = {runner.name: runner.blocked() for runner in self.runners}
        return {name: why for name, why in found.items() if why}

    def _start(self, ports: Iterable[PortSettings]) -> None:
        for port in ports:
            log = PortLog(self._logger, port.name, port.log_level)
            try:
                runner = self._make_runner(port, log)
            except (StorageError, ConfigError) as error:
                log.error("%s; this port stays off", error)
                continue
            self.runners.append(runner)
            runner.start()

    def _stop(self, runners: list[Runner]) -> None:
        for runner in runners:
            runner.stop()
        self.runners = [runner for runner in self.runners if runner not in runners]

    async def _let_go(self, runners: list[Runner]) -> None:
        self._stop(runners)
        try:
            async with asyncio.timeout(_RELEASE_S):
                await asyncio.gather(*[runner.released() for runner in runners])
        except TimeoutError:
            self._logger.warning("a serial port is slow to close; going on")

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
        config = AgentConfig(record, settings.api, soft_version=self._software, tz_minutes=settings.tz_minutes)
        config.ip = _own_address()
        config.signatures = SIGNATURES.index(settings.firmware.signatures)
        config.firmware_key = settings.firmware.key
        bridge = self._bridges.make(port, PortLog(self._logger, port.name + " bridge", port.log_level), self._route)
        local, cloud = bridge is not None, port.uplink == "cloud"
        max_firmware = settings.firmware.max_size
        agent = Agent(config, os.urandom, port.baud, _MAX_CONTROLS, Crypto(), local, cloud, _MAX_UPLOAD, max_firmware)
        outbox = self._make_outbox(port, config.product_key, log)
        return Runner(port, agent, identity, outbox, self._redactor, log, self._route, bridge, install=self._install)

    def _install(self, image: str, version: str) -> None:
        Slots(self._settings.state).install(image, version)
        self._logger.info("software %s of the module is tried now: starting anew", version)
        self._on_installed()

    def _make_outbox(self, port: PortSettings, product_key: str, log: PortLog) -> Outbox:
        settings = self._settings
        definition: Definition | None = None
        if port.definition:
            definition = parse_definition(port.definition)
        elif product_key:
            definition = DefinitionStore(settings.state).load(product_key)
        is_news = AlertWatch(definition.schema).is_news if definition else nothing_is_news
        rules = OutboxRules(settings.durability, settings.outbox_max, settings.outbox_days)
        return Outbox(settings.state, port.name, rules, is_news, log)


def _route(settings: Settings) -> Route:
    secure = settings.mqtt_tls or settings.api.startswith("https://")
    tls = make_context(settings.tls) if secure else None  # reads the system's CAs: 10 ms
    return Route(tls, settings.mqtt_tls, settings.mqtt_port)


def _for_all(settings: Settings) -> Settings:
    """What concerns every port."""
    return replace(settings, ports=(), log_format="", metrics=None)


def _own_address() -> str:
    """The address this machine is seen under, for an MCU that asks; "" without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANY_ADDRESS)  # of a datagram socket: picks the route, sends nothing
        except OSError:
            return ""
        return probe.getsockname()[0]
