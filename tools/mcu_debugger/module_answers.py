"""What a module does about management requests of the MCU. Serial manual, chapters 4.3 to 4.8 and 11."""

from collections import namedtuple

from mcu_proto.const import (
    CMD_BINDABLE,
    CMD_CONFIG_MODE,
    CMD_PRODUCTION_TEST,
    CMD_RESET_MODULE,
    CMD_RESTART_MODULE,
    STATUS_BINDABLE,
    STATUS_CLOUD,
    STATUS_CONFIG,
    STATUS_TEST,
)
from mcu_proto.message import DeviceInfo
from mcu_proto.module_info import ModuleInfo, build_module_info

# The module starts over, so many ms after its ack.
Restart = namedtuple("Restart", ("delay", "why"))

RESTARTS = {
    CMD_RESTART_MODULE: Restart(100, "the MCU asked for it"),
    CMD_RESET_MODULE: Restart(2000, "the MCU reset it: it has forgotten its network and its owner"),
}
# Bits of the status word that a request takes away, and bits that it sets.
_STATUS_BITS = {
    CMD_CONFIG_MODE: (STATUS_CLOUD, STATUS_CONFIG),
    CMD_PRODUCTION_TEST: (STATUS_CLOUD, STATUS_TEST),
    CMD_BINDABLE: (0, STATUS_BINDABLE),
}


def status_after(cmd: int, status: int) -> int:
    """The module status once the request `cmd` is obeyed."""
    away, bits = _STATUS_BITS.get(cmd, (0, 0))
    return status & ~away | bits


def module_info(mcu: DeviceInfo | None) -> bytes:
    """22: a module that is none; the device attributes are the MCU's own."""
    attr = 0 if mcu is None else mcu.device_attr or 0
    # A mac and an address that nobody has.
    return build_module_info(ModuleInfo("00000004", "DEBUGGER", "00000001", "000000000000", "0.0.0.0", attr))
