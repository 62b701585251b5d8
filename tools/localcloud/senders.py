"""Sending a code or a link to a person, by SMS or e-mail. Open API manual, User Management.

`OutboxSender` is for a cloud at home: nothing is sent, the operator finds what would have been on the console page and
with `localcloud code list`, and the log says that there is something. `HookSender` gives it to a program.
"""

import logging
import time
from dataclasses import dataclass
from typing import Protocol

from .hook import HookError, HookRefusal, run_hook
from .masking import masked, masked_email
from .store.codes import Codes, SentCode

_LOG = logging.getLogger("localcloud")

SMS = "sms"
EMAIL = "email"


class SendError(Exception):
    """It was not sent; says why, without the code."""


@dataclass(frozen=True)
class Notice:
    """`code` is the code or the link alone, `text` what the person reads."""

    kind: str
    address: str
    subject: str
    text: str
    code: str
    expire_at: int
    lang: str


class Sender(Protocol):
    async def send(self, notice: Notice) -> None:
        """Sends it on its way; SendError when that fails."""


class OutboxSender:
    def __init__(self, codes: Codes) -> None:
        self._codes = codes

    async def send(self, notice: Notice) -> None:
        self._codes.keep_sent(
            SentCode(time.time(), notice.kind, notice.address, notice.code, notice.text, notice.expire_at)
        )
        _LOG.info("%s for %s is on the console page: %s", notice.kind, _masked(notice), notice.subject)


class HookSender:
    """The program gets {"kind", "address", "subject", "text", "code", "lang"} on stdin and ends with status 0."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command

    async def send(self, notice: Notice) -> None:
        names = ("kind", "address", "subject", "text", "code", "lang")
        try:
            await run_hook(self._command, {name: getattr(notice, name) for name in names})
        except HookRefusal:
            raise SendError("%s refused to send" % self._command[0]) from None
        except HookError as error:
            raise SendError(str(error)) from None
        _LOG.info("%s to %s was sent: %s", notice.kind, _masked(notice), notice.subject)


def make_sender(command: tuple[str, ...], codes: Codes) -> Sender:
    """The sender of the settings: the outbox without a command."""
    return HookSender(command) if command else OutboxSender(codes)


def _masked(notice: Notice) -> str | None:
    return masked_email(notice.address) if notice.kind == EMAIL else masked(notice.address)
