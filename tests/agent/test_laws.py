"""The laws of the agent's boundary hold whatever comes in, in whatever order."""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from testkit.module_driver import DEVICE_INFO, DID, PRODUCT_KEY, PROVISIONED

from gagent import effects as all_effects
from gagent import wire
from gagent.agent import Agent
from gagent.config import AgentConfig
from gagent.effects import HttpRequest, MqttConnect, MqttDisconnect, MqttPublish, Notice
from mcu_proto.frame import FrameDecoder, encode_frame
from mcu_proto.link import SendSerial
from mcu_proto.mcu_message import build_device_info

KINDS = tuple(
    value for name, value in vars(all_effects).items() if isinstance(value, type) and issubclass(value, tuple)
)
APP = "app2dev/%s/app" % DID

requests_of_the_mcu = st.sampled_from([0x05, 0x09, 0x0B, 0x13, 0x15, 0x17, 0x21, 0x29, 0x2B, 0x11, 0x12])
product_keys = st.sampled_from([PRODUCT_KEY, "f" * 32])
envelopes = st.builds(wire.encode, st.sampled_from([0x90, 0x93, 0x77]), st.binary(max_size=20), st.integers(0, 99))


class AgentLaws(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.random = random.Random(1)
        self.agent = Agent(AgentConfig({"mac": "021122334455"}, "http://api"), self.random.randbytes)
        self.now = 0
        self.refs = []
        self.open_refs = []
        self.connected = "no"
        self.frames = []

    def do(self, name, *arguments):
        out = getattr(self.agent, name)(*arguments, self.now)
        assert isinstance(out, list)
        for effect in out:
            assert isinstance(effect, KINDS), effect
            if isinstance(effect, SendSerial):
                self.frames += FrameDecoder().feed(effect.data)
            elif isinstance(effect, HttpRequest):
                assert effect.ref not in self.refs
                self.refs.append(effect.ref)
                self.open_refs.append(effect.ref)
            elif isinstance(effect, MqttConnect):
                assert self.connected == "no", "a second session while one is open"
                self.connected = "asked"
            elif isinstance(effect, MqttDisconnect):
                assert self.connected != "no", "nothing to disconnect"
                self.connected = "no"
            elif isinstance(effect, MqttPublish):
                assert effect.qos == 1 or self.connected == "yes", "an answer was published without a session"
            if isinstance(effect, Notice):
                assert len(str(effect.detail)) < 250
        return out

    @rule(up=st.booleans(), rssi=st.integers(0, 100))
    def network(self, up, rssi):
        self.do("network_changed", up, rssi)

    @rule()
    def start(self):
        self.do("start")

    @rule(ms=st.integers(0, 700) | st.integers(0, 130_000))
    def time_passes(self, ms):
        self.now += ms
        self.do("handle_timeout")
        due = self.agent.next_timeout()
        assert due is None or due > self.now, "due again at once: a port would spin"

    @rule()
    def early_timeout_is_harmless(self):
        before = self.agent.snapshot(), self.agent.next_timeout()
        if before[1] is None or before[1] > self.now:
            assert self.do("handle_timeout") == []
            assert (self.agent.snapshot(), self.agent.next_timeout()) == before

    @precondition(lambda self: self.frames)
    @rule(key=product_keys)
    def mcu_answers(self, key=PRODUCT_KEY):
        for frame in self.frames[-3:]:
            if frame.cmd & 1:
                info = build_device_info(DEVICE_INFO._replace(product_key=key))
                self.do("receive_serial", encode_frame(frame.cmd + 1, frame.sn, info if frame.cmd == 1 else b"\x03"))

    @rule()
    def everyone_answers(self):
        """The short way to a session: random answers alone hardly ever get there."""
        self.do("network_changed", True, 100)
        for _ in range(6):
            self.mcu_answers(PRODUCT_KEY)
            if self.open_refs:
                self.http_ends(0, "server" if self.agent.snapshot()["cloud"] == "provisioning" else "did")
            elif self.connected == "asked":
                self.login_succeeds()

    @rule(cmd=requests_of_the_mcu, sn=st.integers(0, 255), payload=st.binary(max_size=12))
    def mcu_asks(self, cmd, sn, payload):
        self.do("receive_serial", encode_frame(cmd, sn, payload))

    @rule(data=st.binary(max_size=40) | st.lists(st.sampled_from([0xFF, 0x55, 0, 5]), max_size=40).map(bytes))
    def garbage_on_the_line(self, data):
        self.do("receive_serial", data)

    @rule()
    def port_is_lost(self):
        self.do("serial_lost")

    @precondition(lambda self: self.open_refs)
    @rule(which=st.integers(0, 99), answer=st.sampled_from(["did", "server", "no", "garbage", "failed"]))
    def http_ends(self, which, answer):
        ref = self.open_refs.pop(which % len(self.open_refs))
        if answer == "failed":
            self.do("http_failed", ref, "no route to host")
        else:
            status, body = {
                "did": (201, b"did=" + DID.encode()),
                "server": (200, PROVISIONED),
                "no": (404, b'{"error_code": 9014}'),
                "garbage": (200, b"\x00\xff&&=host=&port=x"),
            }[answer]
            self.do("http_response", ref, status, body)

    @precondition(lambda self: self.connected == "asked")
    @rule()
    def login_succeeds(self):
        self.connected = "yes"
        self.do("mqtt_connected")

    @precondition(lambda self: self.connected != "no")
    @rule(reason=st.sampled_from([0, 4, 5]))
    def session_ends(self, reason):
        self.connected = "no"
        self.do("mqtt_lost", reason)

    @precondition(lambda self: self.connected == "yes")
    @rule(payload=envelopes | st.binary(max_size=20), topic=st.sampled_from([APP, "ser2cli_res/" + DID, "x", ""]))
    def message_arrives(self, payload, topic):
        self.do("receive_publish", topic, payload)

    @rule(utc=st.integers(1, 2**32 - 1))
    def clock_is_set(self, utc):
        self.do("set_utc", utc)

    @invariant()
    def next_timeout_is_valid(self):
        due = self.agent.next_timeout()
        assert due is None or isinstance(due, int)

    @invariant()
    def snapshot_tells_the_session(self):
        assert (self.agent.snapshot()["cloud"] == "online") == (self.connected == "yes")


AgentLaws.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestAgentLaws = AgentLaws.TestCase
