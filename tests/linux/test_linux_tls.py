"""TLS to broker and HTTP API: it works with the house's own CA, and whatever is wrong is one line with the fix."""

import asyncio
import contextlib

import pytest
from gagent_linux.gateway import Gateway
from gagent_linux.http_client import MAX_BODY, HttpClient
from gagent_linux.settings import PortSettings, Settings, SettingsError, load_settings
from gagent_linux.tls import Route, TlsSettings, make_context
from gagent_linux.uplink import Uplink
from testkit import mqtt_script as script
from testkit.certificates import Authority, self_signed
from testkit.device_api_stub import DeviceApiStub
from testkit.heard import Heard, LogText, in_loop
from testkit.mcu_on_pty import McuOnPty
from testkit.mosquitto_running import mosquitto_running
from testkit.patience import PATIENCE_S
from testkit.raw_server import http_answer, read_request, serving

from gagent.effects import HttpRequest, MqttConnect

HOST = "127.0.0.1"
DID = "WCWGkbS4Ttynzwx9brzpEa"
TOPICS = ("ser2cli_res/" + DID, "app2dev/%s/#" % DID)


class Pki:
    """Every certificate the tests need."""

    def __init__(self, folder):
        self.house = Authority(folder)
        self.other = Authority(folder, "other")
        self.twin = Authority(folder / "twin", "house")
        self.good = self.house.issue(HOST)
        self.named = self.house.issue("cloud.example")
        self.expired = self.house.issue(HOST, valid=(-9, -2))
        self.future = self.house.issue(HOST, valid=(2, 9))
        self.alone = self_signed(folder, HOST)
        self.member = self.house.issue("member")
        self.stranger = self.other.issue("stranger")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def settings(**paths):
    return TlsSettings(**{key: str(path) for key, path in paths.items()})


# name: what the server shows, whose clients it takes (None: everybody's), our settings; each a function of the Pki.
GOOD = {
    "own CA": (lambda p: p.good, None, lambda p: settings(ca=p.house.ca)),
    "the name asked for instead": (
        lambda p: p.named,
        None,
        lambda p: settings(ca=p.house.ca, server_name="cloud.example"),
    ),
    "the certificate itself as CA": (lambda p: p.alone, None, lambda p: settings(ca=p.alone.cert)),
    "a signed certificate itself as CA": (lambda p: p.good, None, lambda p: settings(ca=p.good.cert)),
    "our certificate": (
        lambda p: p.good,
        lambda p: p.house,
        lambda p: settings(ca=p.house.ca, cert=p.member.cert, key=p.member.key),
    ),
}
BAD = {
    "no CA": (lambda p: p.good, None, lambda p: settings(), "not signed by a CA known here: name"),
    "wrong CA": (lambda p: p.good, None, lambda p: settings(ca=p.other.ca), "not signed by a CA known here: name"),
    "wrong CA of that name": (lambda p: p.good, None, lambda p: settings(ca=p.twin.ca), "another file belongs in `ca`"),
    "self-signed": (lambda p: p.alone, None, lambda p: settings(ca=p.house.ca), "not signed by a CA known here: name"),
    "wrong name": (lambda p: p.named, None, lambda p: settings(ca=p.house.ca), "is not for 127.0.0.1: use a name"),
    "wrong server_name": (
        lambda p: p.good,
        None,
        lambda p: settings(ca=p.house.ca, server_name="cloud.example"),
        "is not for cloud.example: use a name",
    ),
    "expired": (lambda p: p.expired, None, lambda p: settings(ca=p.house.ca), "has expired: have it renewed"),
    "not valid yet": (lambda p: p.future, None, lambda p: settings(ca=p.house.ca), "set this machine's clock"),
    "client certificate missing": (
        lambda p: p.good,
        lambda p: p.house,
        lambda p: settings(ca=p.house.ca),
        "it wants a client certificate",
    ),
}


async def ask(url, tls, timeout_s=PATIENCE_S):
    heard = Heard()
    client = HttpClient(heard.note("response"), heard.note("failed"), timeout_s, make_context(tls))
    client.request(HttpRequest(7, "GET", url, b""))
    answer = await heard.next()
    client.close()
    assert heard.nothing_more()
    return answer


def https(talk, server_context, tls, timeout_s=PATIENCE_S):
    async def scene():
        async with serving(talk, server_context) as port:
            return await ask("https://%s:%d/" % (HOST, port), tls, timeout_s)

    return in_loop(scene())


def answers(*pieces):
    async def talk(reader, writer):
        await read_request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return talk


def server_context(pki, shown, clients):
    return shown(pki).server_context(clients and clients(pki))


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_https_is_spoken_with(pki, case):
    shown, clients, ours = case
    answer = https(answers(http_answer("200 OK", b"x=1")), server_context(pki, shown, clients), ours(pki))
    assert answer == ("response", 7, 200, b"x=1")


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_https_fails_in_one_line_with(pki, case):
    shown, clients, ours, words = case
    kind, _, reason = https(answers(http_answer("200 OK", b"")), server_context(pki, shown, clients), ours(pki))
    assert kind == "failed"
    assert reason.startswith("TLS with 127.0.0.1:")
    # A server built on asyncio leaves without saying why.
    assert words.replace("it wants", "if it wants") in reason or words in reason
    assert "\n" not in reason


def test_an_answer_over_tls_may_be_long_and_come_in_pieces(pki):
    body = bytes(range(256)) * (MAX_BODY // 256)
    pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)]
    pieces += [body[i : i + 999] for i in range(0, len(body), 999)]
    assert https(answers(*pieces), pki.good.server_context(), settings(ca=pki.house.ca)) == ("response", 7, 200, body)


def test_an_answer_over_tls_that_is_cut_fails_with_a_reason(pki):
    talk = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")
    kind, _, reason = https(talk, pki.good.server_context(), settings(ca=pki.house.ca))
    assert (kind, "cut short" in reason) == ("failed", True)


async def speaks_http(reader, writer):
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


async def leaves(reader, writer):
    await reader.read(100)


async def says_nothing(reader, writer):
    await reader.read()


@pytest.mark.parametrize(
    ("talk", "timeout_s", "words"),
    [
        (speaks_http, PATIENCE_S, "is not TLS"),
        (leaves, PATIENCE_S, "it closed the connection in the handshake: does it speak TLS"),
        (says_nothing, 1.0, "does it speak TLS"),
    ],
)
def test_https_to_a_port_without_tls_asks_for_the_port(talk, timeout_s, words):
    # The server runs in this loop: it could not answer if the handshake held the loop up.
    kind, _, reason = https(talk, None, settings(), timeout_s)
    assert kind == "failed"
    assert words in reason
    assert "check the port" in reason


class Session:
    """A session over TLS with a broker on `port`."""

    def __init__(self, port, tls, timeout_s=PATIENCE_S):
        self.heard = Heard()
        self.log = LogText()
        note = self.heard.note
        route = Route(make_context(tls), True, port)
        self.uplink = Uplink(note("connected"), note("lost"), note("message"), self.log.port, timeout_s, route)
        self.effect = MqttConnect(HOST, 1883, DID, DID, "ABCDEFGHIJ", 120, TOPICS)

    async def begin(self):
        self.uplink.connect(self.effect)
        return await self.heard.next()

    async def refused(self):
        """The reason why there is no session."""
        assert await self.begin() == ("lost", 0)
        assert self.heard.nothing_more()
        return self.log.port.reason


@contextlib.contextmanager
def tls_broker(folder, pki, shown, clients=None):
    lines = ["certfile %s" % shown.cert, "keyfile %s" % shown.key]
    if clients is not None:
        lines += ["cafile %s" % clients.ca, "require_certificate true"]
    with mosquitto_running(folder, None, lines) as broker:
        yield broker


@pytest.mark.mosquitto
@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_a_broker_is_joined_with(tmp_path, pki, case):
    async def scene():
        with tls_broker(tmp_path, pki, shown(pki), clients and clients(pki)) as broker:
            s = Session(broker.port, ours(pki))
            assert await s.begin() == ("connected",)
            s.uplink.publish("app2dev/%s/me" % DID, b"to myself", 0)
            assert await s.heard.next() == ("message", "app2dev/%s/me" % DID, b"to myself")
            s.uplink.disconnect()

    shown, clients, ours = case
    in_loop(scene())


@pytest.mark.mosquitto
@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_broker_is_lost_in_one_line_with(tmp_path, pki, case):
    async def scene():
        with tls_broker(tmp_path, pki, shown(pki), clients and clients(pki)) as broker:
            reason = await Session(broker.port, ours(pki)).refused()
            assert reason.startswith("TLS with broker 127.0.0.1:%d: " % broker.port)
            assert words in reason
            assert "\n" not in reason

    shown, clients, ours, words = case
    in_loop(scene())


@pytest.mark.mosquitto
def test_a_certificate_of_ours_that_a_broker_refuses_is_named(tmp_path, pki):
    async def scene():
        with tls_broker(tmp_path, pki, pki.good, pki.house) as broker:
            ours = settings(ca=pki.house.ca, cert=pki.stranger.cert, key=pki.stranger.key)
            assert "does not accept our certificate (unknown ca)" in await Session(broker.port, ours).refused()

    in_loop(scene())


@pytest.mark.mosquitto
def test_tls_with_a_plain_broker_asks_for_the_port(tmp_path):
    async def scene():
        with mosquitto_running(tmp_path) as broker:
            assert "check the port (in `api`, or `mqtt_port`)" in await Session(broker.port, settings()).refused()

    in_loop(scene())


@pytest.mark.mosquitto
def test_messages_that_come_together_over_tls_all_arrive_in_order(tmp_path, pki):
    async def scene():
        with tls_broker(tmp_path, pki, pki.good) as broker:
            s = Session(broker.port, settings(ca=pki.house.ca))
            assert await s.begin() == ("connected",)
            payloads = [b"%d" % n + b"x" * (n * 7 % 3000) for n in range(500)] + [b"y" * 300_000]
            for payload in payloads:
                s.uplink.publish("app2dev/%s/me" % DID, payload, 0)
            for payload in payloads:
                assert await s.heard.next() == ("message", "app2dev/%s/me" % DID, payload)
            s.uplink.disconnect()

    in_loop(scene())


def test_packets_in_one_record_are_all_taken(pki):
    async def talk(reader, writer):
        await script.accept(reader, writer, len(TOPICS))
        writer.write(b"".join([script.publish("t", b"%d" % n) for n in range(50)]))
        await reader.read()

    async def scene():
        async with serving(talk, pki.good.server_context()) as port:
            s = Session(port, settings(ca=pki.house.ca))
            assert await s.begin() == ("connected",)
            for n in range(50):
                assert await s.heard.next() == ("message", "t", b"%d" % n)
            s.uplink.disconnect()

    in_loop(scene())


def test_a_broker_that_never_shakes_hands_is_lost_with_the_time():
    async def scene():
        async with serving(says_nothing) as port:
            assert "TLS" in await Session(port, settings(), timeout_s=0.3).refused()

    in_loop(scene())


def test_the_passcode_is_not_sent_before_the_broker_is_verified(pki):
    seen = []

    async def talk(reader, writer):
        seen.append(await reader.read())

    async def scene():
        async with serving(talk, pki.expired.server_context()) as port:
            await Session(port, settings(ca=pki.house.ca)).refused()

    in_loop(scene())
    assert seen == []


@pytest.mark.parametrize(
    ("route", "provisioned", "port"),
    [
        (Route(), 1883, 1883),
        (Route(mqtt_tls=True), 1883, 8883),
        (Route(mqtt_tls=True), 18830, 18830),
        (Route(mqtt_tls=True, mqtt_port=443), 1883, 443),
        (Route(mqtt_port=11883), 1883, 11883),
    ],
)
def test_the_port_of_the_broker(route, provisioned, port):
    assert route.port(provisioned) == port


def test_a_device_comes_on_line_over_tls_alone(tmp_path, pki):
    async def scene():
        async def broker(reader, writer):
            await script.accept(reader, writer)
            logged_in.set()
            await reader.read()

        logged_in = asyncio.Event()
        mcu, log = McuOnPty(tmp_path), LogText()
        context = pki.named.server_context(pki.house)
        async with serving(broker, context) as port, DeviceApiStub(port).running(context) as api:
            ours = settings(ca=pki.house.ca, cert=pki.member.cert, key=pki.member.key, server_name="cloud.example")
            ports = (PortSettings("mcu", mcu.path, 9600, "A0B1C2D3E4F5"),)
            whole = Settings(ports, str(tmp_path / "state"), api.url, mqtt_tls=True, tls=ours)
            gateway = Gateway(whole, log.logger, log.redactor)
            gateway.start()
            mcu.power_on()
            await log.says("online, did")
            assert logged_in.is_set()
            gateway.stop()
            mcu.power_off()

    in_loop(scene())


def test_an_untrusted_cloud_is_told_in_one_line_with_the_fix(tmp_path, pki):
    async def scene():
        mcu, log = McuOnPty(tmp_path), LogText(0)
        async with DeviceApiStub(1).running(pki.good.server_context()) as api:
            ports = (PortSettings("mcu", mcu.path, 9600, "A0B1C2D3E4F5"),)
            gateway = Gateway(Settings(ports, str(tmp_path / "state"), api.url), log.logger, log.redactor)
            gateway.start()
            mcu.power_on()
            await log.says("the cloud cannot be reached: TLS with 127.0.0.1:")
            gateway.stop()
            mcu.power_off()
        line = next(line for line in log.getvalue().splitlines() if "cannot be reached" in line)
        assert line.endswith("name that CA's certificate in `ca` of [tls]")

    in_loop(scene())


def write(folder, text):
    path = folder / "gagent.toml"
    path.write_text(text)
    return str(path)


def test_settings_of_tls_are_taken(tmp_path, pki):
    text = "mqtt_tls = true\nmqtt_port = 8884\n[tls]\nca = '%s'\ncert = '%s'\nkey = '%s'\nserver_name = 'c.example'\n"
    text += "[[port]]\nport = '/dev/a'\n"
    loaded = load_settings(write(tmp_path, text % (pki.house.ca, pki.member.cert, pki.member.key)))
    assert (loaded.mqtt_tls, loaded.mqtt_port) == (True, 8884)
    assert loaded.tls == settings(ca=pki.house.ca, cert=pki.member.cert, key=pki.member.key, server_name="c.example")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[[port]]\nport = '/dev/a'\n[tls]\nca = '/no/such'", 4, ["ca", "/no/such", "may read"]),
        ("[tls]\nca = '{toml}'\n[[port]]\nport = '/dev/a'", 2, ["ca", "PEM"]),
        ("[tls]\ncert = '{cert}'\nkey = '{other}'\n[[port]]\nport = '/dev/a'", 2, ["cert", "mismatch", "belongs"]),
        ("[tls]\ncert = '{cert}'\nkey = '{locked}'\n[[port]]\nport = '/dev/a'", 2, ["cert", "no passphrase"]),
        ("[tls]\ncert = '{cert}'\n[[port]]\nport = '/dev/a'", 2, ["cert", "key"]),
        ("[tls]\nkey = '{key}'\n[[port]]\nport = '/dev/a'", 2, ["key", "expected cert too"]),
        ("[tls]\nserver_name = 'a b'\n[[port]]\nport = '/dev/a'", 2, ["server_name", "a b", "bears"]),
        ("[[port]]\nport = '/dev/a'\nbaud = 1\n[tls]", 3, ["baud"]),
        ("[tls]\n[[port]]\nport = '/dev/a'\nbaud = 1", 4, ["baud"]),
        ("mqtt_tls = 1\n[[port]]\nport = '/dev/a'", 1, ["mqtt_tls", "true or false"]),
        ("mqtt_port = 0\n[[port]]\nport = '/dev/a'", 1, ["mqtt_port", "65535"]),
        ("tls = true\n[[port]]\nport = '/dev/a'", 1, ["tls", "[tls]"]),
        ("tls.ca = 5\n[[port]]\nport = '/dev/a'", 1, ["ca", "path"]),
    ],
)
def test_a_refused_setting_of_tls_is_named(tmp_path, pki, text, line, words):
    path = tmp_path / "gagent.toml"
    names = {"{toml}": path, "{cert}": pki.member.cert, "{key}": pki.member.key}
    names |= {"{other}": pki.good.key, "{locked}": pki.member.locked_key}
    for name, file in names.items():
        text = text.replace(name, str(file))
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text))
    message = str(caught.value)
    assert "gagent.toml:%d:" % line in message
    assert [word for word in words if word not in message] == []
    assert "\n" not in message


@pytest.mark.parametrize("key", ["verify", "insecure", "check_hostname"])
def test_no_setting_turns_verification_off(tmp_path, key):
    with pytest.raises(SettingsError, match="unknown key, expected one of: ca, cert, key, server_name"):
        load_settings(write(tmp_path, "[tls]\n%s = false\n[[port]]\nport = '/dev/a'\n" % key))
