"""What crosses the module: reports up, controls and reads down, their answers back. Cloud manual, chapter 7.

    MCU 05 report ───▶ publish (qos 1), then ack 06          kept, newest only, while there is no did
    app 0090 P0 ─────▶ 03 P0 ── its ack ──▶ 0091 to all apps
    app 0093 sn, P0 ─▶ 03 P0 ── its ack ──▶ 0094 with that sn to that app

P0 is not looked into, but for its first byte: whether an answer is a state.
"""

from mcu_proto.const import ACTION_READ_REPLY, ACTION_VAR_READ_REPLY, CMD_P0_DOWN, MAX_PAYLOAD

from . import topics, wire
from .effects import NOTICE_CONTROL_FAILED, NOTICE_IGNORED, MqttPublish, Notice, Reported


class Relay:
    """`local` asks for `Reported`; `has_cloud` is False when nothing is to be published."""

    def __init__(self, config, local, has_cloud):
        self._config = config
        self._local = local
        self._has_cloud = has_cloud
        # Controls under way, as their tokens: (cloud command or 0 for a local one, client, sn, P0).
        self._in_hand = []
        # The newest report while there is no did to publish it under.
        self._kept = None
        self.reports = self.controls = self.failures = 0

    def report(self, p0, out):
        """The MCU reported."""
        self.reports += 1
        self._tell(p0, out)
        if self._has_cloud:
            self._publish(p0, out)

    def publish_kept(self, out):
        """There may be a did by now."""
        if self._kept is not None and self._config.did:
            p0, self._kept = self._kept, None
            self._publish(p0, out)

    def publish_file(self, file, out) -> bool:
        """An upload of the MCU goes up like a report; False when there is no did yet."""
        if not self._config.did:
            return False
        self._publish(file, out)
        return True

    def down(self, token, mcu, now, out) -> list:
        """A control or read for the MCU; what the session `mcu` made of it."""
        p0 = token[3]
        if token in self._in_hand and token[0]:
            # Sent again while the first is still under way: executed, and answered, once.
            return []
        if len(p0) > MAX_PAYLOAD:
            out.append(Notice(NOTICE_IGNORED, "control of %d bytes, an MCU takes %d" % (len(p0), MAX_PAYLOAD)))
            return []
        self._in_hand.append(token)
        return mcu.request(CMD_P0_DOWN, p0, now, token)

    def owns(self, token) -> bool:
        return token in self._in_hand

    def acked(self, token, p0, online, out):
        """The MCU took a control; `p0` is its answer."""
        self._in_hand.remove(token)
        self.controls += 1
        cmd, client, sn, _ = token
        if not cmd or p0[:1] in (bytes((ACTION_READ_REPLY,)), bytes((ACTION_VAR_READ_REPLY,))):
            self._tell(p0, out)
        if not cmd or not online:
            return
        did = self._config.did
        if cmd == wire.CLOUD_CONTROL:
            out.append(MqttPublish(topics.dev2app(did, client), wire.encode(wire.CLOUD_CONTROL_ACK, p0, sn), 0))
        else:
            out.append(MqttPublish(topics.dev2app(did), wire.encode(wire.CLOUD_REPORT, p0), 0))

    def failed(self, token, reason, out):
        """The MCU did not take it: told of, and not answered, as apps expect."""
        self._in_hand.remove(token)
        self.failures += 1
        out.append(Notice(NOTICE_CONTROL_FAILED, reason))

    def _publish(self, p0, out):
        did = self._config.did
        if did:
            out.append(MqttPublish(topics.dev2app(did), wire.encode(wire.CLOUD_REPORT, p0), 1))
        else:
            self._kept = p0

    def _tell(self, p0, out):
        if self._local and p0:
            out.append(Reported(p0))
