"""Numbers of the serial protocol: commands, actions, status bits, error codes, sizes and times (all times in ms).

Source: the serial manual, chapters 1 (frame), 2 (command index), 4 (management), 5 (P0). `PROTOCOL.md` has the tables.
"""

try:
    from micropython import const
except ImportError:

    def const(x):
        return x


# Which end of the line we are: it decides which requests we answer and how we complain (0x11 or 0x12).
MODULE = const(0)
MCU = const(1)

# Requests. An ack is `ack_of(cmd)`.
CMD_GET_INFO = const(0x01)
CMD_P0_DOWN = const(0x03)
CMD_P0_UP = const(0x05)
CMD_HEARTBEAT = const(0x07)
CMD_CONFIG_MODE = const(0x09)
CMD_RESET_MODULE = const(0x0B)
CMD_MODULE_STATUS = const(0x0D)
CMD_RESTART_MCU = const(0x0F)
CMD_ILLEGAL_FROM_MODULE = const(0x11)
CMD_ILLEGAL_FROM_MCU = const(0x12)
CMD_PRODUCTION_TEST = const(0x13)
CMD_BINDABLE = const(0x15)
CMD_GET_TIME = const(0x17)
CMD_GET_MODULE_INFO = const(0x21)
CMD_RESTART_MODULE = const(0x29)

# First byte of P0. The second hex digit row is the variable-length form of the first.
ACTION_CONTROL = const(0x01)
ACTION_READ = const(0x02)
ACTION_READ_REPLY = const(0x03)
ACTION_REPORT = const(0x04)
ACTION_TRANSPARENT_DOWN = const(0x05)
ACTION_TRANSPARENT_UP = const(0x06)
ACTION_VAR_CONTROL = const(0x11)
ACTION_VAR_READ = const(0x12)
ACTION_VAR_READ_REPLY = const(0x13)
ACTION_VAR_REPORT = const(0x14)

# Bits of the module status word (0x0D).
STATUS_SOFTAP = const(0x0001)
STATUS_STATION = const(0x0002)
STATUS_CONFIG = const(0x0004)
STATUS_BINDABLE = const(0x0008)
STATUS_ROUTER = const(0x0010)
STATUS_CLOUD = const(0x0020)
STATUS_APP = const(0x0800)
STATUS_TEST = const(0x1000)

# Mode byte of 0x09.
CONFIG_SOFTAP = const(1)
CONFIG_AIRLINK = const(2)
CONFIG_DIRECT = const(4)

# Payload of 0x11 and 0x12.
ERR_CHECKSUM = const(1)
ERR_UNKNOWN_CMD = const(2)
ERR_OTHER = const(3)
ERR_FILE_TYPE = const(4)

# Why a frame is bad (`BadFrame.reason`). The first two equal ERR_* on purpose: they are what we report.
BAD_CHECKSUM = const(1)
BAD_UNKNOWN_CMD = const(2)
BAD_LENGTH = const(5)
BAD_TRUNCATED = const(6)

# Why a request failed (`Failed.reason`).
FAIL_NO_ACK = const(1)
FAIL_QUEUE_FULL = const(2)
FAIL_STOPPED = const(3)
FAIL_REFUSED = const(4)

HEADER = b"\xff\xff"
# cmd, sn, flags and checksum: what `len` counts besides the payload.
LEN_OVERHEAD = const(5)
# Accepted `len`: the manual allows 900 payload bytes, modules in the field send up to 1024 on the wire; more is noise.
MAX_FRAME = const(2048)
# Sent payload: the manual's limit; the oldest modules cannot receive more than 1024 wire bytes.
MAX_PAYLOAD = const(900)

# Wait for an ack once the frame has left the line. MCUs answer within 100 ms; the manual's 200 ms is what they expect.
ACK_TIMEOUT = const(200)
# Transmissions of one request, the first included.
SENDS = const(3)
# A retransmission after a lost ack comes within this time; later the same sn and content are a new request.
DUPLICATE_WINDOW = const(3000)
# Silence after which half a frame is dropped. Not earlier: slow MCUs pause inside a frame.
SILENCE = const(1000)

# What each end accepts from the other: the index of chapter 2, indexed by MODULE and MCU.
REQUESTS_TO = (
    bytes(
        (
            CMD_P0_UP,
            CMD_CONFIG_MODE,
            CMD_RESET_MODULE,
            CMD_PRODUCTION_TEST,
            CMD_BINDABLE,
            CMD_GET_TIME,
            CMD_GET_MODULE_INFO,
            CMD_RESTART_MODULE,
        )
    ),
    bytes((CMD_GET_INFO, CMD_P0_DOWN, CMD_HEARTBEAT, CMD_MODULE_STATUS, CMD_RESTART_MCU)),
)


def ack_of(cmd):
    """The command of the ack that answers request `cmd`."""
    return cmd + 1
