"""An `Agent` on a clock that the test moves, with the bytes of an MCU and the answers of a cloud at hand."""

from gagent.agent import Agent
from gagent.config import AgentConfig
from gagent.effects import HttpRequest, MqttConnect, MqttPublish, Notice, SaveConfig
from mcu_proto.frame import FrameDecoder, encode_frame
from mcu_proto.link import SendSerial
from mcu_proto.mcu_message import build_device_info
from mcu_proto.message import DeviceInfo

MAC = "021122334455"
PRODUCT_KEY = "0123456789abcdef0123456789abcdef"
DID = "CaptureDevice000000001"
PROVISIONED = b"host=m2m.example&port=1883&server_ts=1795289071&log_host=&log_port=0&"
DEVICE_INFO = DeviceInfo("00000004", "00000002", "00000003", "00000001", PRODUCT_KEY, 0, 0, None, None)


class ModuleDriver:
    """`effects` are those of the last input, `saved` the last record that was to be kept.

    The MCU is silent unless a test speaks for it or sets `mcu_answers`.
    """

    def __init__(self, record=None, info=DEVICE_INFO, urandom=bytes, **options):
        self.config = AgentConfig(record or {"mac": MAC}, "http://api.example")
        self.agent = Agent(self.config, urandom, **options)
        self.keepalive = None
        self.info = info
        self.now = 0
        self.effects = []
        self.saved = None
        self.mcu_answers = False

    def do(self, name, *arguments):
        """One input at the present moment."""
        self.effects = getattr(self.agent, name)(*arguments, self.now)
        for effect in self.effects:
            if isinstance(effect, SaveConfig):
                self.saved = effect.record
        return self.effects

    def pass_time(self, ms):
        """Move the clock, doing all that becomes due; returns every effect on the way."""
        until = self.now + ms
        seen = []
        while (due := self.agent.next_timeout()) is not None and due <= until:
            self.now = max(self.now, due)
            seen += self.do("handle_timeout")
            if self.mcu_answers:
                seen += self._answer_frames(self.sent_frames())
        self.now = until
        self.effects = seen
        return seen

    def boot(self):
        """Start, with a network, and answer the handshake."""
        self.do("start")
        self.do("network_changed", True, 100)
        return self.mcu_says(2, self.sent_frames()[-1].sn if self.sent_frames() else 0, build_device_info(self.info))

    def go_online(self):
        """From the start to a session: an MCU and a cloud that answer everything."""
        self.boot()
        self.settle()
        return self

    def settle(self):
        """Ack, answer and accept whatever the last input asked for, until nothing is asked any more."""
        asked = list(self.effects)
        while asked:
            effect = asked.pop(0)
            if isinstance(effect, SendSerial):
                asked += self._answer_frames(FrameDecoder().feed(effect.data))
            elif isinstance(effect, HttpRequest):
                asked += self.do("http_response", effect.ref, *self.answer(effect))
            elif isinstance(effect, MqttConnect):
                self.keepalive = effect.keepalive_s
                asked += self.do("mqtt_connected")

    def answer(self, request):
        """(status, body) of a cloud that takes everything."""
        if request.method == "POST" and request.url.endswith("/dev/devices"):
            return 201, b"did=" + DID.encode()
        if request.method == "GET":
            return 200, PROVISIONED
        return (200, b"") if request.method == "DELETE" else (404, b"")

    def mcu_says(self, cmd, sn=0, payload=b"", flags=0):
        return self.do("receive_serial", encode_frame(cmd, sn, payload, flags))

    def sent_frames(self):
        """The frames among the effects of the last input."""
        data = b"".join([effect.data for effect in self.effects if isinstance(effect, SendSerial)])
        return FrameDecoder().feed(data)

    def published(self):
        return [(e.topic, e.payload) for e in self.effects if isinstance(e, MqttPublish)]

    def notices(self):
        return [e.code for e in self.effects if isinstance(e, Notice)]

    def requests(self):
        return [e for e in self.effects if isinstance(e, HttpRequest)]

    def connects(self):
        return [e for e in self.effects if isinstance(e, MqttConnect)]

    def _answer_frames(self, frames):
        effects = []
        for frame in frames:
            if frame.cmd & 1 and frame.cmd != 0x11:
                payload = build_device_info(self.info) if frame.cmd == 1 else b""
                effects += self.mcu_says(frame.cmd + 1, frame.sn, payload)
        return effects
