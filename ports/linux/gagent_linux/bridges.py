"""The bridges of all ports of one process, and what is to be taken away from the home broker when a port has gone."""

import asyncio
from collections.abc import Iterable

from .announcements import Announcements
from .bridge import Bridge
from .definition_fetch import DefinitionFetch
from .definition_store import DefinitionStore, parse_definition
from .home_broker import HomeBroker
from .log import PortLog
from .settings import BridgeSettings, PortSettings, Settings
from .tls import Route


class Bridges:
    """Call `use` with the settings before `make`, and again when they change; `log` gets the story of clearing up."""

    def __init__(self, log: PortLog) -> None:
        self._log = log
        self._settings: Settings | None = None
        self._announcements: Announcements | None = None
        self._sweep: Sweep | None = None

    def use(self, settings: Settings) -> None:
        """Take these settings; what is retained for ports that they do not have any more is taken away."""
        before, self._settings = self._settings, settings
        self.stop()
        if self._announcements is None:
            self._announcements = Announcements(settings.state)
            self._announcements.load()
        broker = settings.bridge or (before.bridge if before else None)
        stay = {port.name for port in settings.ports} if settings.bridge else set()
        gone = [name for name in self._announcements.names() if name not in stay]
        if not gone:
            return
        if broker is None:
            self._log.warning(
                'the home broker still shows %s: put the table [bridge] back with other ports or discovery = "" and '
                "start once, or remove the retained messages below the bridge's topics there",
                ", ".join(gone),
            )
            return
        self._sweep = Sweep(broker, self._announcements, gone, self._log)
        self._sweep.start()

    def make(self, port: PortSettings, log: PortLog, route: Route) -> Bridge | None:
        """The bridge of `port`, if the settings have one."""
        settings = self._settings
        if settings is None or settings.bridge is None or self._announcements is None:
            return None
        definition = parse_definition(port.definition) if port.definition else None
        bridge = Bridge(settings.bridge, port.name, definition, self._announcements, log)
        # Without an uplink there is no HTTP either: only what was kept before.
        app_id = settings.bridge.app_id if port.uplink == "cloud" else ""
        store = DefinitionStore(settings.state)
        bridge.fetch = DefinitionFetch(store, settings.api, app_id, bridge.use, log, route.tls)
        return bridge

    def stop(self) -> None:
        """Give up clearing up; the next start goes on with it."""
        if self._sweep is not None:
            self._sweep.stop()
            self._sweep = None


class Sweep:
    """One session that takes away what the ports `names` left with the broker, and ends when the broker has it all."""

    def __init__(
        self, settings: BridgeSettings, announcements: Announcements, names: Iterable[str], log: PortLog
    ) -> None:
        self._announcements = announcements
        self._names = tuple(names)
        self._log = log
        self._broker = HomeBroker(settings, self._ready, lambda: None, lambda topic, payload: None, self._done, log)
        self._base = settings.topic

    def start(self) -> None:
        """Go to the broker, in the running loop."""
        # The will is never told: nothing listens there.
        self._broker.start("", (), self._base + "/sweep", b"")

    def stop(self) -> None:
        """Leave."""
        self._broker.stop()

    def _ready(self) -> None:
        left = {name: self._announcements.of(name) for name in self._names}
        for name, announcement in left.items():
            try:
                self._announcements.forget(name)
            except OSError as error:
                self._log.warning("what is retained at the home broker cannot be noted: %s", error.strerror)
            # A port under another name may have the same config by now.
            for topic in announcement.topics if announcement else ():
                if topic not in self._announcements.topics():
                    self._broker.publish(topic, b"", qos=1, retain=True)
        self._log.info("home broker: took away %s", ", ".join(self._names))

    def _done(self) -> None:
        asyncio.get_running_loop().call_soon(self._broker.stop)
