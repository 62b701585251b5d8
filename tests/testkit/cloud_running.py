"""A real cloud on free ports, in a thread of its own, and the two ends that talk to it: an app and a device."""

import asyncio
import hashlib
import http.client
import json
import queue
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import paho.mqtt.client as paho
from localcloud.app import Cloud
from localcloud.settings import Settings
from paho.mqtt.enums import CallbackAPIVersion

from . import databases
from .patience import PATIENCE_S

PRODUCT_KEY = "a1" * 16
PRODUCT_SECRET = "5e" * 16
APP_ID = "0a" * 16
PASSCODE = "ABCDEFGHIJ"

_T = TypeVar("_T")


def _attr(number: int, name: str, access: str, data_type: str, at: tuple[int, int, int], **spec: Any) -> dict[str, Any]:
    byte, bit, size = at
    unit = "bit" if data_type in ("bool", "enum") else "byte"
    position = {"byte_offset": byte, "bit_offset": bit, "len": size, "unit": unit}
    return {"id": number, "name": name, "type": access, "data_type": data_type, "position": position, **spec}


# A lamp: one attribute of every kind, and one that only the device sets.
LAMP = {
    "name": "lamp",
    "product_key": PRODUCT_KEY,
    "protocolType": "standard",
    "packetVersion": "0x00000004",
    "entities": [
        {
            "id": 0,
            "name": "entity0",
            "display_name": "lamp",
            "attrs": [
                _attr(0, "power", "status_writable", "bool", (0, 0, 1)),
                _attr(1, "mode", "status_writable", "enum", (0, 1, 2), enum=["white", "warm", "night"]),
                _attr(
                    2,
                    "level",
                    "status_writable",
                    "uint8",
                    (1, 0, 1),
                    uint_spec={"min": 0, "max": 200, "ratio": 0.5, "addition": 0},
                ),
                _attr(3, "scene", "status_writable", "binary", (2, 0, 4)),
                _attr(
                    4,
                    "heat",
                    "status_readonly",
                    "uint8",
                    (6, 0, 1),
                    uint_spec={"min": 0, "max": 255, "ratio": 1, "addition": -20},
                ),
            ],
        }
    ],
}


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> int:
        """The error code of a refusal."""
        code: int = self.json["error_code"]
        return code


class RunningCloud:
    """`cloud` is the cloud itself; touch it through `do` only, it lives in another thread."""

    def __init__(self, settings: Settings) -> None:
        self.cloud = Cloud(settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cloud")

    def start(self) -> None:
        self._thread.start()
        try:
            self.do(self.cloud.start())
        except BaseException:
            self._end_loop()
            raise

    def stop(self) -> None:
        self.do(self.cloud.stop())
        self._end_loop()

    def do(self, coroutine: "Coroutine[Any, Any, _T]") -> _T:
        """Runs a coroutine in the cloud's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    def request(self, method: str, path: str, body: bytes | str = b"", headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.cloud.http_port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def app(self, method: str, path: str, body: Any = None, token: str = "", **headers: str) -> Reply:
        """A call of the Open API; `token` of the user, further headers with _ for -."""
        sent = {"X-Gizwits-Application-Id": APP_ID}
        if token:
            sent["X-Gizwits-User-token"] = token
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.request(method, path, b"" if body is None else json.dumps(body), sent)

    def register(self, mac: str, passcode: str = PASSCODE) -> str:
        """The did of a device."""
        reply = self.request("POST", "/dev/devices", "passcode=%s&mac=%s&product_key=%s" % (passcode, mac, PRODUCT_KEY))
        assert reply.status == 201, reply
        return reply.body.decode().removeprefix("did=")

    def user(self, phone_id: str = "phone") -> str:
        """The token of an anonymous user."""
        token: str = self.app("POST", "/app/users", {"phone_id": phone_id}).json["token"]
        return token

    def bind(self, token: str, mac: str, **fields: Any) -> Reply:
        stamp = str(int(time.time()))
        return self.app(
            "POST",
            "/app/bind_mac",
            {"product_key": PRODUCT_KEY, "mac": mac, **fields},
            token,
            X_Gizwits_Timestamp=stamp,
            X_Gizwits_Signature=hashlib.md5((PRODUCT_SECRET + stamp).encode()).hexdigest(),
        )

    def goes_offline(self, did: str) -> None:
        """Returns when the cloud knows that a device is gone: it hears of it after the device does."""
        wait_until(lambda: not self.cloud.sessions.is_online(did))

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


class MqttDevice:
    """A device's MQTT end: logs in, subscribes like a module, keeps what it hears."""

    def __init__(self, cloud: RunningCloud, did: str, passcode: str = PASSCODE, is_listening: bool = True) -> None:
        self.did = did
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.is_gone = threading.Event()
        self._is_listening = is_listening
        self._is_ready = threading.Event()
        self._port = cloud.cloud.mqtt_port
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=did, protocol=paho.MQTTv31, reconnect_on_failure=False
        )
        self._client.username_pw_set(did, passcode)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = lambda client, userdata, message: self.heard.put(
            (message.topic, bytes(message.payload))
        )
        self._client.on_disconnect = lambda *args: self.is_gone.set()

    def connect(self) -> None:
        """Returns when the device is logged in, and listens if it should."""
        self._client.connect("127.0.0.1", self._port, keepalive=120)
        self._client.loop_start()
        assert self._is_ready.wait(PATIENCE_S)

    def publish(self, payload: bytes, topic: str = "") -> None:
        """A report, or a message on another topic."""
        self._client.publish(topic or "dev2app/" + self.did, payload)

    def subscribe(self, *filters: str) -> None:
        """Returns when the broker has answered."""
        self._is_ready.clear()
        self._client.subscribe([(wanted, 0) for wanted in filters])
        assert self._is_ready.wait(PATIENCE_S)

    def disconnect(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            return
        if self._is_listening:
            client.subscribe([("ser2cli_noti/" + PRODUCT_KEY, 0), ("app2dev/%s/#" % self.did, 0)])
        else:
            self._is_ready.set()

    def _subscribed(self, *args: Any) -> None:
        self._is_ready.set()


@contextmanager
def running_cloud(folder: Path, **settings: Any) -> Iterator[RunningCloud]:
    """A cloud that knows the lamp; its files go into `folder`."""
    cloud = RunningCloud(
        Settings(
            **{
                "data_dir": folder,
                "http_host": "127.0.0.1",
                "http_port": 0,
                "mqtt_host": "127.0.0.1",
                "mqtt_port": 0,
                "ws_port": 0,
                "wss_port": 0,
                "https_port": 0,
                "mqtts_port": 0,
                "database_url": databases.url_of(folder),
                "requests_per_minute": 0,
                **settings,
            }
        )
    )
    cloud.start()
    try:
        cloud.do(_add_lamp(cloud.cloud))
        yield cloud
    finally:
        cloud.stop()


@contextmanager
def mqtt_device(cloud: RunningCloud, did: str, **options: Any) -> Iterator[MqttDevice]:
    """A device that is online."""
    device = MqttDevice(cloud, did, **options)
    device.connect()
    try:
        yield device
    finally:
        device.disconnect()


def wait_until(is_true: Any) -> None:
    """Returns when `is_true()` says so; for what the far end does without telling."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen within %d s" % PATIENCE_S
        time.sleep(0.01)


async def _add_lamp(cloud: Cloud) -> None:
    cloud.add_product(LAMP, PRODUCT_SECRET)
