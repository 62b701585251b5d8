"""The home broker bridge end to end: a simulated MCU on a pty, the real runner, a real mosquitto, somebody at home."""

import asyncio
import contextlib
import dataclasses
import json
import re
import socket

import pytest
from gagent_linux.announcements import Announcement, Announcements
from gagent_linux.bridge import MAX_EVENTS
from gagent_linux.bridges import Sweep
from gagent_linux.gateway import Gateway
from gagent_linux.settings import BridgeSettings, PortSettings, Settings
from gagent_linux.tls import TlsSettings
from mcu_debugger.mcu_events import Controlled
from testkit import mqtt_script as script
from testkit.certificates import Authority
from testkit.ha_rules import broken_rules
from testkit.heard import LogText, in_loop, until
from testkit.home_app import HomeApp
from testkit.mcu_on_pty import McuOnPty
from testkit.mosquitto_running import free_port, mosquitto_running
from testkit.raw_server import http_answer, read_request, serving
from testkit.repository import ROOT

from mcu_proto.const import CMD_P0_UP, STATUS_CLOUD, STATUS_ROUTER

pytestmark = pytest.mark.mosquitto

MAC = "A0B1C2D3E4F5"
HEATPUMP = (ROOT / "tools" / "demo" / "heatpump.json").read_bytes()
KEY = json.loads(HEATPUMP)["product_key"]
CONFIG = "homeassistant/device/gagent_%s/config" % MAC
STATE, SET, ERROR = "gagent/mcu/state", "gagent/mcu/set", "gagent/mcu/error"
EVENT, AVAILABILITY = "gagent/mcu/event", "gagent/mcu/availability"
RAW, RAW_SET = "gagent/mcu/raw", "gagent/mcu/raw/set"


class Home:
    """A gateway with one MCU, no cloud, a broker, and `app`, who is there first and hears everything."""

    def __init__(self, folder, users=None, listener=()):
        self.folder = folder
        self.log = LogText()
        self.mcu = McuOnPty(folder)
        self.users = users
        self.listener = listener

    @contextlib.asynccontextmanager
    async def broker_only(self):
        (self.folder / "broker").mkdir(exist_ok=True)
        with mosquitto_running(self.folder / "broker", self.users, self.listener) as self.broker:
            self.app = HomeApp(self.broker, next(iter(self.users.items())) if self.users else None)
            await self.app.listens()
            try:
                yield
            finally:
                self.app.close()

    def gateway_of(self, name="mcu", definition=HEATPUMP, uplink="none", api="http://127.0.0.1:1", **bridge):
        port = PortSettings(name, self.mcu.path, 9600, MAC, uplink=uplink, definition=definition)
        at_home = BridgeSettings(**{"host": self.broker.host, "port": self.broker.port, **bridge})
        settings = Settings((port,), str(self.folder / "state"), api, bridge=at_home)
        self.settings = settings
        return Gateway(settings, self.log.logger, self.log.redactor)

    @contextlib.contextmanager
    def run(self, *arguments, **settings):
        self.gateway = self.gateway_of(*arguments, **settings)
        self.gateway.start()
        try:
            yield
        finally:
            self.gateway.stop()

    @contextlib.asynccontextmanager
    async def lived_in(self, **settings):
        async with self.broker_only():
            self.mcu.power_on()
            with self.run(**settings):
                await self.app.hears(AVAILABILITY, "online")
                yield


def at_home(folder, live, users=None, **settings):
    """Run `live(home)` in a home where the bridge is on line."""

    async def scene():
        home = Home(folder, users)
        async with home.lived_in(**settings):
            await live(home)

    in_loop(scene())


def test_a_report_becomes_a_state_with_every_attribute_and_the_time(tmp_path):
    async def live(home):
        home.mcu.set(power=True, mode="cool", target_temp=45.5, week_program="0102")
        state = await home.app.hears(STATE, power=True, mode="cool", target_temp=45.5)
        assert state["week_program"] == "01020000000000"
        assert set(state) == {attr.name for attr in home.mcu.simulator.schema.attrs} | {"timestamp"}
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", state["timestamp"])

    at_home(tmp_path, live)


def test_the_state_is_asked_for_when_the_mcu_is_there(tmp_path):
    async def scene():
        home = Home(tmp_path)
        # Set before it is plugged in, and all its reports are lost.
        async with home.broker_only():
            home.mcu.simulator.set({"power": True}, 0)
            home.mcu.power_on()
            with home.run():
                await home.app.hears(STATE, power=True)

    in_loop(scene())


def test_a_set_controls_the_mcu_and_its_new_state_comes_back(tmp_path):
    async def live(home):
        home.app.say(SET, {"power": True, "target_temp": 45.5, "mode": "heat"})
        await home.mcu.sees(Controlled)
        assert home.mcu.simulator.values["target_temp"] == 45.5
        await home.app.hears(STATE, power=True, target_temp=45.5, mode="heat")
        assert home.app.all(ERROR) == []

    at_home(tmp_path, live)


def test_a_set_with_one_bad_value_is_refused_as_a_whole(tmp_path):
    async def live(home):
        home.app.say(SET, {"power": True, "target_temp": 999, "nosuch": 1, "pump": True})
        await until(lambda: len(home.app.all(ERROR)) == 3, "three refusals")
        errors = {error["attr"]: error for error in map(json.loads, home.app.all(ERROR))}
        assert errors["target_temp"] == {
            "attr": "target_temp",
            "value": 999,
            "error": "999 is not within -10 to 65",
        }
        assert errors["nosuch"]["error"] == "this product has no such attribute"
        assert "cannot be set" in errors["pump"]["error"]
        home.app.say(SET, {"eco": True})
        await home.mcu.sees(Controlled)
        assert home.mcu.simulator.values["power"] is False

    at_home(tmp_path, live)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe",
        b"[" * 16000,
        b'{"power": 1' + b" " * 20000 + b"}",
        b'{"power": NaN}',
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_a_set_of_any_content_is_refused_and_the_next_one_is_taken(tmp_path, payload):
    async def live(home):
        home.app.say(SET, payload)
        await until(lambda: home.app.all(ERROR), "it is refused")
        home.app.say(SET, {"eco": True})
        await home.mcu.sees(Controlled)

    at_home(tmp_path, live)


def test_a_set_that_was_retained_is_not_done_again(tmp_path):
    async def scene():
        home = Home(tmp_path)
        async with home.broker_only():
            home.app.say(SET, {"power": True}, retain=True)
            await home.app.hears(SET, power=True)
            home.mcu.power_on()
            with home.run():
                await home.app.hears(AVAILABILITY, "online")
                home.app.say(SET, {"eco": True})
                await home.mcu.sees(Controlled)
                assert home.mcu.simulator.values["power"] is False

    in_loop(scene())


def test_the_device_is_announced_to_home_assistant_and_again_when_it_restarts(tmp_path):
    async def live(home):
        config = await home.app.hears(CONFIG, state_topic=STATE)
        assert broken_rules(config) == []
        assert config["dev"]["connections"] == [["mac", "a0:b1:c2:d3:e4:f5"]]
        await home.app.hears(STATE, power=False)
        home.app.forget()
        home.app.say("homeassistant/status", b"offline")
        home.app.say("homeassistant/status", b"online")
        assert await home.app.hears(CONFIG, state_topic=STATE) == config
        await home.app.hears(STATE, power=False)
        await home.app.hears(AVAILABILITY, "online")
        assert len(home.app.all(CONFIG)) == 1

    at_home(tmp_path, live)


def test_without_discovery_nothing_is_announced(tmp_path):
    async def live(home):
        await home.app.hears("house/a/mcu/state", power=False)
        assert [topic for topic, _ in home.app.messages if topic.startswith("homeassistant")] == []

    async def scene():
        home = Home(tmp_path)
        async with home.broker_only():
            home.mcu.power_on()
            with home.run(topic="house/a", discovery=""):
                await live(home)

    in_loop(scene())


def test_an_mcu_that_is_unplugged_is_off_line_until_it_returns(tmp_path):
    async def live(home):
        home.mcu.power_off()
        await home.app.hears(AVAILABILITY, "offline")
        home.mcu.power_on()
        await home.app.hears(AVAILABILITY, "online")

    at_home(tmp_path, live)


def test_a_set_while_there_is_no_mcu_is_refused(tmp_path):
    async def live(home):
        home.mcu.power_off()
        await home.app.hears(AVAILABILITY, "offline")
        home.app.say(SET, {"power": True})
        await home.app.hears(ERROR, error="the MCU is not there")

    at_home(tmp_path, live)


def test_a_control_that_the_mcu_does_not_ack_is_told(tmp_path):
    async def live(home):
        await home.app.hears(STATE, power=False)
        home.mcu.simulator.silent = True
        home.app.say(SET, {"power": True})
        error = await home.app.hears(ERROR, attr=None)
        assert error["error"].startswith("the MCU did not take a control")

    at_home(tmp_path, live)


def test_a_stop_leaves_the_device_off_line(tmp_path):
    async def live(home):
        home.gateway.stop()
        await home.app.hears(AVAILABILITY, "offline")

    at_home(tmp_path, live)


def test_a_session_that_breaks_leaves_the_device_off_line(tmp_path):
    async def live(home):
        session = home.gateway.runners[0]._bridge._broker._session
        session._release()  # as if the machine had died: no goodbye
        await home.app.hears(AVAILABILITY, "offline")

    at_home(tmp_path, live)


def test_a_broker_that_restarts_gets_everything_again(tmp_path):
    async def live(home):
        await home.app.hears(STATE, power=False)
        home.broker.kill()
        await home.log.says("closed the connection")
        home.mcu.set(power=True)
        home.app.forget()
        home.broker.start()
        await home.app.hears(STATE, power=True)
        await home.app.hears(CONFIG, state_topic=STATE)
        await home.app.hears(AVAILABILITY, "online")
        home.app.say(SET, {"eco": True})
        await home.mcu.sees(Controlled)

    at_home(tmp_path, live)


def test_alerts_are_events_that_wait_while_the_broker_is_away(tmp_path):
    async def live(home):
        await home.app.hears(STATE, power=False)
        bridge = home.gateway.runners[0]._bridge
        # Not the broker: who listens must be there before the bridge is back.
        bridge._broker._session._end(0, "the cat pulled the plug")
        schema = home.mcu.simulator.schema
        for n in range(MAX_EVENTS + 5):
            bridge.reported(_Reported(schema.encode_report({"fault_sensor": n % 2 == 0})))
        home.app.forget()
        await until(lambda: len(home.app.all(EVENT)) >= MAX_EVENTS, "the events", lambda: str(home.app.messages[-3:]))
        events = [json.loads(event) for event in home.app.all(EVENT)]
        assert len(events) == MAX_EVENTS
        assert [event["value"] for event in events] == [n % 2 == 0 for n in range(5, MAX_EVENTS + 5)]
        assert {event["attr"] for event in events} == {"fault_sensor"}
        assert all(event["timestamp"] for event in events)
        await home.app.hears(STATE, fault_sensor=True)

    at_home(tmp_path, live)


def test_an_event_that_was_not_acked_is_sent_again(tmp_path):
    async def live(home):
        await home.app.hears(STATE, power=False)
        bridge = home.gateway.runners[0]._bridge
        schema = home.mcu.simulator.schema
        bridge.reported(_Reported(schema.encode_report({"alert_frost": True})))
        await asyncio.sleep(0)  # it is under way, and the broker had no time to ack it
        assert bridge._event_under_way
        bridge._broker._session._end(0, "the cat pulled the plug")
        assert len(bridge._events) == 1
        await home.app.hears(EVENT, attr="alert_frost", value=True)
        await until(lambda: bridge._event_under_way is None and not bridge._events, "it is acked")

    at_home(tmp_path, live)


def test_a_slow_broker_gets_the_newest_state_and_not_all_of_them(tmp_path):
    async def scene():
        home = Home(tmp_path)
        slow = SlowBroker()
        async with home.broker_only(), serving(slow.talk) as port:
            home.mcu.power_on()
            with home.run(port=port):
                await until(lambda: slow.writer, "it is connected")
                bridge = home.gateway.runners[0]._bridge
                await until(lambda: bridge._values, "the first state")
                schema = home.mcu.simulator.schema
                for energy in range(12000):
                    bridge.reported(_Reported(schema.encode_report({"energy": energy})))
                    await asyncio.sleep(0)
                assert bridge._broker.unsent() < 20
                slow.go_on.set()
                await until(lambda: slow.states and slow.states[-1]["energy"] == 11999, "the newest state")
                assert len(slow.states) < 12000

    in_loop(scene())


class SlowBroker:
    """Accepts the session and reads no further until it may go on."""

    def __init__(self):
        self.go_on = asyncio.Event()
        self.writer = None
        self.states = []

    async def talk(self, reader, writer):
        await script.accept(reader, writer)
        # The kernel would hold it all otherwise.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.writer = writer
        await self.go_on.wait()
        while True:
            kind, body = await script.read_packet(reader)
            topic_end = 2 + int.from_bytes(body[:2], "big")
            if kind & 0xF0 == script.PUBLISH and body[2:topic_end].decode() == STATE:
                self.states.append(json.loads(body[topic_end:]))


def test_a_change_of_an_alert_is_one_event(tmp_path):
    async def live(home):
        await home.app.hears(STATE, power=False)
        home.mcu.set(alert_frost=True)
        await home.app.hears(EVENT, attr="alert_frost", value=True)
        home.app.say(SET, {"power": True})
        await home.app.hears(STATE, power=True, alert_frost=True)
        assert len(home.app.all(EVENT)) == 1

    at_home(tmp_path, live)


def test_without_a_definition_p0_crosses_in_hex(tmp_path):
    async def live(home):
        home.mcu.set(power=True)
        schema = home.mcu.simulator.schema
        await home.app.hears(RAW, schema.encode_report(home.mcu.simulator.values).hex())
        home.app.say(RAW_SET, schema.encode_control({"power": False}).hex().encode())
        await home.mcu.sees(Controlled)
        assert home.mcu.simulator.values["power"] is False
        for bad in (b"", b"0g", b"00" * 901):
            home.app.forget()
            home.app.say(RAW_SET, bad)
            assert "expected P0 in hex" in (await home.app.hears(ERROR, attr=None))["error"]
        home.app.say(SET, {"power": True})
        await home.app.hears(ERROR, attr=None, error="no definition says what this product has: use raw/set")
        assert home.app.all(CONFIG) == []

    at_home(tmp_path, live, definition=b"")


def test_with_a_definition_unchecked_p0_is_refused(tmp_path):
    async def live(home):
        home.app.say(RAW_SET, b"0101")
        await home.app.hears(ERROR, error="this product has a definition: use set")

    at_home(tmp_path, live)


def test_what_the_definition_does_not_explain_is_raw(tmp_path):
    async def live(home):
        home.mcu.request(CMD_P0_UP, b"\x06\x01\x02")
        await home.app.hears(RAW, "060102")
        home.mcu.request(CMD_P0_UP, b"\x04\x01")
        await home.app.hears(RAW, "0401")

    at_home(tmp_path, live)


def test_a_definition_of_another_product_is_not_used(tmp_path):
    other = json.dumps(json.loads(HEATPUMP) | {"product_key": "ab" * 16}).encode()

    async def live(home):
        assert "the MCU says " + KEY in home.log.getvalue()
        home.mcu.set(power=True)
        await until(lambda: home.app.all(RAW), "raw P0")
        assert home.app.all(STATE) == []

    at_home(tmp_path, live, definition=other)


def test_an_attribute_that_is_gone_is_taken_away(tmp_path):
    definition = json.loads(HEATPUMP)
    definition["entities"][0]["attrs"].pop()
    smaller = json.dumps(definition).encode()

    async def scene():
        home = Home(tmp_path)
        async with home.broker_only():
            home.mcu.power_on()
            with home.run():
                await home.app.hears(CONFIG, state_topic=STATE)
            home.app.forget()
            with home.run(definition=smaller):
                await until(lambda: len(home.app.all(CONFIG)) == 2, "two configs")
            first, second = map(json.loads, home.app.all(CONFIG))
            assert first["cmps"]["fault_sensor"] == {"p": "binary_sensor"}
            assert set(second["cmps"]) == set(first["cmps"]) - {"fault_sensor"}

    in_loop(scene())


@pytest.mark.parametrize("gone", ["port", "bridge", "discovery"])
def test_what_is_taken_out_of_the_settings_is_taken_away_from_home_assistant(tmp_path, gone):
    async def scene():
        home = Home(tmp_path)
        async with home.broker_only():
            home.mcu.power_on()
            with home.run():
                await home.app.hears(CONFIG, state_topic=STATE)
                await home.app.hears(AVAILABILITY, "online")
                changes = {
                    "port": {"ports": (PortSettings("other", "/nowhere"),)},
                    "bridge": {"bridge": None},
                    "discovery": {"bridge": BridgeSettings(home.broker.host, home.broker.port, discovery="")},
                }
                await home.gateway.reload(_with(home.settings, **changes[gone]))
                await home.app.hears(CONFIG, "")
                if gone != "discovery":
                    await home.app.hears(STATE, "")
                    await home.app.hears(AVAILABILITY, "")
                    await home.log.says("took away mcu")

    in_loop(scene())


def test_a_port_that_is_gone_at_the_next_start_is_taken_away(tmp_path):
    async def scene():
        home = Home(tmp_path)
        async with home.broker_only():
            home.mcu.power_on()
            with home.run():
                await home.app.hears(AVAILABILITY, "online")
                await home.app.hears(CONFIG, state_topic=STATE)
            with home.run(name="other"):
                # Under its new name it is the same module, and so the same device.
                await home.app.hears(CONFIG, state_topic="gagent/other/state")
                await home.app.hears(STATE, "")
                await home.app.hears("gagent/other/availability", "online")
            assert home.app.newest(CONFIG)

    in_loop(scene())


def test_what_another_port_has_taken_over_is_not_taken_away(tmp_path):
    async def scene():
        home = Home(tmp_path)
        async with home.broker_only():
            for topic in (CONFIG, STATE):
                home.app.say(topic, {"here": True}, retain=True)
                await home.app.hears(topic, here=True)
            announcements = Announcements(str(tmp_path))
            announcements.note("mcu", Announcement(KEY, (CONFIG, STATE), CONFIG))
            announcements.note("other", Announcement(KEY, (CONFIG, "gagent/other/state"), CONFIG))
            at_home = BridgeSettings(home.broker.host, home.broker.port)
            sweep = Sweep(at_home, announcements, ["mcu"], home.log.port)
            sweep.start()
            await home.app.hears(STATE, "")
            assert home.app.all(CONFIG) == [b'{"here": true}']
            assert announcements.names() == ["other"]
            sweep.stop()

    in_loop(scene())


def test_a_bridge_that_is_gone_at_the_next_start_says_what_is_left(tmp_path):
    async def scene():
        home = Home(tmp_path)
        async with home.broker_only():
            home.mcu.power_on()
            with home.run():
                await home.app.hears(CONFIG, state_topic=STATE)
            gateway = Gateway(_with(home.settings, bridge=None), home.log.logger, home.log.redactor)
            gateway.start()
            await home.log.says("the home broker still shows mcu")
            gateway.stop()

    in_loop(scene())


def test_without_a_cloud_the_status_word_shows_the_broker(tmp_path):
    async def live(home):
        await until(lambda: home.mcu.simulator.status & STATUS_CLOUD, "cloud bit")
        assert home.mcu.simulator.status & STATUS_ROUTER
        home.broker.kill()
        await until(lambda: not home.mcu.simulator.status & STATUS_CLOUD, "no cloud bit")
        assert "HTTP" not in home.log.getvalue()

    at_home(tmp_path, live)


def test_a_broker_with_a_password_is_logged_in_to_and_the_password_is_not_logged(tmp_path):
    async def live(home):
        home.app.say(SET, {"power": True})
        await home.mcu.sees(Controlled)
        assert "s3cret-of-home" not in home.log.getvalue()
        assert "s3cret-of-home" not in repr(home.settings)

    users = {"gagent": "s3cret-of-home"}
    at_home(tmp_path, live, users, username="gagent", password="s3cret-of-home")


def test_a_refused_login_is_said_once_and_tried_again(tmp_path):
    async def scene():
        home = Home(tmp_path, {"gagent": "right"})
        async with home.broker_only():
            with home.run(username="gagent", password="wrong"):
                await home.log.says("refused the login")
                assert home.log.getvalue().count("trying again until it works") == 1

    in_loop(scene())


@pytest.mark.parametrize("ca", ["its own", "another"])
def test_a_broker_with_tls_must_show_a_certificate_that_is_trusted(tmp_path, ca):
    async def scene():
        own, other = Authority(tmp_path, "own"), Authority(tmp_path, "other")
        shown = own.issue("127.0.0.1")
        secure = free_port()
        files = ("certfile %s" % shown.cert, "keyfile %s" % shown.key)
        home = Home(tmp_path, listener=("listener %d 127.0.0.1" % secure, *files))
        trusted = str((own if ca == "its own" else other).ca)
        async with home.broker_only():
            home.mcu.power_on()
            with home.run(port=secure, tls=TlsSettings(ca=trusted)):
                if ca == "its own":
                    await home.app.hears(STATE, power=False)
                    home.app.say(SET, {"power": True})
                    await home.app.hears(STATE, power=True)
                else:
                    await home.log.says("its certificate is not signed by")

    in_loop(scene())


class DefinitionApi:
    """The cloud's GET /app/datapoint: answers with `answers` in turn, the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def talk(self, reader, writer):
        head, _ = await read_request(reader)
        answer = http_answer("404 Not Found", b"{}")
        if "/app/datapoint" in head:
            self.asked.append(head)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(answer)
        await writer.drain()


def test_a_definition_is_fetched_once_and_kept(tmp_path):
    async def scene():
        home = Home(tmp_path)
        bad = json.loads(HEATPUMP)
        bad["entities"][0]["attrs"][3]["data_type"] = "float"
        api = DefinitionApi(
            http_answer("404 Not Found", b"{}"),
            http_answer("200 OK", json.dumps(bad).encode()),
            http_answer("200 OK", HEATPUMP),
        )
        async with home.broker_only(), serving(api.talk) as port:
            home.mcu.power_on()
            settings = {"definition": b"", "api": "http://127.0.0.1:%d" % port, "app_id": "abc123", "uplink": "cloud"}
            with home.run(**settings):
                await home.app.hears(CONFIG, state_topic=STATE)
            assert len(api.asked) == 3
            assert "GET /app/datapoint?product_key=%s " % KEY in api.asked[0]
            assert "X-Gizwits-Application-Id: abc123" in api.asked[0]
            assert "attribute hot_water_first: has data_type float" in home.log.getvalue()
            home.app.forget()
            with home.run(**settings | {"uplink": "none"}):
                await home.app.hears(CONFIG, state_topic=STATE)
            assert len(api.asked) == 3

    in_loop(scene())


class _Reported:
    def __init__(self, p0):
        self.p0 = p0


def _with(settings, **changes):
    return dataclasses.replace(settings, **changes)
