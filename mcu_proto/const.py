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
CMD_ANNOUNCE = const(0x19)
CMD_READY = const(0x1B)
CMD_PIECE = const(0x1D)
CMD_STOP_SENDING = const(0x1F)
CMD_GET_MODULE_INFO = const(0x21)
CMD_TRANSACTION = const(0x23)
CMD_TRANSACTION_RESULT = const(0x25)
CMD_STOP_RECEIVING = const(0x27)
CMD_RESTART_MODULE = const(0x29)
CMD_REGISTER_SUBDEVICES = const(0x53)
CMD_SUBDEVICES_REGISTERED = const(0x55)

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
# Light gateway: P0 of devices behind the MCU.
ACTION_SUBDEVICE_STATES = const(0x71)
ACTION_SUBDEVICE_DOWN = const(0x72)
ACTION_SUBDEVICE_UP = const(0x73)

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

# Bits of the device attributes in device info.
ATTR_CENTRAL_CONTROLLER = const(0x0001)
ATTR_GENERATED = const(0x0002)
ATTR_LAN_ENCRYPTED = const(0x0040)
ATTR_VARIABLE_LENGTH = const(0x0080)
ATTR_LIGHT_GATEWAY = const(0x0100)

# Low byte of the flags.
FLAG_DID = const(0x0001)  # 03, 05: the payload begins with a did and its length
FLAG_HEX = const(0x0001)  # 1b, 1d: lines of text instead of bytes
FLAG_LAST = const(0x0002)  # 1d: the last line

# Wait for an ack once the frame has left the line. MCUs answer within 100 ms; the manual's 200 ms is what they expect.
ACK_TIMEOUT = const(200)
# Transmissions of one request, the first included.
SENDS = const(3)
# A retransmission after a lost ack comes within this time; later the same sn and content are a new request.
DUPLICATE_WINDOW = const(3000)
# A piece is stored, often in flash, before it is acked.
PIECE_TIMEOUT = const(3000)
# Silence after which half a frame is dropped. Not earlier: slow MCUs pause inside a frame.
SILENCE = const(1000)

# What each end accepts from the other, indexed by MODULE and MCU: chapter 2. Owners add what else they serve.
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


# Big data goes both ways; whoever takes or sends files adds these.
TRANSFER_REQUESTS = bytes((CMD_ANNOUNCE, CMD_READY, CMD_PIECE, CMD_STOP_SENDING, CMD_STOP_RECEIVING))
# Requests that somebody waits for: they go before management in the queue.
URGENT_REQUESTS = bytes((CMD_P0_DOWN, CMD_P0_UP))


def ack_of(cmd):
    """The command of the ack that answers request `cmd`."""
    return cmd + 1
