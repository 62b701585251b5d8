"""The conversation with the cloud: register, provision, connect, stay on line. Cloud manual, chapters 3, 4 and 8.

    OFF ── start ──┬─ no did ─▶ REGISTERING ─ did ─▶ PROVISIONING ─ host ─▶ CONNECTING ─ subscribed ─▶ ONLINE
     ▲             └─ did ──────────────────────────▶     │                     │                        │
     │ stop                        │ no                   │ no                  │ refused, lost          │ lost
     └─ from anywhere              └───────▶ WAITING ◀────┴─────────────────────┴────────────────────────┘
                                               └─ after the backoff's wait: back to the step that is due

A cloud that no longer knows our did (404, 403, or a login refused over and over) is asked to register us again, at most
every ten minutes: the reference agent has no way back from there. Beside the ladder runs a chain of chores, one request
at a time: tell the versions, remove an old did, ask the time.
"""

from collections import namedtuple

from mcu_proto.const import const

from . import device_api
from .backoff import Backoff
from .effects import (
    NOTICE_CLOUD_REFUSED,
    NOTICE_CLOUD_UNREACHABLE,
    NOTICE_OFFLINE,
    NOTICE_ONLINE,
    NOTICE_REGISTERED,
    NOTICE_RETRY,
    HttpRequest,
    MqttConnect,
    MqttDisconnect,
    Notice,
    SaveConfig,
)
from .errors import ConfigError
from .firmware import KIND_MCU, KIND_MODULE
from .topics import subscriptions

# For our owner: the cloud has firmware of this kind (KIND_*), for which it was asked.
Offer = namedtuple("Offer", ("kind", "version", "url"))

OFF = const(0)
REGISTERING = const(1)
PROVISIONING = const(2)
CONNECTING = const(3)
ONLINE = const(4)
WAITING = const(5)

# From each state, the states that may follow.
_NEXT = (
    (REGISTERING, PROVISIONING),
    (OFF, PROVISIONING, WAITING),
    (OFF, CONNECTING, REGISTERING, WAITING),
    (OFF, ONLINE, WAITING),
    (OFF, WAITING),
    (OFF, REGISTERING, PROVISIONING, CONNECTING),
)

# The keep-alive the reference agent announces; an MCU may name another.
KEEPALIVE_S = const(120)
# Failed logins in a row before the broker's address is asked for again, and refusals before we register again.
_LOGINS = const(3)
_REFUSALS = const(6)
_REGISTER_EVERY = const(600000)
_ASK_TIME_EVERY = const(3600000)

_CHORE_MODULE = const(0)
_CHORE_MCU = const(1)
_CHORE_OLD_DID = const(2)
_CHORE_TIME = const(3)


class CloudSession:
    """`config` is shared with the agent and written here when the cloud gives a did."""

    def __init__(self, config, urandom):
        self._config = config
        self._backoff = Backoff(urandom)
        self._state = OFF
        self._ref = 0
        self._step_ref = 0
        self._chore_ref = 0
        self._chores = []
        self._versions = ("", "")
        # A SecretApi where generation B is spoken; None: generation A.
        self._secret_api = None
        self.keepalive_s = KEEPALIVE_S
        self._server = None
        self._failures = 0
        self._refusals = 0
        self._registered_at = None
        self._retry_at = None
        self._ask_time_at = None
        # Seconds since 1970 as the cloud last told them, with the moment it did; the agent takes it from here.
        self.utc = None

    def start(self, versions, now, secret_api=None) -> list:
        """Go on line; `versions` are the MCU's (hardware, software). Harmless when already under way.

        With a SecretApi register and provision go by generation B of the device API, else by A.
        """
        if self._state != OFF:
            return []
        self._versions = versions
        self._secret_api = secret_api
        self._server = None
        out = []
        self._step(now, out)
        return out

    def stop(self) -> list:
        """Leave; the next start provisions again."""
        out: list = []
        if self._state in (CONNECTING, ONLINE):
            out.append(MqttDisconnect())
        if self._state == ONLINE:
            out.append(Notice(NOTICE_OFFLINE, 0))
        self._chores = []
        self._retry_at = None
        self._ask_time_at = None
        self._step_ref = self._chore_ref = 0
        if self._state != OFF:
            self._enter(OFF)
        return out

    def forget_old_did(self) -> list:
        """Remove the old did now, without waiting for the next session; asked again later if that fails."""
        self._chores = [_CHORE_OLD_DID]
        out = []
        self._next_chore(out)
        return out

    def mqtt_connected(self, now) -> list:
        """Logged in and subscribed."""
        if self._state != CONNECTING:
            return []
        self._enter(ONLINE)
        self._backoff.connected(now)
        self._failures = self._refusals = 0
        self._ask_time_at = now + _ASK_TIME_EVERY
        return [Notice(NOTICE_ONLINE, self._config.did)]

    def mqtt_lost(self, reason, now) -> list:
        """`reason` is the CONNACK code of a refusal, else 0."""
        if self._state not in (CONNECTING, ONLINE):
            return []
        self._failures += 1
        if reason:
            self._refusals += 1
        if self._failures % _LOGINS == 0:
            self._server = None
        out = [Notice(NOTICE_OFFLINE, reason)]
        self._wait(now, out)
        return out

    def http_response(self, ref, status, body, now) -> list:
        """The answer to a request of ours; a late one is ignored."""
        out = []
        if ref and ref == self._step_ref:
            self._step_ref = 0
            try:
                if self._state == REGISTERING:
                    self._on_registration(status, body, out)
                else:
                    self._on_provision(status, body, now, out)
            except ConfigError as error:
                self._on_refusal(status, error, now, out)
        elif ref and ref == self._chore_ref:
            self._on_chore(status, body, now, out)
        return out

    def http_failed(self, ref, reason, now) -> list:
        """No answer; `reason` is the port's text."""
        out = []
        if ref and ref == self._step_ref:
            self._step_ref = 0
            out.append(Notice(NOTICE_CLOUD_UNREACHABLE, reason))
            self._wait(now, out)
        elif ref and ref == self._chore_ref:
            self._next_chore(out)
        return out

    def handle_timeout(self, now) -> list:
        """Try again, or ask the time, when due."""
        out = []
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self._step(now, out)
        if self._ask_time_at is not None and now >= self._ask_time_at:
            self._ask_time_at = now + _ASK_TIME_EVERY
            self._add_chores((_CHORE_TIME,), out)
        return out

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do."""
        if self._retry_at is None:
            return self._ask_time_at
        return self._retry_at

    def check_firmware(self, kind, out):
        """There may be firmware of this kind (KIND_*): ask; without a session it is asked at the next one."""
        if self._state == ONLINE:
            self._add_chores((_CHORE_MODULE if kind == KIND_MODULE else _CHORE_MCU,), out)

    def request(self, request, out) -> int:
        """One request of the device API; its ref. The answer is told to who asked for it."""
        self._ref += 1
        method, path, body = request
        out.append(HttpRequest(self._ref, method, self._config.api_url + path, body))
        return self._ref

    def is_online(self) -> bool:
        return self._state == ONLINE

    def state(self) -> int:
        return self._state

    def _enter(self, state):
        if state not in _NEXT[self._state]:
            raise RuntimeError("cloud session cannot go from %d to %d" % (self._state, state))
        self._state = state

    def _step(self, now, out):
        """Take the first step of the ladder that has not been taken."""
        config = self._config
        if not config.did or self._must_register(now):
            self._enter(REGISTERING)
            self._registered_at = now
            self._refusals = 0
            api = self._secret_api
            self._ask(device_api.register(config) if api is None else api.register(config), out)
        elif self._server is None:
            self._enter(PROVISIONING)
            self._ask(self._provision(), out)
        else:
            self._connect(out)

    def _must_register(self, now) -> bool:
        if self._refusals < _REFUSALS:
            return False
        return self._registered_at is None or now - self._registered_at >= _REGISTER_EVERY

    def _connect(self, out):
        self._enter(CONNECTING)
        c = self._config
        topics = subscriptions(c.did, c.product_key)
        out.append(
            MqttConnect(self._server.host, self._server.port, c.did, c.did, c.passcode, self.keepalive_s, topics)
        )

    def _ask(self, request, out):
        self._step_ref = self.request(request, out)

    def _on_registration(self, status, body, out):
        api = self._secret_api
        if api is None:
            did = device_api.parse_registration(status, body)
        else:
            did = api.parse_registration(status, body)
        self._config.did = did
        out.append(SaveConfig(self._config.to_record()))
        out.append(Notice(NOTICE_REGISTERED, did))
        self._server = None
        self._enter(PROVISIONING)
        self._ask(self._provision(), out)

    def _on_provision(self, status, body, now, out):
        self._server = self._take_server(status, body, now)
        self._connect(out)
        self._add_chores((_CHORE_MODULE, _CHORE_MCU, _CHORE_OLD_DID), out)

    def _on_refusal(self, status, error, now, out):
        out.append(Notice(NOTICE_CLOUD_REFUSED, str(error)))
        if self._secret_api is not None and status in (400, 404):
            # A cloud without generation B, or without the product's secret: the plain calls may do.
            self._secret_api = None
        elif self._state == PROVISIONING and status in (403, 404):
            # The did is disabled or unknown there, and no retry changes that.
            self._refusals = _REFUSALS
        self._wait(now, out)

    def _wait(self, now, out):
        self._enter(WAITING)
        wait = self._backoff.delay(now)
        self._retry_at = now + wait
        out.append(Notice(NOTICE_RETRY, wait))

    def _add_chores(self, chores, out):
        self._chores.extend(chores)
        if not self._chore_ref:
            self._next_chore(out)

    def _next_chore(self, out):
        self._chore_ref = 0
        c = self._config
        while self._chores:
            chore = self._chores[0]
            if chore == _CHORE_OLD_DID and not c.old_did:
                self._chores.pop(0)
                continue
            if chore == _CHORE_MODULE:
                request = device_api.check_firmware(c, KIND_MODULE, c.hard_version, c.soft_version)
            elif chore == _CHORE_MCU:
                request = device_api.check_firmware(c, KIND_MCU, self._versions[0], self._versions[1])
            elif chore == _CHORE_OLD_DID:
                request = device_api.disable(c.old_did, c.old_passcode)
            else:
                request = self._provision()
            self._chores.pop(0)
            self._chore = chore
            self._chore_ref = self.request(request, out)
            return

    def _on_chore(self, status, body, now, out):
        if self._chore == _CHORE_OLD_DID and status == 200:
            self._config.old_did = self._config.old_passcode = ""
            out.append(SaveConfig(self._config.to_record()))
        elif self._chore == _CHORE_TIME:
            try:
                self._take_server(status, body, now)
            except ConfigError:
                pass  # the clock runs on; asked again in an hour
        else:
            version, url = device_api.parse_firmware(status, body)
            if version:
                kind = KIND_MODULE if self._chore == _CHORE_MODULE else KIND_MCU
                out.append(Offer(kind, version, url))
        self._next_chore(out)

    def _provision(self) -> tuple:
        api = self._secret_api
        return device_api.provision(self._config) if api is None else api.provision(self._config)

    def _take_server(self, status, body, now) -> "device_api.Provision":
        """Where the broker is; the time that comes with it is learnt. ConfigError when it is no such answer."""
        api = self._secret_api
        if api is None:
            server = device_api.parse_provision(status, body)
        else:
            server = api.parse_provision(status, body)
        if server.utc:
            self.utc = (server.utc, now)
        return server
