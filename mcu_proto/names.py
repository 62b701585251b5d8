"""Names of the protocol's numbers, for logs and screens. CPython side only: a chip never spends memory on them.

Source: the serial manual's command index (chapter 2), status bits (4.2), error codes (4.9), actions (5.1).
"""

from . import const as c
from . import transfer as t

# Requests and their acks.
CMD_NAMES = {
    c.CMD_GET_INFO: "get device info",
    c.CMD_GET_INFO + 1: "device info",
    c.CMD_P0_DOWN: "P0 to MCU",
    c.CMD_P0_DOWN + 1: "P0 to MCU ack",
    c.CMD_P0_UP: "P0 from MCU",
    c.CMD_P0_UP + 1: "P0 from MCU ack",
    c.CMD_HEARTBEAT: "heartbeat",
    c.CMD_HEARTBEAT + 1: "heartbeat ack",
    c.CMD_CONFIG_MODE: "enter network configuration",
    c.CMD_CONFIG_MODE + 1: "enter network configuration ack",
    c.CMD_RESET_MODULE: "reset module",
    c.CMD_RESET_MODULE + 1: "reset module ack",
    c.CMD_MODULE_STATUS: "module status",
    c.CMD_MODULE_STATUS + 1: "module status ack",
    c.CMD_RESTART_MCU: "restart MCU",
    c.CMD_RESTART_MCU + 1: "restart MCU ack",
    c.CMD_ILLEGAL_FROM_MODULE: "illegal frame (says the module)",
    c.CMD_ILLEGAL_FROM_MCU: "illegal frame (says the MCU)",
    c.CMD_PRODUCTION_TEST: "production test",
    c.CMD_PRODUCTION_TEST + 1: "production test ack",
    c.CMD_BINDABLE: "open the binding window",
    c.CMD_BINDABLE + 1: "open the binding window ack",
    c.CMD_GET_TIME: "get network time",
    c.CMD_GET_TIME + 1: "network time",
    c.CMD_ANNOUNCE: "announce big data",
    c.CMD_ANNOUNCE + 1: "announce big data ack",
    c.CMD_READY: "ready for big data",
    c.CMD_READY + 1: "ready for big data ack",
    c.CMD_PIECE: "piece",
    c.CMD_PIECE + 1: "piece ack",
    c.CMD_STOP_SENDING: "sender stops",
    c.CMD_STOP_SENDING + 1: "sender stops ack",
    c.CMD_GET_MODULE_INFO: "get module info",
    c.CMD_GET_MODULE_INFO + 1: "module info",
    c.CMD_TRANSACTION: "transaction",
    c.CMD_TRANSACTION + 1: "transaction ack",
    c.CMD_TRANSACTION_RESULT: "transaction result",
    c.CMD_TRANSACTION_RESULT + 1: "transaction result ack",
    c.CMD_STOP_RECEIVING: "receiver stops",
    c.CMD_STOP_RECEIVING + 1: "receiver stops ack",
    c.CMD_RESTART_MODULE: "restart module",
    c.CMD_RESTART_MODULE + 1: "restart module ack",
    c.CMD_REGISTER_SUBDEVICES: "register sub-devices",
    c.CMD_REGISTER_SUBDEVICES + 1: "register sub-devices ack",
    c.CMD_SUBDEVICES_REGISTERED: "sub-devices registered",
    c.CMD_SUBDEVICES_REGISTERED + 1: "sub-devices registered ack",
}

ACTION_NAMES = {
    c.ACTION_CONTROL: "control",
    c.ACTION_READ: "read",
    c.ACTION_READ_REPLY: "read reply",
    c.ACTION_REPORT: "report",
    c.ACTION_TRANSPARENT_DOWN: "transparent to MCU",
    c.ACTION_TRANSPARENT_UP: "transparent from MCU",
    c.ACTION_VAR_CONTROL: "control (variable length)",
    c.ACTION_VAR_READ: "read (variable length)",
    c.ACTION_VAR_READ_REPLY: "read reply (variable length)",
    c.ACTION_VAR_REPORT: "report (variable length)",
    c.ACTION_SUBDEVICE_STATES: "sub-devices online and offline",
    c.ACTION_SUBDEVICE_DOWN: "sub-devices, to them",
    c.ACTION_SUBDEVICE_UP: "sub-devices, from them",
}

# Bit of the status word: what it says when set. The signal level, bits 8 to 10, is a number and not here.
STATUS_NAMES = {
    c.STATUS_SOFTAP: "SoftAP",
    c.STATUS_STATION: "station",
    c.STATUS_CONFIG: "configuring",
    c.STATUS_BINDABLE: "bindable",
    c.STATUS_ROUTER: "router",
    c.STATUS_CLOUD: "cloud",
    c.STATUS_APP: "app",
    c.STATUS_TEST: "production test",
}

ERR_NAMES = {
    c.ERR_CHECKSUM: "wrong checksum",
    c.ERR_UNKNOWN_CMD: "unknown command",
    c.ERR_OTHER: "not acceptable",
    c.ERR_FILE_TYPE: "wrong file type",
}

BAD_NAMES = {
    c.BAD_CHECKSUM: "wrong checksum",
    c.BAD_UNKNOWN_CMD: "unknown command",
    c.BAD_LENGTH: "impossible length",
    c.BAD_TRUNCATED: "cut short by the next frame",
}

FAIL_NAMES = {
    c.FAIL_NO_ACK: "no ack after 3 sends",
    c.FAIL_QUEUE_FULL: "too many requests waiting",
    c.FAIL_STOPPED: "the line was lost",
    c.FAIL_REFUSED: "the other end does not know the command",
}

# Why a transfer of big data ended.
ENDED_NAMES = {
    t.ENDED_DONE: "done",
    t.ENDED_UNCONFIRMED: "all sent, the last piece was not acked",
    t.ENDED_CANCELLED: "the peer stopped it",
    t.ENDED_STOPPED: "stopped",
    t.ENDED_NO_ACK: "a piece was not acked",
    t.ENDED_SILENCE: "the peer fell silent",
    t.ENDED_MISMATCH: "the peer is ready for another file",
    t.ENDED_PIECE_SIZE: "the pieces asked for do not fit a frame",
    t.ENDED_LINE: "a line is too long",
    t.ENDED_ORDER: "a piece is missing",
    t.ENDED_SIZE: "more or less data than was announced",
}
