"""Events of the module's role in words. See `view` for frames and for the events of the simulator."""

from mcu_proto.const import (
    CMD_BINDABLE,
    CMD_CONFIG_MODE,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_PRODUCTION_TEST,
    CMD_RESET_MODULE,
    CMD_RESTART_MODULE,
)
from mcu_proto.errors import RemoteError
from mcu_proto.link import Failed
from mcu_proto.mcu_message import parse_network_time
from mcu_proto.message import DeviceInfo, build_network_time, parse_config_mode
from mcu_proto.names import ACTION_NAMES, CMD_NAMES, ENDED_NAMES
from mcu_proto.transfer import ENDED_DONE, ENDED_UNCONFIRMED

from .module_events import (
    ControlAcked,
    FirmwareAsked,
    InfoRefused,
    McuAsked,
    McuFound,
    McuLost,
    RawReported,
    ReadAnswered,
    Reported,
    Restarting,
    SubdeviceReported,
    SubdevicesRegistered,
    SubdeviceStates,
    TimeTold,
    TransferBegun,
    TransferEnded,
    TransferProgress,
)
from .view import attrs_text, event_line

_ASKED = {
    CMD_RESET_MODULE: "the MCU resets the module",
    CMD_PRODUCTION_TEST: "the MCU starts the production test",
    CMD_BINDABLE: "the MCU opens the binding window",
    CMD_RESTART_MODULE: "the MCU restarts the module",
    CMD_GET_MODULE_INFO: "the MCU asks who we are, told",
}
_SENT = (ENDED_DONE, ENDED_UNCONFIRMED)


def module_line(event: tuple) -> str:
    """An effect of `ModulePlayer` in one line; "" for those that are not for people."""
    if isinstance(event, Failed) and event.token == CMD_GET_INFO:
        return "no MCU answers; asking on"
    describe = _LINES.get(type(event))
    return describe(event) if describe else event_line(event)


def _found(event: McuFound) -> str:
    info: DeviceInfo = event.info
    text = "MCU: product key %s, hardware %s, software %s, protocol %s" % (
        info.product_key,
        info.hard_ver,
        info.soft_ver,
        info.protocol_ver,
    )
    return text + ", with a product secret (not shown)" if info.product_secret is not None else text


def _read(event: ReadAnswered) -> str:
    if event.values is None:
        return "state: " + event.p0.hex(" ")
    return "state: " + attrs_text(event.values)


def _raw(event: RawReported) -> str:
    name = ACTION_NAMES.get(event.p0[0], "unknown action") if event.p0 else "nothing"
    return "report not understood, %s: %s" % (name, event.p0.hex(" "))


def _asked(event: McuAsked) -> str:
    if event.cmd != CMD_CONFIG_MODE:
        return _ASKED.get(event.cmd, "the MCU asks: %s" % CMD_NAMES.get(event.cmd, "%02x" % event.cmd))
    try:
        config = parse_config_mode(event.payload)
    except RemoteError as e:
        return "the MCU wants a network, but: %s" % e
    return "the MCU wants a network: mode %d%s" % (
        config.mode,
        ", " + config.ssid.decode("utf-8", "replace") if config.ssid else "",
    )


def _time(event: TimeTold) -> str:
    if not event.utc:
        return "the MCU asks for the time, told that it is not known"
    time = parse_network_time(build_network_time(event.utc, 0))
    return "the MCU asks for the time, told %04d-%02d-%02d %02d:%02d:%02d UTC" % time[:6]


def _registered(event: SubdevicesRegistered) -> str:
    item = event.registration
    names = ", ".join(mesh_id.decode("utf-8", "replace") for _, mesh_id in item.devices)
    return "the MCU %s sub-devices: %s" % ("deregisters" if item.is_reset else "registers", names)


_LINES = {
    McuFound: _found,
    McuLost: lambda event: "the MCU is lost: three heartbeats unanswered",
    InfoRefused: lambda event: "the MCU's answer means nothing: %s" % event.why,
    Reported: lambda event: "report: " + attrs_text(event.values),
    RawReported: _raw,
    ReadAnswered: _read,
    ControlAcked: lambda event: "control taken by the MCU",
    McuAsked: _asked,
    TimeTold: _time,
    Restarting: lambda event: "the module starts over: " + event.why,
    TransferBegun: lambda event: "firmware of %d bytes announced, md5 %s" % (event.size, event.md5),
    TransferProgress: lambda event: "firmware: %d of %d bytes" % (event.acked, event.size),
    TransferEnded: lambda event: (
        ("firmware sent: " if event.reason in _SENT else "firmware not sent: ") + ENDED_NAMES[event.reason]
    ),
    SubdevicesRegistered: _registered,
    SubdeviceStates: lambda event: (
        "sub-devices: "
        + ", ".join(
            "%s %s" % (mesh_id.decode("utf-8", "replace"), "online" if online else "offline")
            for mesh_id, online in event.states
        )
    ),
    SubdeviceReported: lambda event: (
        "sub-device %s: %s" % (event.mesh_id.decode("utf-8", "replace"), event.p0.hex(" "))
    ),
    FirmwareAsked: lambda event: "the MCU looks for firmware: " + type(event.item).__name__.lower(),
}
