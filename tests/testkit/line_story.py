"""A session that is told what crossed its line, on a clock of its own: the same story every time, for screens."""

from mcu_debugger.backlog import Told
from mcu_debugger.product import load_product
from mcu_debugger.session import Role, Session
from mcu_debugger.sim_commands import COMMANDS
from mcu_debugger.simulator import McuSimulator
from mcu_debugger.value_text import units_of
from mcu_debugger.view import event_line

from mcu_proto import const as c
from mcu_proto.frame import encode_frame
from mcu_proto.mcu_message import build_device_info

from .repository import ROOT

DEFINITION = load_product(str(ROOT / "tools" / "demo" / "heatpump.json"))
VALUES = {"power": 1, "mode": "cool", "fan": "high", "target_temp": 41.5, "water_in": 31.5, "water_out": 35}


class LineStory:
    """`session` plays a heat pump and is never run; what is said here is in its observer and its backlog."""

    def __init__(self):
        self.simulator = McuSimulator(DEFINITION, VALUES, product_secret="0123456789abcdef" * 2)
        role = Role("sim", self.simulator, COMMANDS, event_line)
        self.session = Session(role, "MCU of Demo heat pump on /dev/ttyUSB0", {}, self.simulator.schema)
        self.session.units = units_of(DEFINITION)
        self.schema = self.simulator.schema
        self.time_us = 0

    def say(self, sender, data, after_ms):
        """Bytes cross the line `after_ms` after those before."""
        self.time_us += int(after_ms * 1000)
        for observed in self.session.observer.feed(self.time_us, sender, data):
            self.session.backlog.append(observed)

    def ask(self, sender, cmd, sn, payload=b"", answer=b"", rtt_ms=3.0):
        """A request half a second later, and its ack."""
        self.say(sender, encode_frame(cmd, sn, payload), 500)
        self.say(1 - sender, encode_frame(cmd + 1, sn, answer), rtt_ms)

    def tell(self, text):
        """A word of the role."""
        self.session.backlog.append(Told(self.time_us, text))

    def report(self, sn, **values):
        """The MCU reports, the module acks."""
        self.ask(c.MCU, c.CMD_P0_UP, sn, self.schema.encode_report({**VALUES, **values}), rtt_ms=2.5 + sn % 5)


def eventful():
    """A handshake, reports, a control, and everything that can go wrong."""
    story = LineStory()
    story.ask(c.MODULE, c.CMD_GET_INFO, 0, answer=build_device_info(story.simulator.info))
    story.tell("the module asks who we are, device info sent")
    story.ask(c.MODULE, c.CMD_MODULE_STATUS, 1, b"\x07\x3a")
    for sn in range(8):
        story.report(sn, water_in=30 + sn / 2)
    story.ask(c.MODULE, c.CMD_P0_DOWN, 2, story.schema.encode_control({"target_temp": 30, "fan": "low"}), rtt_ms=1.25)
    story.tell("control: fan low  target_temp 30")
    story.report(8, water_in=34, target_temp=30, fan="low")
    broken = bytearray(encode_frame(c.CMD_HEARTBEAT, 3))
    broken[-1] ^= 1
    story.say(c.MODULE, bytes(broken), 800)
    story.say(c.MCU, encode_frame(c.CMD_ILLEGAL_FROM_MCU, 3, b"\x01"), 1.5)
    story.ask(c.MODULE, c.CMD_HEARTBEAT, 3, rtt_ms=0.8)
    story.say(c.MCU, b"\r\nboot rst:1\r\n", 300)
    again = encode_frame(c.CMD_P0_UP, 9, story.schema.encode_report({**VALUES, "fault_water_flow": 1}))
    story.say(c.MCU, again, 500)
    story.say(c.MCU, again, 201)
    story.say(c.MODULE, encode_frame(c.CMD_P0_UP + 1, 9), 2.5)
    return story
