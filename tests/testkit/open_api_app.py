"""An app of the Open API as it is in the field: HTTP, an app id, a token, a signature; nothing of the cloud's code."""

import hashlib
import http.client
import json
import time
from typing import Any

from .patience import PATIENCE_S

APP_ID = "0a" * 16


class OpenApiApp:
    """A user at the cloud on `port`; what is refused raises AssertionError with the answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._token = ""
        self._began = int(time.time()) - 1

    def sign_up(self, phone_id: str = "phone") -> None:
        """Become an anonymous user."""
        self._token = self._call("POST", "/app/users", {"phone_id": phone_id})["token"]

    def bind(self, product_key: str, secret: str, mac: str) -> dict[str, Any]:
        """The device of that mac, bound to this user."""
        stamp = str(int(time.time()))
        signature = hashlib.md5((secret + stamp).encode()).hexdigest()
        headers = {"X-Gizwits-Timestamp": stamp, "X-Gizwits-Signature": signature}
        body = {"product_key": product_key, "mac": mac}
        return dict(self._call("POST", "/app/bind_mac", body, headers))

    def device(self, did: str) -> dict[str, Any]:
        return dict(self._call("GET", "/app/devices/" + did))

    def is_online(self, did: str) -> bool:
        return bool(self.device(did)["is_online"])

    def attrs(self, did: str) -> dict[str, Any]:
        """The state last reported."""
        return dict(self._call("GET", "/app/devdata/%s/latest" % did)["attr"])

    def control(self, did: str, **attrs: Any) -> None:
        self._call("POST", "/app/control/" + did, {"attrs": attrs})

    def control_raw(self, did: str, p0: bytes) -> None:
        self._call("POST", "/app/control/" + did, {"raw": list(p0)})

    def messages(self, did: str) -> list[tuple[str, bytes]]:
        """(direction, envelope) of what crossed the cloud since this app began, oldest first."""
        return [(row["type"], bytes.fromhex(row["payload_bin"])) for row in self._records(did, "cmd")]

    def presence(self, did: str) -> list[str]:
        """How the device came and went since this app began, oldest first."""
        return [row["type"] for row in self._records(did, "online")]

    def _records(self, did: str, kind: str) -> list[dict[str, Any]]:
        query = "type=%s&sort=asc&limit=1000&start_time=%d&end_time=%d" % (kind, self._began, int(time.time()) + 2)
        return list(self._call("GET", "/app/devices/%s/raw_data?%s" % (did, query))["objects"])

    def _call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        sent = {"X-Gizwits-Application-Id": APP_ID, **(headers or {})}
        if self._token:
            sent["X-Gizwits-User-token"] = self._token
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        assert response.status in (200, 201), "%s %s: HTTP %d %r" % (method, path, response.status, answer)
        return json.loads(answer)
