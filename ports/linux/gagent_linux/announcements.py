"""What was left with the home broker, on disk: so that it can be taken away when a port or an attribute is gone.

A retained message stays for ever, and Home Assistant shows a device as long as its config does. One JSON file,
`STATE/bridge/announced.json`; if it cannot be read nothing is taken away, and that is all that is lost.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any

from .storage import replace_file

_VERSION = 1


@dataclass(frozen=True)
class Announcement:
    """Of one port: the topics with retained messages, the one with the config ("" for none), attribute -> platform."""

    product_key: str
    topics: tuple[str, ...]
    config: str = ""
    platforms: dict[str, str] = field(default_factory=dict)


class Announcements:
    """Those of all ports of this process, by the port's name, under the directory `state`."""

    def __init__(self, state: str) -> None:
        self._path = os.path.join(state, "bridge", "announced.json")
        self._all: dict[str, Announcement] = {}

    def load(self) -> None:
        """Read the file, if there is one."""
        try:
            with open(self._path, "rb") as file:
                content = json.load(file)
            if content["version"] == _VERSION:
                self._all = {name: _announcement(row) for name, row in content["announced"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._all = {}

    def names(self) -> list[str]:
        """The ports that left something."""
        return list(self._all)

    def topics(self) -> set[str]:
        """Every topic with something of ours."""
        return {topic for announcement in self._all.values() for topic in announcement.topics}

    def of(self, name: str) -> Announcement | None:
        """What the port `name` left."""
        return self._all.get(name)

    def note(self, name: str, announcement: Announcement) -> None:
        """Remember it from here on; OSError when it cannot be kept."""
        if self._all.get(name) != announcement:
            self._all[name] = announcement
            self._save()

    def forget(self, name: str) -> None:
        """All of it is taken away; OSError when that cannot be kept."""
        if self._all.pop(name, None) is not None:
            self._save()

    def _save(self) -> None:
        rows = {name: asdict(announcement) for name, announcement in self._all.items()}
        content = {"version": _VERSION, "announced": rows}
        replace_file(self._path, json.dumps(content, ensure_ascii=False, indent=1).encode())


def _announcement(row: dict[str, Any]) -> Announcement:
    return Announcement(str(row["product_key"]), tuple(map(str, row["topics"])), str(row["config"]), row["platforms"])
