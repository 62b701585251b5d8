"""The way to the cloud's broker: at most one MQTT session at a time. Cloud manual, device side, chapter 4.1.

Each `connect` has exactly one answer, `mqtt_connected` or `mqtt_lost`; after `mqtt_connected` comes exactly one
`mqtt_lost`, unless `disconnect` was called. Reports are kept until the broker has acknowledged them: the newest few,
for on a chip there is no room for more; what had to go is counted in `dropped`.

Survives: brokers that are silent, half dead (a ping must be answered), acknowledge nothing, send garbage or more than
there is room for; a network that takes only a part of what is sent.
"""

from mcu_proto.const import const

from . import mqtt
from .connection import Connection

# To open the connection, log in and subscribe: mobile lines need 5 s at times.
_TIMEOUT = const(10000)
# A dead peer is found in this and a timeout, though the agreed keep-alive is longer.
_PING_EVERY = const(60000)
# A broker that acknowledges no report for so long is broken: another session is its chance, and ours.
_ACK_TIMEOUT = const(30000)
# Reports kept, and their bytes: an appliance's state is some 50.
_REPORTS = const(4)
_REPORT_BYTES = const(1024)
# What may wait for the network before more is handed to it, and before it counts as dead; the longest packet taken.
_MAX_UNSENT = const(1024)
_DEAD = const(4096)
_MAX_PACKET = const(1024)

IDLE = const(0)
_LOGIN = const(1)
_SUBSCRIBING = const(2)
READY = const(3)

# Of a report: its mid, 0 when not sent in this session; whether an earlier one sent it; topic; payload.
_MID = const(0)
_IS_AGAIN = const(1)
_TOPIC = const(2)
_PAYLOAD = const(3)


class Uplink:
    """`feed(method, ...)` gets what comes for `agent`; `buf`, a memoryview, is what is read into.

    `port` other than 0 is taken instead of the cloud's, `tls` secures the connection. `state` is READY in a session,
    `reason` says for people why the last one ended, `due` is when `turn` has something to do though nothing came;
    `reports` holds what is not acknowledged, and is emptied when it is no more ours.
    """

    def __init__(self, poll, network, buf, feed, agent, port=0, tls=None):
        self._reader = mqtt.MqttReader(_MAX_PACKET)
        self._connection = Connection(poll, network)
        self._buf = buf
        self._feed = feed
        self._agent = agent
        self._port = port
        self._tls = tls
        self._mid = 0
        self._deadline = self._ack_due = 0
        self.state = IDLE
        self.reports = []
        self.dropped = 0
        self.reason = ""
        self.due = None

    def connect(self, effect, now):
        """Start the session of an `MqttConnect`; one that is open is closed first."""
        self.disconnect()
        e = self._effect = effect
        self.state = _LOGIN
        self._topics = list(e.topics)
        self._is_pinged = False
        self._deadline = now + _TIMEOUT
        self._reader.reset()
        self._connection.open(e.host, self._port or e.port, self._tls)
        self._connection.write(mqtt.connect(e.client_id, e.username, e.password, e.keepalive_s))
        self.due = 0

    def publish(self, topic, payload, qos, now):
        """Publish: QoS 0 now or never, QoS 1 as soon as there is a session."""
        if qos:
            reports = self.reports
            reports.append([0, 0, topic, payload])
            size = sum([len(report[_PAYLOAD]) for report in reports])
            while len(reports) > 1 and (len(reports) > _REPORTS or size > _REPORT_BYTES):
                size -= len(reports.pop(0)[_PAYLOAD])
                self.dropped += 1
            self._send_reports(now)
        elif self.state == READY and len(self._connection.out) + len(payload) <= _MAX_UNSENT:
            self._connection.write(mqtt.publish(topic, payload))

    def disconnect(self):
        """Close the session with a DISCONNECT, or give up connecting; nothing is answered."""
        if self.state == READY:
            self._connection.write(mqtt.DISCONNECT)
            self.reason = "left the broker"
        self._close()

    def turn(self, now):
        """Take what came, send what is due."""
        if self.state == IDLE:
            return
        connection = self._connection
        n = connection.step(self._buf, now)
        if n < 0:
            self._lose(0, connection.reason)
        elif n:
            effect = self._effect
            if self._is_pinged:
                self._is_pinged = False
                self._wait_to_ping(now)
            try:
                packets = self._reader.feed(self._buf[:n])
            except MemoryError:
                # What came with it is lost as well, and where the next packet begins.
                packets = (None,)
            for packet in packets:
                # What a packet leads to may end the session.
                if self._effect is effect and self.state != IDLE:
                    self._on_packet(packet, now)
        self._send_reports(now)
        if self.state == IDLE:
            return
        if self.reports and self.reports[0][_MID] and now >= self._ack_due:
            self._lose(0, "the broker does not acknowledge what it was sent")
        elif len(connection.out) > _DEAD:
            self._lose(0, "the broker takes nothing")
        elif now >= self._deadline:
            if self.state != READY:
                self._lose(0, "no login at %s within %d s" % (self._effect.host, _TIMEOUT // 1000))
            elif self._is_pinged:
                self._lose(0, "the broker is silent")
            else:
                self._is_pinged = True
                self._deadline = now + _TIMEOUT
                connection.write(mqtt.PING)
        if self.state != IDLE:
            self.due = self._deadline if connection.due is None else min(connection.due, self._deadline)

    def _on_packet(self, packet, now):
        if packet is None:
            self._lose(0, "what the broker sends is not MQTT, or there is no room for it")
            return
        kind, flags, body = packet
        if kind == mqtt.PUBLISH:
            try:
                topic, mid, payload = mqtt.parse_publish(flags, body)
            except ValueError:
                return
            if mid:
                self._connection.write(mqtt.packet(mqtt.PUBACK << 4, mid.to_bytes(2, "big")))
            self._feed(self._agent.receive_publish, topic, payload)
        elif kind == mqtt.PUBACK:
            mid = int.from_bytes(body[:2], "big")
            self.reports = [report for report in self.reports if report[_MID] != mid]
            self._ack_due = now + _ACK_TIMEOUT
        elif kind == mqtt.CONNACK and len(body) > 1 and body[1]:
            self._lose(body[1], "the broker refused the login with code %d" % body[1])
        elif self.state != READY and kind == (mqtt.CONNACK if self.state == _LOGIN else mqtt.SUBACK):
            self.state = _SUBSCRIBING
            if self._topics:
                self._connection.write(mqtt.subscribe(self._next_mid(), self._topics.pop(0)))
                return
            self.state = READY
            self._wait_to_ping(now)
            self._feed(self._agent.mqtt_connected)

    def _wait_to_ping(self, now):
        self._deadline = now + min(_PING_EVERY, self._effect.keepalive_s * 500)

    def _send_reports(self, now):
        """Those that were not sent in this session."""
        if self.state != READY:
            return
        out = self._connection.out
        for report in self.reports:
            if not report[_MID] and (not out or len(out) + len(report[_PAYLOAD]) <= _MAX_UNSENT):
                if not self.reports[0][_MID]:
                    self._ack_due = now + _ACK_TIMEOUT
                report[_MID] = self._next_mid()
                self._connection.write(mqtt.publish(report[_TOPIC], report[_PAYLOAD], report[_MID], report[_IS_AGAIN]))
                out = self._connection.out

    def _next_mid(self) -> int:
        self._mid = self._mid % 65535 + 1
        return self._mid

    def _lose(self, code, reason):
        self.reason = reason
        self._close()
        self._feed(self._agent.mqtt_lost, code)

    def _close(self):
        self._connection.close()
        self.state = IDLE
        self.due = None
        for report in self.reports:
            if report[_MID]:
                report[_MID] = 0
                report[_IS_AGAIN] = 1
