"""Tells Home Assistant of one port's device, and takes away what was told before and is no longer so."""

from collections.abc import Callable

from gagent import VERSION

from . import ha_discovery, home_message
from .announcements import Announcement, Announcements
from .definition_store import Definition
from .ha_discovery import Device, Topics
from .log import PortLog


class Announcer:
    """`publish(topic, payload)` publishes retained; `prefix` is Home Assistant's, "" for none."""

    def __init__(
        self,
        prefix: str,
        name: str,
        topics: Topics,
        announcements: Announcements,
        publish: Callable[[str, bytes], None],
        log: PortLog,
    ) -> None:
        self._prefix = prefix
        self._name = name
        self._topics = topics
        self._announcements = announcements
        self._publish = publish
        self._log = log

    def announce(self, product_key: str, definition: Definition, snapshot: dict) -> None:
        """This is the device; `snapshot` is the agent's."""
        device = Device(self._name, snapshot["mac"], snapshot["mcu_hard_ver"], snapshot["mcu_soft_ver"], VERSION)
        config = ha_discovery.device_config(definition, device, self._topics)
        before = self._announcements.of(self._name)
        now = self._announcement(product_key, device.mac, config)
        # Noted before it is published: a crash between the two leaves nothing that nobody knows of.
        self._keep(lambda: self._announcements.note(self._name, now))
        for topic in before.topics if before else ():
            if topic not in now.topics:
                self._publish(topic, b"")
        if not now.config:
            return
        if before is not None and before.config == now.config:
            gone = {name: p for name, p in before.platforms.items() if now.platforms.get(name) != p}
            if gone:
                self._publish(now.config, home_message.dump(ha_discovery.without(config, gone)))
        self._publish(now.config, home_message.dump(config))

    def forget_other(self, product_key: str) -> None:
        """Nothing is known of `product_key`: what was told of another product is wrong by now."""
        before = self._announcements.of(self._name)
        if before is None or before.product_key == product_key:
            return
        for topic in before.topics:
            self._publish(topic, b"")
        self._keep(lambda: self._announcements.forget(self._name))

    def _announcement(self, product_key: str, mac: str, config: ha_discovery.Config) -> Announcement:
        topics = (self._topics.state, self._topics.availability)
        if not self._prefix:
            return Announcement(product_key, topics)
        topic = ha_discovery.config_topic(self._prefix, mac)
        return Announcement(product_key, (topic, *topics), topic, ha_discovery.platforms(config))

    def _keep(self, save: Callable[[], None]) -> None:
        try:
            save()
        except OSError as error:
            self._log.warning("what is retained at the home broker cannot be noted: %s", error.strerror)
