"""`gagent doctor`, the cloud's half: from the API's name to the rights on topics. Cloud manual, device side, 3 and 4.

The layers stand on each other: DNS, TCP, TLS, HTTP answer, then the same for the broker, login, topic rights; the first
that fails ends it. Nothing is registered or changed; the login is left out while a running process has the session, for
a second one would throw it out.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gagent import device_api, topics
from gagent.config import AgentConfig
from gagent.device_api import Provision
from gagent.device_api_b import SecretApi
from gagent.errors import ConfigError

from .crypto import Crypto
from .finding import Finding
from .http_client import HttpError, fetch
from .log import REFUSALS
from .mqtt_session import CONNACK_CODES, MqttSession
from .settings import Settings
from .tls import Route, TlsError, make_context

_TIMEOUT_S = 10
# TLS certificates and timers of apps stand this, and no more.
_CLOCK_S = 300
# Asked for where there is no identity yet: any answer shows that the API is there.
_NO_DID = "0" * 22


class CloudChecks:
    """The checks for the port whose identity is `record` (None: none yet); `secret` is the product's, "" if unknown."""

    def __init__(self, settings: Settings, record: dict[str, Any] | None, secret: str = "") -> None:
        self._settings = settings
        self._record = record or {}
        self._secret = secret
        is_secure = settings.mqtt_tls or settings.api.startswith("https://")
        self._tls = make_context(settings.tls) if is_secure else None
        self._route = Route(self._tls, settings.mqtt_tls, settings.mqtt_port)

    def run(self, with_login: bool) -> Iterator[Finding]:
        """One finding after the other, up to the first that fails."""
        parts = urlsplit(self._settings.api)
        host = parts.hostname or ""
        is_https = parts.scheme == "https"
        port = parts.port or (443 if is_https else 80)
        for finding in _reach(host, port, self._tls if is_https else None, "api"):
            yield finding
            if not finding.is_good():
                return
        if not self._record.get("did"):
            yield from self._check_api()
            return
        try:
            server = self._provision()
        except (HttpError, ConfigError) as error:
            yield Finding("HTTP answer", str(error), _HTTP_FIX)
            return
        yield Finding("HTTP answer", "the cloud knows did %s" % self._record["did"])
        yield check_clock(server.utc)
        at = self._route.port(server.port)
        for finding in _reach(server.host, at, self._tls if self._route.mqtt_tls else None, "broker"):
            yield finding
            if not finding.is_good():
                return
        if with_login:
            yield from self._log_in(server.host, at)

    def _check_api(self) -> Iterator[Finding]:
        try:
            status, _ = fetch("GET", "%s/dev/devices/%s" % (self._settings.api, _NO_DID), b"", self._tls)
        except HttpError as error:
            yield Finding("HTTP answer", str(error), _HTTP_FIX)
            return
        if status >= 500:
            yield Finding("HTTP answer", "HTTP %d" % status, "the cloud is in trouble: see its log")
            return
        yield Finding("HTTP answer", "HTTP %d; there is no identity yet to log in with" % status)
        yield check_clock(0)

    def _provision(self) -> Provision:
        config = AgentConfig(self._record, self._settings.api)
        if self._secret:
            try:
                return self._provision_by(SecretApi(Crypto(), self._secret), config)
            except (ConfigError, ValueError):  # as the agent does: a cloud without generation B has A
                pass
        return self._provision_by(device_api, config)

    def _provision_by(self, api: Any, config: AgentConfig) -> Provision:
        method, path, body = api.provision(config)
        status, answer = fetch(method, self._settings.api + path, body, self._tls)
        server: Provision = api.parse_provision(status, answer)
        return server

    def _log_in(self, host: str, port: int) -> Iterator[Finding]:
        did, product_key = self._record["did"], self._record["product_key"]
        login = _Login(did, self._record["passcode"], self._tls if self._route.mqtt_tls else None)
        try:
            code = login.connect(host, port)
            if code:
                yield Finding("login", REFUSALS.get(code, "refused with code %d" % code), _LOGIN_FIX)
                return
            yield Finding("login", "did and passcode are accepted")
            refused = [topic for topic in topics.subscriptions(did, product_key) if not login.subscribe(topic)]
            if refused:
                yield Finding("topic rights", "refused: " + ", ".join(refused), "correct the broker's access rules")
            else:
                yield Finding("topic rights", "every topic may be subscribed to")
        except (OSError, ValueError) as error:
            yield Finding("login", "the broker does not answer as one: %s" % error, "is that the broker's port?")
        finally:
            login.close()


_HTTP_FIX = "check `api`; 403 or 404: the cloud does not know this device, which then registers again by itself"
_LOGIN_FIX = "the agent registers again after six refusals; or let the cloud know this did and passcode"


def check_clock(utc: int) -> Finding:
    """This machine's clock against the cloud's `utc`, 0 when it told none."""
    ours = int(time.time())
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(ours))
    if utc and abs(ours - utc) > _CLOCK_S:
        seen = "this machine says %s, the cloud %+d s from that" % (shown, utc - ours)
        return Finding("clock", seen, "set the clock: timedatectl set-ntp true")
    if ours < 1704067200:  # before 2024 it was never set
        return Finding("clock", "this machine says %s" % shown, "set the clock: timedatectl set-ntp true")
    return Finding("clock", shown + (", as the cloud's" if utc else ""))


def _reach(host: str, port: int, tls: ssl.SSLContext | None, what: str) -> Iterator[Finding]:
    where = "%s %s:%d" % (what, host, port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        fix = "correct %s, or this machine's DNS (resolvectl query %s)" % (_SETTING[what], host)
        yield Finding("DNS", "%s does not resolve: %s" % (host, getattr(error, "strerror", error)), fix)
        return
    yield Finding("DNS", "%s is %s" % (where, found[0][4][0]))
    try:
        connection = socket.create_connection((host, port), _TIMEOUT_S)
    except OSError as error:
        fix = "does the cloud run, is %s right, is there a firewall in between?" % _SETTING[what]
        yield Finding("TCP", "no connection to %s: %s" % (where, error.strerror or "no answer"), fix)
        return
    with connection:
        yield Finding("TCP", where + " accepts connections")
        if tls is None:
            yield Finding("TLS", where + " is used without TLS")
            return
        try:
            with tls.wrap_socket(connection, server_hostname=host) as secure:
                yield Finding("TLS", "%s, %s, certificate verified" % (where, secure.version()))
        except TlsError as error:
            seen, _, fix = str(error).partition(": ")
            yield Finding("TLS", "%s: %s" % (where, seen), fix or "see the server's log")
        except OSError as error:
            yield Finding("TLS", "%s: %s" % (where, error), "does it speak TLS on that port?")


_SETTING = {"api": "`api`", "broker": "the broker's address in the cloud's settings"}


class _Login:
    """One login at a broker, blocking."""

    def __init__(self, did: str, passcode: str, tls: ssl.SSLContext | None) -> None:
        self._answers: list[int] = []
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=did,
            clean_session=True,
            protocol=MqttSession.protocol,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(did, passcode)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.connect_timeout = _TIMEOUT_S
        self._client.on_connect = lambda client, userdata, flags, reason, properties: self._answers.append(
            CONNACK_CODES.get(reason.value, 0) if reason.is_failure else 0
        )
        self._client.on_subscribe = lambda client, userdata, mid, reasons, properties: self._answers.append(
            reasons[0].is_failure
        )

    def connect(self, host: str, port: int) -> int:
        """The CONNACK code."""
        self._client.connect(host, port, 60)
        return self._answer()

    def subscribe(self, topic: str) -> bool:
        """Whether the broker grants it."""
        self._client.subscribe(topic, 0)
        return not self._answer()

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()

    def _answer(self) -> int:
        deadline = time.monotonic() + _TIMEOUT_S
        while not self._answers:
            if time.monotonic() > deadline:
                raise TimeoutError("no answer within %d s" % _TIMEOUT_S)
            if self._client.loop(0.2) != mqtt.MQTT_ERR_SUCCESS and not self._answers:
                raise ConnectionError("it closed the connection")
        return self._answers.pop(0)
