"""The process around the gateway: signals, the service manager, `gagent status`, the metrics page.

    SIGTERM, SIGINT   what can be sent is sent, goodbye to the brokers, out within 5 s
    SIGHUP            the settings are read again; if they are wrong nothing changes

The watchdog is told that all is well only while the loop turns and every port makes progress. What serves only to look
on, the control socket and the metrics page, never keeps an agent from running.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from gagent.config import SOFT_VERSION

from . import launcher
from .control_socket import ControlSocket
from .gateway import Gateway
from .metrics import CONTENT_TYPE, build_page
from .metrics_server import MetricsServer
from .redactor import Redactor
from .settings import Address, Settings, SettingsError
from .status import is_good
from .systemd import ServiceManager

# With what a reload may still have in hand, and the goodbyes: 5 s.
_DRAIN_S = 2.5
# Without a watchdog the ports are looked at this often.
_LOOK_S = 10
_HEALTH_LOOK_S = 0.2

_STOP = "stop"
_RESTART = "restart"
_RELOAD = "reload"
_SIGNALS = {signal.SIGINT: _STOP, signal.SIGTERM: _STOP, signal.SIGHUP: _RELOAD}


class Service:
    """Runs the agents of `settings`; `load` reads them again."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        manager: ServiceManager,
        logger: logging.Logger,
        redactor: Redactor,
        environ: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._load = load
        self._manager = manager
        self._logger = logger
        self._redactor = redactor
        software = environ.get(launcher.VERSION) or SOFT_VERSION
        self._gateway = Gateway(settings, logger, redactor, self._order_restart, software)
        self._health = environ.get(launcher.HEALTH, "")
        self._parent = environ.get(launcher.PARENT, "")
        self._socket: ControlSocket | None = None
        self._metrics: MetricsServer | None = None
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._blocked: dict[str, str] = {}
        self._began = 0.0

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT: 0, 1 when not one port could be started, RESTART for other software."""
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        for number, order in _SIGNALS.items():
            loop.add_signal_handler(number, self._orders.put_nowait, order)
        if self._parent:
            # Readable when the launcher is gone: nobody would start another version, and two must not run.
            loop.add_reader(int(self._parent), self._stop_as_orphan)
        self._gateway.start()
        if not self._gateway.runners:
            self._logger.error("no port could be started")
            return 1
        await self._open_socket(self._settings.state)
        await self._open_metrics(self._settings.metrics)
        self._manager.ready()
        watches = [loop.create_task(self._watch()), loop.create_task(self._tell_health())]
        while (order := await self._orders.get()) == _RELOAD:
            await self._reload()
        if order == _STOP:
            self._manager.stopping()
        for watch in watches:
            watch.cancel()
        await self._leave()
        return launcher.RESTART if order == _RESTART else 0

    def status(self) -> dict[str, Any]:
        """What the process does, as plain values without secrets."""
        up_s = asyncio.get_running_loop().time() - self._began
        return {"pid": os.getpid(), "up_s": round(up_s, 3), "ports": self._gateway.status()}

    # Other software.

    def _order_restart(self) -> None:
        self._orders.put_nowait(_RESTART)

    def _stop_as_orphan(self) -> None:
        asyncio.get_running_loop().remove_reader(int(self._parent))
        self._orders.put_nowait(_STOP)

    async def _tell_health(self) -> None:
        """On trial: the launcher is told once that a port does all that it is there for."""
        if not self._health:
            return
        while not any(is_good(port) for port in self._gateway.status()):  # noqa: ASYNC110  once in a life
            await asyncio.sleep(_HEALTH_LOOK_S)
        os.write(int(self._health), b"1")
        os.close(int(self._health))

    # The end.

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._gateway.drain()
        except TimeoutError:
            self._logger.warning("not everything could be sent in time")
        for opened in (self._socket, self._metrics):
            if opened is not None:
                opened.close()
        self._logger.info("stopped")

    # New settings.

    async def _reload(self) -> None:
        self._manager.reloading()
        try:
            settings = self._load()
        except SettingsError as error:
            self._logger.error("not reloaded, everything goes on as before: %s", error)
        else:
            await self._go_over_to(settings)
        self._manager.ready()

    async def _go_over_to(self, settings: Settings) -> None:
        before, self._settings = self._settings, settings
        self._redactor.log_format = settings.log_format
        await self._gateway.reload(settings)
        if settings.state != before.state:
            await self._open_socket(settings.state)
        if settings.metrics != before.metrics:
            await self._open_metrics(settings.metrics)
        self._logger.info("settings reloaded, %d ports", len(settings.ports))

    async def _open_socket(self, state: str) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = ControlSocket(state, self.status)
        try:
            await self._socket.open()
        except OSError as error:
            self._logger.warning("no `gagent status`: a socket in %s cannot be made: %s", state, error.strerror)

    async def _open_metrics(self, address: Address | None) -> None:
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None
        if address is None:
            return
        self._metrics = MetricsServer(*address, lambda: build_page(self.status(), time.time()), CONTENT_TYPE)
        try:
            await self._metrics.open()
        except OSError as error:
            self._logger.error("no metrics: %s:%d cannot be listened on: %s", *address, error.strerror)
        else:
            self._logger.info("metrics on http://%s:%d/metrics", address.host, self._metrics.port)

    # Progress.

    async def _watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(self._manager.beat_s or _LOOK_S)

    def _look(self) -> None:
        blocked = self._gateway.blocked()
        for name in blocked.keys() - self._blocked.keys():
            self._logger.critical("port %s makes no progress: %s; please report it", name, blocked[name])
        self._blocked = blocked
        if not blocked:
            self._manager.alive()
        ports = self._gateway.status()
        good = sum(is_good(port) for port in ports)
        self._manager.status("%d of %d ports on line" % (good, len(ports)))
