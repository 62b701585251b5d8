"""An app of the WebSocket API: a real client on a real socket; every message it gets is kept in order."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from testkit.cloud_running import APP_ID, RunningCloud

from .patience import PATIENCE_S

PATH = "/ws/app/v1"


class WebSocketApp:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, cmd: str, data: Any = None, **beside: Any) -> None:
        self.send_text(json.dumps({"cmd": cmd, **beside, **({} if data is None else {"data": data})}))

    def send_text(self, text: str | bytes) -> None:
        self._connection.send(text)

    def next(self) -> dict[str, Any]:
        """The next message."""
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=PATIENCE_S))
        return message

    def get(self, cmd: str) -> dict[str, Any]:
        """The next message, which is a `cmd`."""
        message = self.next()
        assert message["cmd"] == cmd, message
        return message

    def error(self) -> int:
        """The code of the next message, which is an s2c_invalid_msg."""
        code: int = self.get("s2c_invalid_msg")["data"]["error_code"]
        return code

    def log_in(self, user: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """The answer to a login of that user: uid and token as the Open API gave them."""
        login = {"appid": APP_ID, "uid": user["uid"], "token": user["token"], "p0_type": "attrs_v4"}
        self.send("login_req", {**login, "heartbeat_interval": 180, **fields})
        return self.get("login_res")

    def pong(self) -> None:
        """Returns when all that was asked before is answered, and nothing else had come."""
        self.send("ping")
        self.get("pong")

    def close_code(self) -> int:
        """The code with which the server closes; what comes before is passed over."""
        try:
            while True:
                self._connection.recv(timeout=PATIENCE_S)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return closed.rcvd.code


def user_of(cloud: RunningCloud, phone_id: str = "phone") -> dict[str, Any]:
    """uid and token of an anonymous user."""
    answer: dict[str, Any] = cloud.app("POST", "/app/users", {"phone_id": phone_id}).json
    return answer


@contextlib.contextmanager
def websocket_app(cloud: RunningCloud, port: int = 0, **options: Any) -> Iterator[WebSocketApp]:
    """A connection, closed at the end; `port` of another server than the cloud's own."""
    url = "ws://127.0.0.1:%d%s" % (port or cloud.cloud.websocket.port, PATH)
    # No pings of the library's own: they would end the connection to a server that is held up.
    patient = {"open_timeout": PATIENCE_S, "close_timeout": PATIENCE_S, "ping_interval": None}
    with connect(url, **{**patient, **options}) as connection:
        yield WebSocketApp(connection)
