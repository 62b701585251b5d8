"""Everything the agent can ask of a port, one namedtuple each. `SendSerial` comes from the link unchanged.

Effects are performed in list order. An effect is a request, never a callback: answers come back as inputs of `Agent`.
The effects of an upgrade are in `ota`, which is loaded when there is one.
"""

from collections import namedtuple

from mcu_proto.const import const
from mcu_proto.link import SendSerial

# Connect and log in, then subscribe to `topics` in order with QoS 0. Answer: mqtt_connected or mqtt_lost(reason).
MqttConnect = namedtuple("MqttConnect", ("host", "port", "client_id", "username", "password", "keepalive_s", "topics"))
# Publish; no answer. With qos 0 it is dropped when there is no session. With qos 1 it is a report: the port keeps it
# safe before it performs the next effect (the ack to the MCU), session or not, and delivers in order.
MqttPublish = namedtuple("MqttPublish", ("topic", "payload", "qos"))
# Close the session with a DISCONNECT, or give up connecting; no answer, not even mqtt_lost.
MqttDisconnect = namedtuple("MqttDisconnect", ())
# One request; `body` is form text as bytes or b"". Answer: http_response or http_failed with the same ref.
HttpRequest = namedtuple("HttpRequest", ("ref", "method", "url", "body"))
# Keep this dict (AgentConfig.to_record) so that it survives a power cut; no answer.
SaveConfig = namedtuple("SaveConfig", ("record",))
# The MCU asked for a network configuration mode (CONFIG_*); answer: network_changed when it is done.
ConfigureNetwork = namedtuple("ConfigureNetwork", ("mode",))
# Start the agent anew: call `start` again (a chip may as well restart). `reason` is a NOTICE_* number.
Restart = namedtuple("Restart", ("reason",))
# For local features: P0 of a report, of a read reply or of the answer to a local control, undecoded.
Reported = namedtuple("Reported", ("p0",))
# Something worth a line in a log or on a screen; safe to ignore. `detail` is a str, bytes or int.
Notice = namedtuple("Notice", ("code", "detail"))

NOTICE_MCU_SILENT = const(1)  # no valid device info yet, the agent keeps asking; detail: what came instead, or ""
NOTICE_MCU_READY = const(2)  # handshake done; detail: product key
NOTICE_MCU_LOST = const(3)  # heartbeats or the line failed; the handshake starts over
NOTICE_BAD_FRAME = const(4)  # detail: ERR_* or BAD_* number
NOTICE_NEW_IDENTITY = const(5)  # other product or reset: did forgotten, new passcode; detail: product key
NOTICE_REGISTERED = const(6)  # detail: did
NOTICE_ONLINE = const(7)  # detail: did
NOTICE_OFFLINE = const(8)  # detail: CONNACK code of a refusal, 0 for a lost connection
NOTICE_CLOUD_REFUSED = const(9)  # the cloud answered, but not as hoped; detail: what it said
NOTICE_CLOUD_UNREACHABLE = const(10)  # detail: the port's reason
NOTICE_RETRY = const(11)  # detail: milliseconds until the next try
NOTICE_CONTROL_FAILED = const(12)  # the MCU did not take a control; detail: FAIL_* number
NOTICE_IGNORED = const(13)  # a message we do not serve; detail: what it was
NOTICE_RESET = const(14)  # the MCU asked for a factory reset
NOTICE_RESTART = const(15)  # the MCU asked for a restart
NOTICE_UPLOAD = const(16)  # a file of the MCU went up; detail: its size
NOTICE_UPLOAD_FAILED = const(17)  # detail: ENDED_* of the transfer, or why it was refused
NOTICE_SUBDEVICE = const(18)  # a device behind the MCU was registered or removed; detail: meshId
NOTICE_FIRMWARE = const(19)  # the cloud offers firmware; detail: its version
NOTICE_FIRMWARE_DONE = const(20)  # the MCU runs the version it was sent; detail: that version
NOTICE_FIRMWARE_FAILED = const(21)  # what runs goes on, the cloud is asked again later; detail: why
NOTICE_FIRMWARE_UNSIGNED = const(22)  # taken as this cloud never signed for this product; detail: its version
