"""Rules of device info, heartbeat, status, restart and of what the MCU asks. Serial manual, chapters 3 and 4."""

import re

from mcu_proto import const as c
from mcu_proto.errors import RemoteError
from mcu_proto.message import DeviceInfo, parse_config_mode, parse_device_info, parse_env

from .bench import Bench
from .rule import ACTIVE, PASSIVE, Rule
from .verdict import Broken, NotSeen

# Configuring, a router, the cloud, an app, production test.
_STATUS_WORDS = (0x0005, 0x0004, 0x0012, 0x071A, 0x073A, 0x0F3A, 0x1F3A, 0x073A)
_LAYOUTS = (66, 74, 106)
# The generated code resets 600 ms after its ack; then it boots.
_BOOT_WITHIN = 10_000
_NO_PAYLOAD = (c.CMD_RESET_MODULE, c.CMD_PRODUCTION_TEST, c.CMD_BINDABLE, c.CMD_GET_TIME, c.CMD_RESTART_MODULE)


def device_info(bench: Bench) -> DeviceInfo:
    """What the MCU says of itself; Broken when it says nothing usable."""
    try:
        return parse_device_info(_info_payload(bench))
    except RemoteError as e:
        raise Broken(str(e)) from None


def _info_payload(bench: Bench) -> bytes:
    return bench.ask(c.CMD_GET_INFO).item.payload


def _info_layout(bench: Bench) -> str:
    payload = _info_payload(bench)
    size = len(payload)
    if size in _LAYOUTS:
        return "V%d, %d bytes" % (_LAYOUTS.index(size) + 1, size)
    if size < 108:
        raise Broken("device info of %d bytes, expected 66, 74, 106, or 108 and the data" % size)
    data = payload[106] << 8 | payload[107]
    if size != 108 + data:
        raise Broken("device info of %d bytes, its length field makes it %d" % (size, 108 + data))
    return "V4, %d bytes" % size


def _info_versions(bench: Bench) -> str:
    payload = _info_payload(bench)
    info = device_info(bench)
    for i, name in enumerate(("protocol version", "P0 version", "hardware version", "software version")):
        field = payload[8 * i : 8 * i + 8]
        if not re.fullmatch(rb"[\x20-\x7e]{8}", field):
            raise Broken("%s is %s, expected 8 ASCII characters" % (name, field.hex(" ")))
    if not info.protocol_ver.isdigit() or not info.p0_ver.isdigit():
        raise Broken("versions '%s' and '%s', expected digits like 00000004" % (info.protocol_ver, info.p0_ver))
    return "protocol %s, P0 %s, hardware %s, software %s" % info[:4]


def _info_product_key(bench: Bench) -> str:
    key = device_info(bench).product_key
    if key != key.lower():
        raise Broken("product key %s, expected lower case" % key)
    if bench.schema is not None and bench.schema.product_key not in ("", key):
        raise Broken("product key %s, that of the product is %s" % (key, bench.schema.product_key))
    return key


def _info_attributes(bench: Bench) -> str:
    attr = device_info(bench).device_attr
    if attr is None:
        raise NotSeen("device info V1 has none")
    if attr >> 13:
        raise Broken("device attributes %016x, bits 13 to 63 must be 0" % attr)
    return "%016x" % attr


def _info_secret(bench: Bench) -> str:
    secret = device_info(bench).product_secret
    if secret is None:
        raise NotSeen("device info before V3 has none; the module needs one in its settings then")
    if not re.fullmatch("[0-9a-fA-F]{32}", secret):
        raise Broken("a product secret of %d characters, expected 32 hex digits" % len(secret))
    return ""


def _info_data(bench: Bench) -> str:
    data = device_info(bench).data
    if not data:
        raise NotSeen("device info without data")
    env = parse_env(data)
    if len(env) != data.count(b"&") + 1:
        raise Broken("data of %d bytes, expected key=value&key=value" % len(data))
    return "keys " + ", ".join(sorted(env))


def _info_at_any_time(bench: Bench) -> str:
    first = _info_payload(bench)
    bench.ask(c.CMD_MODULE_STATUS, b"\x07\x3a")
    for sn in (0, 0, 9):
        again = bench.ask(c.CMD_GET_INFO, sn=sn).item.payload
        if again != first:
            raise Broken("device info changed from one 01 to the next")
    return ""


def _heartbeat(bench: Bench) -> str:
    ack = bench.ask(c.CMD_HEARTBEAT).item
    if ack.payload:
        raise Broken("08 has %d bytes of payload, expected none" % len(ack.payload))
    return ""


def _status(bench: Bench) -> str:
    for word in _STATUS_WORDS:
        ack = bench.ask(c.CMD_MODULE_STATUS, word.to_bytes(2, "big")).item
        if ack.payload:
            raise Broken("0e has %d bytes of payload, expected none" % len(ack.payload))
    return "%d words" % len(_STATUS_WORDS)


def _restart(bench: Bench) -> str:
    bench.ask(c.CMD_RESTART_MCU)
    begin = bench.now()
    # It may restart at any moment: what is asked meanwhile may be lost.
    bench.listen(1000)
    while bench.now() - begin < _BOOT_WITHIN:
        try:
            bench.ask(c.CMD_GET_INFO, sn=0)
            return "back after %d ms" % (bench.now() - begin)
        except Broken:
            continue
    raise Broken("no device info within %d s after the restart" % (_BOOT_WITHIN // 1000))


def _requests_legal(bench: Bench) -> str:
    """What the MCU asked by itself."""
    asked = [each.item for each in bench.frames(0) if each.item.cmd & 1 and each.item.cmd != c.CMD_P0_UP]
    if not asked:
        raise NotSeen("the MCU asked nothing but 05; press its keys during the run")
    for frame in asked:
        wrong = _illegal_request(frame.cmd, frame.payload)
        if wrong:
            raise Broken(wrong)
    return ", ".join(sorted({"%02x" % frame.cmd for frame in asked}))


def _illegal_request(cmd: int, payload: bytes) -> str:
    """What is wrong with a request, "" when nothing is."""
    known = (*c.REQUESTS_TO[c.MODULE], *c.TRANSFER_REQUESTS, c.CMD_TRANSACTION, c.CMD_REGISTER_SUBDEVICES)
    if cmd not in known:
        return "%02x is no request of an MCU" % cmd
    if cmd in _NO_PAYLOAD and payload:
        return "%02x has %d bytes of payload, expected none" % (cmd, len(payload))
    if cmd == c.CMD_CONFIG_MODE:
        try:
            mode = parse_config_mode(payload).mode
        except RemoteError as e:
            return str(e)
        if mode not in (c.CONFIG_SOFTAP, c.CONFIG_AIRLINK, c.CONFIG_DIRECT):
            return "09 with mode %d, expected 1, 2 or 4" % mode
    if cmd == c.CMD_GET_MODULE_INFO and payload not in (b"", b"\x00"):
        return "21 asks for type %s, expected 00" % payload.hex(" ")
    return ""


MANAGEMENT_RULES = (
    Rule("info-layout", "3", "device info has one of its four layouts", ACTIVE, _info_layout),
    Rule("info-versions", "3", "its versions are 8 ASCII characters", ACTIVE, _info_versions),
    Rule("info-product-key", "3", "its product key is that of the product, in lower case", ACTIVE, _info_product_key),
    Rule("info-attributes", "3", "reserved device attributes are 0", ACTIVE, _info_attributes),
    Rule("info-secret", "3", "its product secret is 32 hex digits", ACTIVE, _info_secret),
    Rule("info-data", "3", "its data is key=value&key=value", ACTIVE, _info_data),
    Rule("info-any-time", "12.1", "01 is answered at any time, any number of times", ACTIVE, _info_at_any_time),
    Rule("heartbeat", "4.1", "a heartbeat is acked, without payload", ACTIVE, _heartbeat),
    Rule("status", "4.2", "every module status is acked, without payload", ACTIVE, _status),
    Rule("restart", "4.5", "0f is acked, then the MCU restarts", ACTIVE, _restart),
    Rule("requests", "4.3", "what the MCU asks by itself is legal", PASSIVE, _requests_legal),
)
