"""`gagent doctor`, the serial half: from the device node to what the MCU says of itself. Serial manual, 1 and 3.

The layers stand on each other: node, permission, busy, baud, silence, checksum, handshake, definition. The first that
fails ends it, for what is above would only repeat it. The port is opened, asked for device info, and closed again; an
MCU takes that for a module that was just switched on.
"""

import errno
import os
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from mcu_proto.const import BAD_CHECKSUM, CMD_GET_INFO, ack_of
from mcu_proto.errors import RemoteError
from mcu_proto.frame import BadFrame, Frame, FrameDecoder, encode_frame
from mcu_proto.message import DeviceInfo, parse_device_info
from mcu_proto.names import CMD_NAMES

from .definition_store import DefinitionError, load_definition
from .finding import Finding
from .serial_line import open_port
from .serial_port import error_number, explain, holders
from .settings import PortSettings

# As the agent asks; fewer times at speeds that are only tried.
_TRIES = 3
_TRIES_ELSEWHERE = 2
_WAIT_S = 0.2
# One read waits this long, so that the time above is kept.
_READ_S = 0.02
# Speeds that MCUs of this protocol are seen with, the usual first.
_BAUDS = (9600, 115200, 19200, 38400, 57600, 4800, 2400, 1200)
_SHOWN = 16

# What a port that cannot be opened says -> the layer; anything else is the node's.
_LAYER_OF = {errno.EACCES: "permission", errno.EPERM: "permission", errno.EBUSY: "busy", errno.EAGAIN: "busy"}

_WIRING = "check the MCU's power, TX to RX and RX to TX, common ground, and the level (3.3 V or 5 V, not RS-232)"


class Heard(NamedTuple):
    """What came back when device info was asked for."""

    data: bytes
    frames: list[Frame]
    bad: list[BadFrame]

    def info(self) -> Frame | None:
        """The answer, if it is there."""
        return next((frame for frame in self.frames if frame.cmd == ack_of(CMD_GET_INFO)), None)

    def is_echo(self) -> bool:
        """Only our own question came back."""
        return bool(self.frames) and all(frame.cmd == CMD_GET_INFO for frame in self.frames)


class LineChecks:
    """The checks of one port; `info` is what the MCU said, once it has."""

    def __init__(self, port: PortSettings, definition: str = "") -> None:
        self._port = port
        self._definition = definition
        self._is_url = "://" in port.port
        self.info: DeviceInfo | None = None

    def run(self) -> Iterator[Finding]:
        """One finding after the other, up to the first that fails."""
        path = self._port.port
        if not self._is_url:
            if not os.path.exists(path):
                yield Finding("node", path + " does not exist", self._others())
                return
            yield Finding("node", "%s is there%s" % (path, _target(path)))
        try:
            port = open_port(path, self._port.baud)
        except (OSError, ValueError) as error:
            layer = _LAYER_OF.get(error_number(error) or 0, "node")
            yield Finding(layer, *_halves(explain(path, error)))
            return
        yield Finding("permission", "this user may read and write it")
        try:
            yield from self._talk(port)
        except OSError as error:
            yield Finding("node", "%s went away: %s" % (path, error), "check plug, cable and the adapter's supply")
        finally:
            port.close()

    def _talk(self, port: Any) -> Iterator[Finding]:
        others = "" if self._is_url else holders(self._port.port)
        if others:
            yield Finding("busy", "also open in %s, which takes bytes away" % others, "stop it")
            return
        yield Finding("busy", "nobody else has it open")
        port.timeout = _READ_S
        heard = _ask(port, _TRIES)
        if not heard.frames or heard.is_echo():
            yield self._explain_nothing(port, heard)
            return
        yield Finding("baud", "%d: frames can be read" % self._port.baud)
        yield Finding("silence", "%d bytes came" % len(heard.data))
        yield _checksums(heard)
        answer = heard.info()
        if answer is None:
            words = ", ".join(sorted({CMD_NAMES.get(frame.cmd, "%02x" % frame.cmd) for frame in heard.frames}))
            fix = "does the MCU hear this side? check RX of the MCU; else its firmware is not of this protocol"
            yield Finding("handshake", "the MCU talks (%s) but does not say who it is" % words, fix)
            return
        try:
            self.info = parse_device_info(answer.payload)
        except RemoteError as error:
            yield Finding("handshake", "step 1, device info: %s" % error, "the MCU's firmware has to be corrected")
            return
        yield Finding("handshake", _describe(self.info))
        if self._definition:
            yield _check_definition(self._definition, self.info.product_key)

    def _explain_nothing(self, port: Any, heard: Heard) -> Finding:
        baud = self._port.baud
        if heard.is_echo():
            return Finding("silence", "only our own bytes came back", "TX and RX of the adapter are joined: part them")
        other = None if self._is_url else _find_baud(port, baud)
        if other is not None:
            return Finding("baud", "the MCU talks at %d, not at %d" % (other, baud), "set baud = %d" % other)
        if not heard.data:
            return Finding("silence", "not one byte came, at no speed", _WIRING)
        shown = heard.data[:_SHOWN].hex(" ")
        if any(bad.reason == BAD_CHECKSUM for bad in heard.bad):
            fix = "noise on the line: a shorter cable, a common ground, a speed that both sides have exactly"
            return Finding("checksum", "frames came (%s...), and not one with a good checksum" % shown, fix)
        return Finding("baud", "%d bytes came and no frame, at no speed: %s" % (len(heard.data), shown), _WIRING)

    def _others(self) -> str:
        folder = "/dev/serial/by-id"
        there = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        if not there:
            return "plug the adapter in; no serial adapter is known to this machine now"
        return "plug the adapter in, or set port to one that is there: %s" % ", ".join(
            os.path.join(folder, name) for name in there
        )


def _ask(port: Any, tries: int) -> Heard:
    decoder = FrameDecoder()
    heard = Heard(b"", [], [])
    port.reset_input_buffer()
    for sn in range(tries):
        port.write(encode_frame(CMD_GET_INFO, sn))
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline and heard.info() is None:
            data = port.read(max(1, port.in_waiting))
            heard = heard._replace(data=heard.data + data)
            for frame in decoder.feed(data):
                (heard.frames if isinstance(frame, Frame) else heard.bad).append(frame)
        if heard.info() is not None:
            break
    return heard


def _find_baud(port: Any, tried: int) -> int | None:
    for baud in _BAUDS:
        if baud == tried:
            continue
        try:
            port.baudrate = baud
        except (OSError, ValueError):  # an adapter that cannot
            continue
        heard = _ask(port, _TRIES_ELSEWHERE)
        if heard.frames and not heard.is_echo():
            return baud
    return None


def _checksums(heard: Heard) -> Finding:
    if not heard.bad:
        return Finding("checksum", "every frame is intact")
    seen = "%d of %d frames are damaged" % (len(heard.bad), len(heard.bad) + len(heard.frames))
    return Finding("checksum", seen, "a shorter cable, a common ground, no mains cable beside it")


def _check_definition(path: str, product_key: str) -> Finding:
    try:
        definition = load_definition(path)
    except DefinitionError as error:
        return Finding("definition", "%s: %s" % (path, error), "fetch the definition again")
    key = definition.schema.product_key
    if key not in ("", product_key):
        seen = "%s is of product key %s, the MCU is of %s" % (path, key, product_key)
        return Finding("definition", seen, "name the definition of the MCU's product")
    return Finding("definition", "%s has %d attributes" % (path, len(definition.schema.attrs)))


def _describe(info: DeviceInfo) -> str:
    secret = "knows its product secret" if info.product_secret else "tells no product secret"
    return "product key %s, hardware %s, software %s, %s" % (info.product_key, info.hard_ver, info.soft_ver, secret)


def _target(path: str) -> str:
    real = os.path.realpath(path)
    return "" if real == path else " (%s)" % real


def _halves(sentence: str) -> tuple[str, str]:
    """(what is wrong, what to do) of a sentence with a colon between them."""
    seen, _, fix = sentence.partition(": ")
    return seen, fix.split(";")[0] or "see above"
