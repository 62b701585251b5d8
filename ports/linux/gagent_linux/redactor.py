"""A finished log line, as text or as JSON, with every secret it was told of blanked.

A secret is found as it stands and as hex, wherever it came from: a traceback, a cloud that quotes a request, a frame.
"""

import json
import logging
import time
from typing import Any

LOG_FORMATS = ("text", "json")

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# What an identity record keeps secret.
_SECRET_KEYS = ("passcode", "old_passcode")
_BLANK = "[passcode]"


class Redactor(logging.Formatter):
    """`learn` secrets before they can be logged; `log_format` is one of LOG_FORMATS and may be changed at any time."""

    def __init__(self, log_format: str = "text") -> None:
        super().__init__(_TEXT)
        self.log_format = log_format
        self._secrets: set[str] = set()

    def learn(self, record: dict[str, Any]) -> None:
        """Remember the secrets of an identity record."""
        for secret in secrets_of(record):
            self._secrets.update(spellings(secret))

    def blank(self, text: str) -> str:
        """`text` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _BLANK)
        return text

    def format(self, record: logging.LogRecord) -> str:
        if self.log_format == "json":
            return self._json(record)
        return self.blank(super().format(record))

    def _json(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + ".%03dZ" % record.msecs,
            "level": record.levelname.lower() if record.levelno >= logging.DEBUG else "debug",
            "port": record.name,
            "message": self.blank(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = self.blank(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def secrets_of(record: dict[str, Any]) -> list[str]:
    """Every secret in an identity record, those of sub-devices (key -> [did, passcode]) included."""
    found = [record.get(key, "") for key in _SECRET_KEYS]
    found += [passcode for _, passcode in record.get("subdevices", {}).values()]
    return [secret for secret in found if secret]


def spellings(secret: str) -> tuple[str, ...]:
    """The ways in which a secret may stand in a text."""
    return secret, secret.encode().hex(), secret.encode().hex(" ")
