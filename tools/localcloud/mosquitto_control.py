"""Commands to mosquitto's dynamic security plugin, each acked before the caller goes on.

    command   publish to $CONTROL/dynamic-security/v1           {"commands": [{"command": ..., "correlationData": n}]}
    ack       from $CONTROL/dynamic-security/v1/response        {"responses": [{"command": ..., "error": ...}]}

A batch is worked off in one piece: no device gets in between two commands of it. A batch that is lost because
mosquitto died under it is sent again, so commands must bear being done twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import ssl
from typing import Any

from localcloud.broker import BrokerError
from localcloud.mqtt import CloudMqtt, Received

_LOG = logging.getLogger("localcloud.broker")

_TOPIC = "$CONTROL/dynamic-security/v1"
_ANSWERS = _TOPIC + "/response"

_TRIES = 10
_ACK_TIMEOUT_S = 1
# Taking away what is not there is fine; a command that takes away need not know what there was.
_MAY_FAIL = ("deleteClient", "deleteRole")


class MosquittoControl:
    """`username`, `password` and `filters` are the account mosquitto must know before `start`; made up unless given."""

    filters = ("$CONTROL/#",)

    def __init__(self, username: str = "", password: str = "") -> None:
        self.name = "control-" + secrets.token_hex(8)
        self.username = username or self.name
        self.password = password or secrets.token_urlsafe(24)
        self._session = CloudMqtt(self._receive, (_ANSWERS,))
        self._waiting: dict[str, asyncio.Future[list[dict[str, Any]]]] = {}
        self._count = 0

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        await self._session.start(host, port, self.username, self.password, self.name, tls)

    async def stop(self) -> None:
        await self._session.stop()

    async def run(self, commands: list[dict[str, Any]], may_fail: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Do all of `commands`; BrokerError when mosquitto refuses one that may not fail, or does not answer."""
        self._count += 1
        # Other workers see the answers too.
        batch = "%s %d" % (self.name, self._count)
        request = json.dumps({"commands": [{**command, "correlationData": batch} for command in commands]}).encode()
        self._waiting[batch] = asyncio.get_running_loop().create_future()
        try:
            responses = await self._ask(batch, request)
        finally:
            del self._waiting[batch]
        for response in responses:
            if "error" in response and response.get("command") not in (*_MAY_FAIL, *may_fail):
                raise BrokerError("mosquitto refuses %s: %s" % (response.get("command"), response["error"]))
        return responses

    async def _ask(self, batch: str, request: bytes) -> list[dict[str, Any]]:
        for _ in range(_TRIES):
            self._session.publish(_TOPIC, request)
            try:
                async with asyncio.timeout(_ACK_TIMEOUT_S):
                    return await asyncio.shield(self._waiting[batch])
            except TimeoutError:
                continue
        raise BrokerError("mosquitto does not answer to its control commands: see its log")

    def _receive(self, message: Received) -> None:
        try:
            responses = json.loads(message.payload)["responses"]
            waiting = self._waiting.get(responses[0].get("correlationData", ""))
        except (ValueError, LookupError, AttributeError, TypeError):
            _LOG.warning("mosquitto answered a control command with %.80r", message.payload)
            return
        if waiting is not None and not waiting.done():
            waiting.set_result(responses)
