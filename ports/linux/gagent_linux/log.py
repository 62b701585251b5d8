"""What the process says on stderr: one line for each thing worth knowing, in words, never with a secret in it.

Without `-v`: notices and troubles. `-v`: also every frame, input and effect in words. `-vv`: also the bytes in hex.
Three guards keep secrets out: effects are described field by field, frames that carry a product secret or a Wi-Fi key
are not shown beyond what is public, and `Redactor` blanks every passcode it was told of in whatever is logged by whom.
"""

import logging
import sys
from collections.abc import Callable
from typing import TextIO

from gagent import effects as e
from mcu_proto.const import CMD_CONFIG_MODE, CMD_GET_INFO, CMD_REGISTER_SUBDEVICES, ack_of
from mcu_proto.frame import BadFrame, Frame, FrameDecoder, encode_frame
from mcu_proto.names import ACTION_NAMES, BAD_NAMES, CMD_NAMES, ENDED_NAMES, FAIL_NAMES

from .redactor import Redactor

WORDS = logging.DEBUG
# Below DEBUG: the second -v.
HEX = 5

# By name in the settings.
LOG_LEVELS = {"warning": logging.WARNING, "info": logging.INFO, "debug": WORDS, "hex": HEX}

_BY_VERBOSITY = (logging.INFO, WORDS, HEX)
# A peer's text is shown this far.
_MAX_TEXT = 200
# Frames with secrets -> how many bytes of their payload are public: device info up to the product secret, the mode of a
# network configuration, nothing of a registration.
_PUBLIC = {ack_of(CMD_GET_INFO): 74, CMD_CONFIG_MODE: 1, CMD_REGISTER_SUBDEVICES: 0}


def open_log(verbosity: int, redactor: Redactor, stream: TextIO | None = None) -> logging.Logger:
    """The process's logger, writing to `stream` (stderr); `verbosity` counts the -v."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(redactor)
    logger = logging.Logger("gagent", _BY_VERBOSITY[min(verbosity, len(_BY_VERBOSITY) - 1)])
    logger.addHandler(handler)
    return logger


class PortLog(logging.LoggerAdapter):
    """The log of one port: every line bears its name; `level` is one of LOG_LEVELS, or "" for the process's.

    `reason` and `product_key` are for sentences about notices.
    """

    def __init__(self, logger: logging.Logger, name: str, level: str = "") -> None:
        port_logger = logging.Logger(name, LOG_LEVELS.get(level, logger.level))
        port_logger.handlers = logger.handlers
        super().__init__(port_logger, {})
        self.reason = ""
        self.product_key = ""
        self._decoders = {"from MCU": FrameDecoder(), "to MCU": FrameDecoder()}

    def because(self, reason: str) -> None:
        """Why the next `offline` notice comes: the agent knows only a code."""
        self.reason = reason

    def notice(self, notice: e.Notice) -> None:
        """One line for a `Notice`."""
        if notice.code == e.NOTICE_MCU_READY:
            self.product_key = _shown(notice.detail)
        level, sentence = _NOTICES.get(notice.code, (logging.INFO, _unknown_notice))
        self.log(level, "%s", sentence(notice, self))
        if notice.code == e.NOTICE_OFFLINE:
            self.reason = ""

    def serial(self, direction: str, data: bytes) -> None:
        """The frames that end in `data`; `direction` is "from MCU" or "to MCU"."""
        if not self.isEnabledFor(WORDS):
            return
        for frame in self._decoders[direction].feed(data):
            self.debug("%s: %s", direction, describe_frame(frame))
            if isinstance(frame, Frame):
                # By frame, not as it was read: half of a frame does not tell whether a secret follows.
                self.log(HEX, "%s: %s", direction, _hex(frame))

    def effect(self, effect: tuple) -> None:
        """An effect in words; frames and notices have their own lines."""
        describe = _EFFECTS.get(type(effect))
        if describe is not None and self.isEnabledFor(WORDS):
            self.debug("%s", describe(effect))
            if isinstance(effect, e.MqttPublish):
                self.log(HEX, "publish: %s", bytes(effect.payload).hex(" "))

    def message(self, topic: str, payload: bytes) -> None:
        """A message from the broker."""
        self.debug("message on %s, %d bytes", topic, len(payload))
        self.log(HEX, "message: %s", bytes(payload).hex(" "))

    def answer(self, status: int, body: bytes) -> None:
        """An answer of the HTTP API."""
        self.debug("HTTP answer %d, %d bytes", status, len(body))
        self.log(HEX, "HTTP answer: %s", _shown(body))


def describe_frame(frame: Frame | BadFrame) -> str:
    """A frame of the serial line in words."""
    if isinstance(frame, BadFrame):
        return "bad frame: %s" % BAD_NAMES.get(frame.reason, frame.reason)
    words = CMD_NAMES.get(frame.cmd, "command %02x" % frame.cmd)
    if frame.payload and words.startswith("P0"):
        words += " (%s)" % ACTION_NAMES.get(frame.payload[0], "action %02x" % frame.payload[0])
    size = ", %d bytes" % len(frame.payload) if frame.payload else ""
    return "%s, sn %d%s" % (words, frame.sn, size)


def _hex(frame: Frame) -> str:
    """The bytes of a frame, up to where it becomes secret."""
    data = encode_frame(frame.cmd, frame.sn, frame.payload, frame.flags)
    public = _PUBLIC.get(frame.cmd, len(frame.payload))
    if len(frame.payload) <= public:
        return data.hex(" ")
    shown = encode_frame(frame.cmd, frame.sn, frame.payload[:public], frame.flags)[4:-1]
    return "%s %s [%d bytes not shown]" % (data[:4].hex(" "), shown.hex(" "), len(frame.payload) - public)


_EFFECTS: dict[type, Callable] = {
    e.MqttConnect: lambda x: "connect to broker %s:%d as %s" % (x.host, x.port, x.client_id),
    e.MqttPublish: lambda x: "publish on %s, %d bytes" % (x.topic, len(x.payload)),
    e.MqttDisconnect: lambda x: "disconnect from the broker",
    e.HttpRequest: lambda x: "HTTP %s %s, %d bytes" % (x.method, x.url, len(x.body)),
    e.SaveConfig: lambda x: "save the identity (did %s)" % (x.record.get("did") or "none yet"),
    e.ConfigureNetwork: lambda x: "the MCU asks for network configuration mode %d" % x.mode,
    e.Restart: lambda x: "start the agent anew",
}
REFUSALS = {
    1: "the broker does not speak MQTT 3.1",
    2: "the broker does not accept the did as client id",
    3: "the broker says it is not available",
    4: "the broker says did or passcode are wrong: check that the cloud knows this device",
    5: "the broker says this device is not allowed: check the device in the cloud",
}


def _offline(notice: e.Notice, log: PortLog) -> str:
    why = REFUSALS.get(notice.detail) or log.reason or "connection lost"
    return "offline: %s" % why


def _refused(notice: e.Notice, log: PortLog) -> str:
    return "the cloud refused: %s; check `api` and that the cloud knows product key %s" % (
        _shown(notice.detail),
        log.product_key,
    )


def _unreachable(notice: e.Notice, _: PortLog) -> str:
    why = _shown(notice.detail)
    # What TLS says names its own fix.
    fix = "" if why.startswith("TLS") else "; check `api` and that the cloud is running"
    return "the cloud cannot be reached: %s%s" % (why, fix)


def _unknown_notice(notice: e.Notice, _: PortLog) -> str:
    return "notice %d: %s" % (notice.code, _shown(notice.detail))


def _shown(detail: object) -> str:
    """Text for a person from what a peer sent: printable, one line, not endless."""
    text = (
        bytes(detail).decode("utf-8", "replace") if isinstance(detail, (bytes, bytearray, memoryview)) else str(detail)
    )
    text = "".join(c if c.isprintable() else "." for c in text)
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "..."


def _says(sentence: str) -> Callable[[e.Notice, PortLog], str]:
    return lambda notice, _: sentence % _shown(notice.detail) if "%s" in sentence else sentence


def _upload_failed(notice: e.Notice, _: PortLog) -> str:
    return "a file of the MCU did not come through: %s" % ENDED_NAMES.get(notice.detail, _shown(notice.detail))


def _mcu_silent(notice: e.Notice, _: PortLog) -> str:
    came = ", only %s came" % _shown(notice.detail) if notice.detail else ""
    return "the MCU does not answer%s: check its power, the wiring (TX to RX) and the baud rate; asking again" % came


_NOTICES: dict[int, tuple[int, Callable[[e.Notice, PortLog], str]]] = {
    e.NOTICE_MCU_SILENT: (logging.WARNING, _mcu_silent),
    e.NOTICE_MCU_READY: (logging.INFO, _says("MCU is there, product key %s")),
    e.NOTICE_MCU_LOST: (logging.WARNING, _says("MCU lost: %s; asking again")),
    e.NOTICE_BAD_FRAME: (
        logging.WARNING,
        lambda n, _: "bad frame: %s; seldom is noise, often is a wrong baud rate" % BAD_NAMES.get(n.detail, n.detail),
    ),
    e.NOTICE_NEW_IDENTITY: (logging.INFO, _says("new identity for product key %s: registering as a new device")),
    e.NOTICE_REGISTERED: (logging.INFO, _says("registered, did %s")),
    e.NOTICE_ONLINE: (logging.INFO, _says("online, did %s")),
    e.NOTICE_OFFLINE: (logging.WARNING, _offline),
    e.NOTICE_CLOUD_REFUSED: (logging.ERROR, _refused),
    e.NOTICE_CLOUD_UNREACHABLE: (logging.ERROR, _unreachable),
    e.NOTICE_RETRY: (logging.INFO, lambda n, _: "next try in %s s" % _seconds(n.detail)),
    e.NOTICE_CONTROL_FAILED: (
        logging.WARNING,
        lambda n, _: "control not taken by the MCU: %s" % FAIL_NAMES.get(n.detail, n.detail),
    ),
    e.NOTICE_IGNORED: (logging.INFO, _says("ignored: %s")),
    e.NOTICE_RESET: (logging.WARNING, _says("the MCU asked for a factory reset: this device leaves its users")),
    e.NOTICE_RESTART: (logging.INFO, _says("the MCU asked for a restart of the module")),
    e.NOTICE_UPLOAD: (logging.INFO, _says("a file of %s bytes of the MCU goes up")),
    e.NOTICE_UPLOAD_FAILED: (logging.WARNING, _upload_failed),
    e.NOTICE_FIRMWARE: (logging.INFO, _says("the cloud offers firmware %s")),
    e.NOTICE_FIRMWARE_DONE: (logging.INFO, _says("firmware %s runs")),
    e.NOTICE_FIRMWARE_FAILED: (logging.WARNING, _says("firmware not taken: %s; what runs goes on")),
    e.NOTICE_FIRMWARE_UNSIGNED: (
        logging.WARNING,
        _says("firmware %s is not signed and taken all the same: [firmware] signatures decides"),
    ),
    e.NOTICE_SUBDEVICE: (logging.INFO, _says("sub-device %s is registered, or removed")),
}


def _seconds(milliseconds: int) -> str:
    return "%g" % (milliseconds / 1000)
