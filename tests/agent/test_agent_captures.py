"""gagent against the recordings of the reference agent: envelopes, HTTP answers, and an Agent in its place."""

from collections import Counter, namedtuple

import pytest
from testkit import captures
from testkit.module_driver import DID, ModuleDriver

from gagent import device_api, wire
from gagent.effects import HttpRequest, MqttConnect, MqttPublish, Restart
from gagent.errors import ConfigError
from mcu_proto.const import (
    CMD_GET_INFO,
    CMD_GET_TIME,
    CMD_HEARTBEAT,
    CMD_ILLEGAL_FROM_MODULE,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
)
from mcu_proto.errors import RemoteError
from mcu_proto.frame import Frame, FrameDecoder, encode_frame
from mcu_proto.link import SendSerial
from mcu_proto.mcu_message import build_device_info, parse_network_time

MESSAGES = [message for name in captures.names() for message in captures.messages(name)]
ANSWERS = [answer for name in captures.names() for answer in captures.answers(name)]


# Envelopes.

NO_ENVELOPE = {("07-bad-frames", 25): "published for a frame too short to have a payload"}


def test_every_relayed_message_decodes_and_encodes_the_same():
    refused = set()
    for message in MESSAGES:
        if message.topic.startswith("ser2cli"):
            continue
        try:
            envelope = wire.decode(message.payload)
        except RemoteError:
            refused.add((message.capture, message.line))
            continue
        assert wire.encode(envelope.cmd, envelope.p0, envelope.sn) == message.payload
    assert refused == set(NO_ENVELOPE)


def test_every_service_message_decodes_and_encodes_the_same():
    services = [wire.decode_service(message.payload) for message in MESSAGES if message.topic.startswith("ser2cli")]
    assert Counter(cmd for cmd, _ in services) == {wire.SERVICE_APP_COUNT: 2, wire.SERVICE_OTA: 3}
    assert b"".join([wire.encode_service(*service) for service in services]) == b"".join(
        [message.payload for message in MESSAGES if message.topic.startswith("ser2cli")]
    )


# HTTP.


def test_every_registration_answer_is_read():
    answers = [a for a in ANSWERS if (a.method, a.path) == ("POST", "/dev/devices")]
    for answer in answers:
        if answer.status == 201:
            assert device_api.parse_registration(answer.status, answer.body) == DID
        else:
            with pytest.raises(ConfigError, match="500"):
                device_api.parse_registration(answer.status, answer.body)
    assert Counter(a.status for a in answers) == {201: 4, 500: 3}


def test_every_provisioning_answer_is_read():
    answers = [a for a in ANSWERS if a.method == "GET" and a.path.startswith("/dev/devices/")]
    for answer in answers:
        provision = device_api.parse_provision(answer.status, answer.body)
        assert (provision.host, provision.port) == ("m2m.gizwits.com", 1883)
        assert provision.utc > 1795289000
    assert len(answers) == 6


# What an Agent says in place of the reference agent.

Difference = namedtuple("Difference", "ours theirs why")
# {capture: {kind: what only we and only they sent}}. Frames without sn, publishes as client and payload; all in hex.
DIFFERENCES = {
    "04-control": {
        "controls": Difference(
            ["03 0102", "03 0103", "03 0144"],
            ["03 00000003050000770102"],
            "an unknown command is not handed to the MCU; packets that share a segment or are cut are all served",
        ),
        "published": Difference(
            ["/burst 000000030700009400000002", "/burst 000000030700009400000003", "/split 000000030700009400000009"],
            [" 0000000303000000"],
            "the same; an unknown command is not answered",
        ),
    },
    "06-reports": {
        "published": Difference([], [" 000000030500009104aa"], "a repeated report is published once"),
    },
    "07-bad-frames": {
        "answers": Difference(
            ["06 47 ", "11 46 01"], ["06 48 ", "11 43 02", "11 46 02"], "see ANSWERS in proto/test_captures.py"
        ),
        "published": Difference(
            [" 000000030600009104ff01"],
            [" 00000003020000"],
            "an ff without its 55 is taken as it stands; a len of 4 is no frame",
        ),
    },
    "08-mcu-does-not-ack": {
        "controls": Difference([], ["03 016b", "03 016b"], "an MCU that refuses a control is not asked again"),
    },
    "09-time-module-info-bind": {
        "answers": Difference(
            ["11 06 02", "22 03 013030303030.. 65 bytes", "22 04 013030303030.. 65 bytes"],
            ["22 03 023030303030.. 83 bytes", "22 04 023030303030.. 83 bytes", "24 06 "],
            "we are a Wi-Fi module; transactions are for ports that take firmware, see test_ota.py",
        ),
        "requests": Difference([], ["25 0401", "25 0401", "25 0401"], "the same"),
    },
    "10-lan-discovery-login-control": {
        "controls": Difference(
            [], ["03 010a0b", "03 010c0d", "03 02", "03 02"], "these came over the LAN, which is not served"
        ),
    },
    "11-mcu-ota": {
        "answers": Difference(["11 02 02"], ["1c 02 "], "there is no image here; with one: test_ota.py"),
        "requests": Difference(
            [],
            [
                "19 000005dc0020.. 38 bytes",
                "1d 000100060007.. 260 bytes",
                "1d 000200060108.. 260 bytes",
                "1d 000300060209.. 260 bytes",
                "1d 00040006030a.. 260 bytes",
                "1d 00050006040b.. 260 bytes",
                "1d 00060006050c.. 224 bytes",
            ],
            "the same",
        ),
    },
    "11d-mcu-sends-big-data-to-cloud": {
        "answers": Difference(
            ["11 03 02", "11 04 02", "11 05 02", "11 06 02"],
            ["1a 03 ", "1e 04 ", "1e 05 ", "1e 06 "],
            "the agent does not take big data",
        ),
        "requests": Difference([], ["1b "], "the same"),
        "published": Difference([], [" 00000003db04.. 609 bytes"], "the same"),
    },
    "12-broker-down-and-up": {
        "published": Difference([" 0000000305000091040d"] * 2, [], "theirs had no broker then, ours stayed up"),
    },
    "18-lan-slot-keeps-login-after-idle-close": {
        "controls": Difference([], ["03 0199"], "this came over the LAN, which is not served"),
    },
}


class _Replay:
    """An online Agent that hears what the reference agent heard, when it heard it.

    The recorded acks of a control get the sn that ours has. What the recording has no answer for, our status pushes for
    instance, is acked at once; the acks of controls that were recorded as missing stay missing.
    """

    def __init__(self, name):
        self.said = {"answers": [], "controls": [], "requests": [], "published": []}
        self.theirs = {kind: [] for kind in self.said}
        self._driver = ModuleDriver().go_online()
        self._start = self._driver.now
        self._ours = []
        self._sns = {}
        self._controls = Counter()
        self._read(name)
        for line, now, what in self._inputs:
            self._advance(self._start + now)
            what(line)
        self._advance(self._driver.now + 3000)

    def differences(self):
        found = {}
        for kind, ours in self.said.items():
            only_ours = Counter(ours) - Counter(self.theirs[kind])
            only_theirs = Counter(self.theirs[kind]) - Counter(ours)
            if only_ours or only_theirs:
                found[kind] = (sorted(only_ours.elements()), sorted(only_theirs.elements()))
        return found

    def _read(self, name):
        inputs = []
        for write in captures.serial(name):
            if write.direction == captures.TO_MCU:
                (frame,) = FrameDecoder().feed(write.data)
                _note(frame, self.theirs)
                if frame.cmd == CMD_GET_TIME + 1:
                    self._driver.agent.set_utc(parse_network_time(frame.payload).utc, self._start + write.now)
                if frame.cmd == CMD_P0_DOWN:
                    self._controls[frame.payload] += 1
                    inputs.append((write.line, write.now, lambda line, f=frame: self._match(f)))
            else:
                inputs.append((write.line, write.now, lambda line, w=write: self._hear(w)))
        for message in captures.messages(name):
            if message.direction == captures.DOWN:
                inputs.append((message.line, message.now, lambda line, m=message: self._receive(m)))
            else:
                self.theirs["published"].append(_published(message.topic, message.payload))
        self._inputs = sorted(inputs, key=lambda item: item[:2])

    def _match(self, frame):
        """Their control is this one of ours: the recorded ack is for both."""
        for ours in self._ours:
            if ours.payload == frame.payload and ours.sn not in self._sns.values():
                self._sns.setdefault(frame.sn, ours.sn)

    def _hear(self, write):
        items = FrameDecoder().feed(write.data)
        data = write.data
        if isinstance(items[0], Frame) and items[0].cmd == CMD_P0_DOWN + 1:
            if items[0].sn not in self._sns:
                return
            data = encode_frame(items[0].cmd, self._sns[items[0].sn], items[0].payload)
        elif isinstance(items[0], Frame) and items[0].cmd == CMD_ILLEGAL_FROM_MODULE:
            data = encode_frame(items[0].cmd, self._sns[items[0].sn], items[0].payload)
        self._perform(self._driver.do("receive_serial", data))

    def _receive(self, message):
        self._perform(self._driver.do("receive_publish", message.topic, message.payload))

    def _advance(self, until):
        while (due := self._driver.agent.next_timeout()) is not None and due <= until:
            self._driver.now = max(self._driver.now, due)
            self._perform(self._driver.do("handle_timeout"))
        self._driver.now = max(self._driver.now, until)

    def _perform(self, effects):
        effects = list(effects)
        while effects:
            effect = effects.pop(0)
            if isinstance(effect, SendSerial):
                (frame,) = FrameDecoder().feed(effect.data)
                _note(frame, self.said)
                effects += self._ack(frame)
            elif isinstance(effect, HttpRequest):
                effects += self._driver.do("http_response", effect.ref, *self._driver.answer(effect))
            elif isinstance(effect, MqttConnect):
                effects += self._driver.do("mqtt_connected")
            elif isinstance(effect, MqttPublish):
                self.said["published"].append(_published(effect.topic, effect.payload))
            elif isinstance(effect, Restart):
                effects += self._driver.do("start")

    def _ack(self, frame):
        if not frame.cmd & 1 or frame.cmd == CMD_ILLEGAL_FROM_MODULE:
            return []
        if frame.cmd == CMD_P0_DOWN and self._controls[frame.payload]:
            self._ours.append(frame)
            return []
        payload = build_device_info(self._driver.info) if frame.cmd == CMD_GET_INFO else b""
        return self._driver.mcu_says(frame.cmd + 1, frame.sn, payload)


def _note(frame, said):
    """Sort a frame by kind; our sn is our own, that of an answer the MCU's."""
    text = "%02x %s" % (frame.cmd, _brief(frame.payload))
    if frame.cmd == CMD_ILLEGAL_FROM_MODULE or not frame.cmd & 1:
        said["answers"].append("%02x %02x %s" % (frame.cmd, frame.sn, _brief(frame.payload)))
    elif frame.cmd == CMD_P0_DOWN:
        said["controls"].append(text)
    elif frame.cmd not in (CMD_GET_INFO, CMD_GET_TIME, CMD_HEARTBEAT, CMD_MODULE_STATUS):
        said["requests"].append(text)


def _published(topic, payload):
    return "%s %s" % (topic.partition(DID)[2], _brief(payload))


def _brief(payload):
    return payload.hex() if len(payload) <= 16 else "%s.. %d bytes" % (payload[:6].hex(), len(payload))


@pytest.mark.parametrize("name", captures.names())
def test_an_agent_says_what_the_reference_agent_said_but_for_the_table(name):
    expected = {kind: (row.ours, row.theirs) for kind, row in DIFFERENCES.get(name, {}).items()}
    assert _Replay(name).differences() == expected


# A whole life without recorded answers.


def _sent(effects):
    return [effect.data for effect in effects if isinstance(effect, SendSerial)]


def test_without_an_mcu_ten_rounds_are_as_recorded_and_then_we_go_on():
    recorded = [write.data for write in captures.serial("16-no-mcu-at-start")]
    driver = ModuleDriver()
    sent = _sent(driver.do("start")) + _sent(driver.pass_time(10_000))
    assert len(recorded) == 30
    assert sent[:30] == recorded
    assert len(sent) > 40


def test_a_silent_mcu_is_given_up_a_round_earlier_and_asked_anew():
    recorded = [write.data for write in captures.serial("15-mcu-silent-after-start")]
    theirs = [frame.cmd for data in recorded[-12:] for frame in FrameDecoder().feed(data)]
    driver = ModuleDriver().go_online()
    ours = [frame.cmd for data in _sent(driver.pass_time(200_000)) for frame in FrameDecoder().feed(data)]
    assert theirs == [CMD_HEARTBEAT] * 12
    assert ours[:10] == [CMD_HEARTBEAT] * 9 + [CMD_GET_INFO]
