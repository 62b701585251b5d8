"""Frames, attributes and events as lines of text for people. Pure: what is printed where is the caller's business.

A payload that cannot be parsed is shown as hex with the reason; nothing here raises on what a peer sent.
"""

from collections.abc import Sequence

from mcu_proto.const import (
    ACTION_CONTROL,
    ACTION_READ_REPLY,
    ACTION_REPORT,
    ACTION_VAR_CONTROL,
    ACTION_VAR_READ_REPLY,
    ACTION_VAR_REPORT,
    CMD_BINDABLE,
    CMD_CONFIG_MODE,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_ILLEGAL_FROM_MCU,
    CMD_ILLEGAL_FROM_MODULE,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    CMD_PRODUCTION_TEST,
    CMD_RESET_MODULE,
    CMD_RESTART_MODULE,
    CONFIG_AIRLINK,
    CONFIG_DIRECT,
    CONFIG_SOFTAP,
    STATUS_ROUTER,
    ack_of,
)
from mcu_proto.datapoint import Attr, Scale, Schema
from mcu_proto.errors import RemoteError
from mcu_proto.frame import BadFrame, Frame
from mcu_proto.link import Acked, Failed, Illegal
from mcu_proto.mcu_message import NetworkTime, parse_module_status, parse_network_time
from mcu_proto.message import parse_config_mode, parse_device_info, parse_illegal
from mcu_proto.module_info import CellularInfo, ModuleInfo, parse_module_info
from mcu_proto.names import ACTION_NAMES, BAD_NAMES, CMD_NAMES, ERR_NAMES, FAIL_NAMES, STATUS_NAMES

from .mcu_events import (
    Controlled,
    FirmwareInstalled,
    FirmwareOffered,
    FirmwareProgress,
    FirmwareRefused,
    HeartbeatSeen,
    Ignored,
    InfoSent,
    Misbehaved,
    ModuleInfoReceived,
    RestartAsked,
    Restarted,
    StateRead,
    StatusChanged,
    TimeReceived,
    TransparentReceived,
)

ATTR_COLUMNS = ("id", "name", "access", "type", "range", "value")

_ACCESS_NAMES = {"status_writable": "writable", "status_readonly": "read-only"}
_CONTROLS = (ACTION_CONTROL, ACTION_VAR_CONTROL)
_STATES = (ACTION_READ_REPLY, ACTION_REPORT, ACTION_VAR_READ_REPLY, ACTION_VAR_REPORT)
_MODE_NAMES = {CONFIG_SOFTAP: "SoftAP", CONFIG_AIRLINK: "AirLink", CONFIG_DIRECT: "direct"}


def frame_lines(frame: Frame | BadFrame, schema: Schema | None = None) -> list[str]:
    """One `Frame` or `BadFrame`: a line that names it, then a line per fact; attributes when `schema` is given."""
    if isinstance(frame, BadFrame):
        return ["-- bad frame: %s%s" % (BAD_NAMES.get(frame.reason, frame.reason), _guess(frame))]
    head = "%02x %s  sn %d" % (frame.cmd, CMD_NAMES.get(frame.cmd, "unknown command"), frame.sn)
    if frame.flags:
        head += "  flags %04x" % frame.flags
    if not frame.payload:
        return [head]
    parse = _PAYLOADS.get(frame.cmd)
    try:
        facts = parse(frame, schema) if parse else ["payload " + frame.payload.hex(" ")]
    except RemoteError as e:
        facts = ["payload " + frame.payload.hex(" "), "not understood: %s" % e]
    return [head] + ["   " + fact for fact in facts]


def event_line(event: tuple) -> str:
    """An effect of the simulator in one line; "" for those that are not for people."""
    describe = _EVENTS.get(type(event))
    return describe(event) if describe else ""


def attrs_text(values: dict) -> str:
    """Attributes in one line."""
    return "  ".join("%s %s" % (name, value_text(value)) for name, value in values.items())


def attr_rows(schema: Schema, values: dict) -> list[tuple]:
    """A row of texts per attribute, for a table under ATTR_COLUMNS."""
    return [
        (
            str(attr.id),
            attr.name,
            _ACCESS_NAMES.get(attr.access, attr.access),
            attr.data_type,
            range_text(attr),
            value_text(values[attr.name]),
        )
        for attr in schema.attrs
    ]


def range_text(attr: Attr) -> str:
    """The values an attribute may have."""
    if attr.data_type == "bool":
        return "true, false"
    if attr.data_type == "enum":
        return ", ".join(attr.spec)
    if not isinstance(attr.spec, Scale):
        return "%d bytes as hex" % attr.position[2]
    scale = attr.spec
    ends = sorted((raw * scale.ratio + scale.addition) / scale.unit for raw in (scale.low, scale.high))
    text = "%.10g to %.10g" % (ends[0], ends[1])
    step = abs(scale.ratio) / scale.unit
    return text if step == 1 else text + ", step %.10g" % step


def value_text(value: object) -> str:
    """One attribute's value, as `set` takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def status_text(status: int) -> str:
    """The module status word."""
    words = [name for bit, name in STATUS_NAMES.items() if status & bit]
    if status & STATUS_ROUTER:
        words.append("signal %d of 7" % (status >> 8 & 7))
    return ", ".join(words) if words else "nothing"


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in plain text."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [columns, *rows]
    ]


def _guess(bad: BadFrame) -> str:
    if bad.cmd < 0:
        return ""
    text = ", cmd %02x %s" % (bad.cmd, CMD_NAMES.get(bad.cmd, "unknown command"))
    return text + ", sn %d" % bad.sn if bad.sn >= 0 else text


def _p0(frame: Frame, schema: Schema | None) -> list[str]:
    p0 = frame.payload
    if frame.flags & 1:
        return ["for a sub-device: " + p0.hex(" ")]
    name = ACTION_NAMES.get(p0[0])
    if name is None:
        return ["action %02x, unknown: %s" % (p0[0], p0.hex(" "))]
    if len(p0) == 1:
        return [name]
    if schema is None or p0[0] not in _CONTROLS + _STATES:
        return ["%s: %s" % (name, p0[1:].hex(" "))]
    values = schema.decode_control(p0) if p0[0] in _CONTROLS else schema.decode(p0)
    return [name] + ["  %s = %s" % (attr, value_text(value)) for attr, value in values.items()]


def _device_info(frame: Frame, schema: Schema | None) -> list[str]:
    info = parse_device_info(frame.payload)
    out = [
        "product key " + info.product_key,
        "protocol %s, P0 %s" % (info.protocol_ver, info.p0_ver),
        "hardware %s, software %s" % (info.hard_ver, info.soft_ver),
        "binding window " + ("always open" if info.bindable_timeout == 0 else "%d s" % info.bindable_timeout),
    ]
    if info.device_attr is not None:
        out.append("device attributes %016x" % info.device_attr)
    if info.product_secret is not None:
        # It is the key to the product's account: who needs it has it elsewhere.
        out.append("product secret (not shown)")
    if info.data:
        out.append("data of %d bytes (not shown, it may hold a password)" % len(info.data))
    return out


def _config_mode(frame: Frame, schema: Schema | None) -> list[str]:
    config = parse_config_mode(frame.payload)
    out = ["mode %d %s" % (config.mode, _MODE_NAMES.get(config.mode, "unknown"))]
    if config.ssid:
        out.append("network %s, password not shown" % config.ssid.decode("utf-8", "replace"))
    return out


def _illegal(frame: Frame, schema: Schema | None) -> list[str]:
    code = parse_illegal(frame.payload)
    return ["code %d %s" % (code, ERR_NAMES.get(code, "unknown"))]


# cmd: payload with something in it -> facts.
_PAYLOADS = {
    ack_of(CMD_GET_INFO): _device_info,
    CMD_P0_DOWN: _p0,
    ack_of(CMD_P0_DOWN): _p0,
    CMD_P0_UP: _p0,
    CMD_CONFIG_MODE: _config_mode,
    CMD_MODULE_STATUS: lambda frame, schema: [status_text(parse_module_status(frame.payload))],
    CMD_ILLEGAL_FROM_MODULE: _illegal,
    CMD_ILLEGAL_FROM_MCU: _illegal,
    ack_of(CMD_GET_TIME): lambda frame, schema: [_time_text(parse_network_time(frame.payload))],
    ack_of(CMD_GET_MODULE_INFO): lambda frame, schema: [_module_text(parse_module_info(frame.payload))],
}


def _time_text(time: NetworkTime) -> str:
    if time.year in (0, 1970):
        return "not known yet"
    return "%04d-%02d-%02d %02d:%02d:%02d local time" % time[:6]


def _module_text(info: ModuleInfo | CellularInfo) -> str:
    kind = "cellular" if isinstance(info, CellularInfo) else "Wi-Fi, mac %s, address %s" % (info.mac, info.ip)
    return "hardware %s, software %s, %s" % (info.hard_ver, info.soft_ver, kind)


# How the end of a request reads when the module took it. What is told by an event of its own is not here.
_TAKEN = {
    CMD_P0_UP: "report taken by the module",
    CMD_CONFIG_MODE: "the module enters network configuration",
    CMD_RESET_MODULE: "the module resets itself",
    CMD_PRODUCTION_TEST: "the module enters production test",
    CMD_BINDABLE: "the module opens its binding window",
    CMD_RESTART_MODULE: "the module restarts",
}


def _failed(event: Failed) -> str:
    return "no luck with %02x %s: %s" % (event.token, CMD_NAMES.get(event.token, "?"), FAIL_NAMES[event.reason])


def _illegal_event(event: Illegal) -> str:
    bad = event.bad
    if bad.cmd == CMD_ILLEGAL_FROM_MODULE:
        return "the module calls our frame with sn %d illegal: %s" % (bad.sn, ERR_NAMES.get(bad.reason, bad.reason))
    return "bad frame: %s%s" % (BAD_NAMES.get(bad.reason, bad.reason), _guess(bad))


_EVENTS = {
    InfoSent: lambda event: "the module asks who we are, device info sent",
    Controlled: lambda event: "control: " + (attrs_text(event.values) or "no attribute flagged"),
    StateRead: lambda event: "the module reads the state, sent",
    StatusChanged: lambda event: "module status %04x: %s" % (event.status, status_text(event.status)),
    HeartbeatSeen: lambda event: "heartbeat",
    RestartAsked: lambda event: "the module asks the MCU to restart",
    Restarted: lambda event: "the MCU restarts",
    TimeReceived: lambda event: "network time: " + _time_text(event.time),
    ModuleInfoReceived: lambda event: "module: " + _module_text(event.info),
    TransparentReceived: lambda event: "transparent data: " + event.data.hex(" "),
    Ignored: lambda event: "ignored: %s (%s)" % (event.why, event.payload.hex(" ") or "no bytes"),
    FirmwareOffered: lambda event: "firmware of %d bytes announced, md5 %s" % (event.size, event.md5),
    FirmwareProgress: lambda event: "firmware: %d of %d bytes" % (event.stored, event.size),
    FirmwareRefused: lambda event: "firmware given up, the old version goes on: " + event.why,
    FirmwareInstalled: lambda event: "firmware good, version %s boots" % event.soft_ver,
    Misbehaved: lambda event: "as ordered: " + event.what,
    Acked: lambda event: _TAKEN.get(event.token, ""),
    Failed: _failed,
    Illegal: _illegal_event,
}
