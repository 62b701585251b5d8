"""A user's side of the Open API, as any app would call it: over HTTP, with its own app id and token."""

import asyncio
import hashlib
import json
import time
import urllib.error
import urllib.request
from typing import Any

_TIMEOUT_S = 10


class OpenApiError(Exception):
    """The cloud refused; status and body are in the text."""


class OpenApiClient:
    """`token` is empty until `create_user`."""

    def __init__(self, root: str, app_id: str) -> None:
        self.root = root
        self.app_id = app_id
        self.token = ""

    async def create_user(self, phone_id: str) -> str:
        """The uid of an anonymous user, whose token is used from here on."""
        user = await self.call("POST", "/app/users", {"phone_id": phone_id})
        self.token = user["token"]
        return str(user["uid"])

    async def bind(self, product_key: str, product_secret: str, mac: str) -> dict[str, Any]:
        """The device of that mac, now bound to the user."""
        stamp = str(int(time.time()))
        # The Open API fixes MD5 here.
        signature = hashlib.md5((product_secret + stamp).encode(), usedforsecurity=False).hexdigest()
        headers = {"X-Gizwits-Timestamp": stamp, "X-Gizwits-Signature": signature}
        device = await self.call("POST", "/app/bind_mac", {"product_key": product_key, "mac": mac}, headers)
        return dict(device)

    async def attrs(self, did: str, since: float) -> dict[str, Any]:
        """The latest attributes of a device, none when they are older than `since`."""
        latest = await self.call("GET", "/app/devdata/%s/latest" % did)
        return dict(latest["attr"]) if latest["updated_at"] >= int(since) else {}

    async def control(self, did: str, attrs: dict[str, Any]) -> None:
        await self.call("POST", "/app/control/" + did, {"attrs": attrs})

    async def control_raw(self, did: str, p0: bytes) -> None:
        await self.call("POST", "/app/control/" + did, {"raw": list(p0)})

    async def messages(self, did: str, since: float) -> list[dict[str, Any]]:
        """What crossed the cloud to and from a device since then, oldest first."""
        query = "type=cmd&sort=asc&limit=100&start_time=%d&end_time=%d" % (int(since), int(time.time()) + 1)
        return list((await self.call("GET", "/app/devices/%s/raw_data?%s" % (did, query)))["objects"])

    async def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """One call; OpenApiError when it is refused."""
        return await asyncio.to_thread(self._call, method, path, body, headers or {})

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, method=method)  # noqa: S310 - always http://
        request.add_header("X-Gizwits-Application-Id", self.app_id)
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("X-Gizwits-User-token", self.token)
        for name, value in headers.items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
                return json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise OpenApiError("%s %s: HTTP %d %s" % (method, path, error.code, error.read(300).decode())) from None
        except (OSError, ValueError) as error:
            raise OpenApiError("%s %s: %s" % (method, path, error)) from None
