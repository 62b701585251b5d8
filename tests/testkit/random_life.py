"""A life of an agent in which anything may come, in any order, recorded; often enough it goes on line in between."""

import random
from typing import Any

from gagent import ota, wire
from gagent.effects import HttpRequest, Restart
from mcu_proto.frame import encode_frame
from mcu_proto.mcu_message import build_device_info

from .module_driver import DEVICE_INFO, DID, MAC, PROVISIONED, ModuleDriver
from .recorded_agent import RecordedAgent

_ASKS = (0x05, 0x05, 0x05, 0x09, 0x0B, 0x11, 0x12, 0x13, 0x15, 0x17, 0x1B, 0x1D, 0x21, 0x23, 0x27, 0x29, 0x2B, 0x53)
_TOPICS = ("app2dev/%s/app" % DID, "app2dev/%s/another" % DID, "ser2cli_res/" + DID, "ser2cli_noti/x", "x", "")
_VERSION = "99999999"
_MD5 = "5d" * 16
_OFFER = b"soft_ver=%s&download_url=http://api.example/dev/ota/v4.1/download/7" % _VERSION.encode()
_ANSWERS = (
    (201, b"did=" + DID.encode()),
    (200, PROVISIONED),
    (200, _OFFER),
    (404, b'{"error_code": 9014}'),
    (200, b"\x00\xff&&=host=&port=x"),
)
_UPGRADE_NOTICE = bytes.fromhex("000000030211020016") + DID.encode()


def lived(seed: int, inputs: int) -> list[dict[str, Any]]:
    """The rows of a life of about so many inputs."""
    life = _Life(seed)
    for _ in range(inputs):
        life.happens()
    return life.agent.rows


class _Driver(ModuleDriver):
    """A port that starts its agent anew when that is asked, and a cloud that has firmware now and then."""

    def __init__(self, rng: random.Random, agent: RecordedAgent) -> None:
        super().__init__()
        self._rng = rng
        self.agent = agent

    def do(self, name: str, *arguments: Any) -> list[Any]:
        effects = super().do(name, *arguments)
        if any(isinstance(effect, Restart) for effect in effects):
            self.effects = effects = [*effects, *super().do("start")]
        return effects

    def answer(self, request: HttpRequest) -> tuple[int, bytes]:
        if "update_and_check" in request.url and self._rng.random() < 0.4:
            return 200, _OFFER
        return super().answer(request)


class _Life:
    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        header = {"agent": {"mac": MAC}, "api_url": "http://api.example", "signatures": 1, "max_firmware": 1 << 20}
        self.agent = RecordedAgent(header)
        self._driver = _Driver(self._rng, self.agent)
        self._refs: list[int] = []
        self._driver.go_online()

    def happens(self) -> None:
        """One thing."""
        rng, driver = self._rng, self._driver
        driver.mcu_answers = rng.random() < 0.8
        rng.choice(self._THINGS)(self)
        self._refs += [request.ref for request in driver.requests()]
        if rng.random() < 0.7:
            driver.settle()

    def _time_passes(self) -> None:
        self._driver.pass_time(self._rng.choice((1, 100, 700, 60_000)))

    def _mcu_asks(self) -> None:
        self._driver.mcu_says(self._rng.choice(_ASKS), self._rng.randrange(256), self._rng.randbytes(self._size()))

    def _mcu_reports(self) -> None:
        payload = self._rng.choice((b"\x04", b"\x03", b"\x14", b"")) + self._rng.randbytes(self._size())
        self._driver.mcu_says(5, self._rng.randrange(256), payload)

    def _mcu_is_another(self) -> None:
        self._driver.info = DEVICE_INFO._replace(product_key=self._rng.choice(("e", "f")) * 32)
        self._driver.mcu_says(2, 0, build_device_info(self._driver.info))

    def _noise(self) -> None:
        frame = bytearray(encode_frame(5, 7, self._rng.randbytes(self._size())))
        frame[self._rng.randrange(len(frame))] ^= 1 << self._rng.randrange(8)
        self._driver.do("receive_serial", bytes(frame[: self._rng.randrange(1, len(frame) + 1)]))

    def _line_is_lost(self) -> None:
        self._driver.do("serial_lost")

    def _begins_anew(self) -> None:
        self._driver.boot()

    def _network(self) -> None:
        self._driver.do("network_changed", self._rng.random() < 0.7, self._rng.randrange(101))

    def _clock(self) -> None:
        self._driver.do("set_utc", self._rng.randrange(1, 2**31))

    def _http_ends(self) -> None:
        ref = self._rng.choice((*self._refs[-3:], 1))
        if self._rng.random() < 0.3:
            self._driver.do("http_failed", ref, "no route to host")
        else:
            self._driver.do("http_response", ref, *self._rng.choice(_ANSWERS))

    def _session_begins(self) -> None:
        self._driver.do("mqtt_connected")

    def _session_ends(self) -> None:
        self._driver.do("mqtt_lost", self._rng.choice((0, 0, 4, 5)))

    def _message(self) -> None:
        payload = self._rng.randbytes(self._size())
        if self._rng.random() < 0.8:
            payload = wire.encode(self._rng.choice((0x90, 0x93, 0x93, 0x77)), payload, self._rng.randrange(99))
        self._driver.do("receive_publish", self._rng.choice(_TOPICS), payload)

    def _upgrade_is_told(self) -> None:
        self._driver.do("receive_publish", "ser2cli_res/" + DID, _UPGRADE_NOTICE)

    def _upgrade_goes_on(self) -> None:
        heads = {"firmware-md5": _MD5, "soft-version": _VERSION, "hard-version": DEVICE_INFO.hard_ver}
        events = (
            ota.Progress(100, 300),
            ota.Image(300, self._rng.choice((_MD5, _MD5, "0" * 32)), "0" * 64, heads),
            ota.FirmwareData(self._rng.randbytes(128)),
            ota.FirmwareFailed("no room"),
        )
        self._driver.do("firmware", self._rng.choice(events))

    def _size(self) -> int:
        return self._rng.choice((0, 1, 2, 8, 24, 90))

    _THINGS = (
        *(_time_passes, _time_passes, _time_passes, _mcu_asks, _mcu_asks, _mcu_reports, _mcu_reports, _noise),
        *(_message, _message, _message, _http_ends, _session_ends, _session_begins, _network, _clock),
        *(_mcu_is_another, _line_is_lost, _begins_anew, _upgrade_is_told, _upgrade_goes_on),
    )
