"""An agent whose life becomes a transcript: what it is given and what it answers, row by row."""

from collections.abc import Callable
from typing import Any

from gagent_linux.crypto import Crypto

from gagent.agent import Agent
from gagent.config import AgentConfig

_INPUTS = (
    *("start", "handle_timeout", "receive_serial", "serial_lost", "network_changed", "mqtt_connected", "mqtt_lost"),
    *("receive_publish", "http_response", "http_failed", "set_utc", "firmware"),
)


class RecordedAgent:
    """In place of an `Agent` that `upy_replay_agent.py` makes of the same first row; `rows` are what came of it."""

    def __init__(self, header: dict[str, Any]) -> None:
        self.rows: list[dict[str, Any]] = [header]
        config = AgentConfig(header["agent"], header["api_url"])
        config.signatures = header.get("signatures", 0)
        options = {"baud": header.get("baud", 9600), "max_firmware": header.get("max_firmware", 0)}
        self._agent = Agent(config, counting, crypto=Crypto(), **options)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._agent, name)
        return self._recorded(name, found) if name in _INPUTS else found

    def _recorded(self, name: str, method: Callable[..., list]) -> Callable[..., list]:
        def called(*arguments: Any) -> list:
            *values, now = arguments
            # As it was before: an agent may change what it is given.
            self.rows.append({"in": [name, *[_to_json(value) for value in values]], "now": now})
            effects = method(*arguments)
            self.rows.append({"out": [_to_json(effect) for effect in effects], "next": self._agent.next_timeout()})
            return effects

        return called


def counting(n: int) -> bytes:
    """Stands in for urandom: 0, 1, 2, ... each time."""
    return bytes(i & 255 for i in range(n))


def _to_json(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return {"hex": value.hex()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [type(value).__name__, *map(_to_json, value)]
    if isinstance(value, (tuple, list)):
        return [_to_json(item) for item in value]
    return dict(value) if isinstance(value, dict) else value
