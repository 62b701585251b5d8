"""What happens at the MCU's end of the line, as values: the effects of `McuSimulator` besides those of the link.

`SendSerial`, `Acked`, `Failed` and `Illegal` of the link come out too; the token of Acked and Failed is the command.
"""

from collections import namedtuple

InfoSent = namedtuple("InfoSent", ())  # the module asked who we are and was told
Controlled = namedtuple("Controlled", ("values",))  # the module set these attributes, and they are set
StateRead = namedtuple("StateRead", ())  # the module asked for the state and got it
StatusChanged = namedtuple("StatusChanged", ("status",))  # the module's status word is another than before
HeartbeatSeen = namedtuple("HeartbeatSeen", ())  # and acked
RestartAsked = namedtuple("RestartAsked", ())  # the module wants the MCU to restart; `Restarted` follows
Restarted = namedtuple("Restarted", ())  # the MCU begins anew: sn 0, nothing under way; attributes are kept
TimeReceived = namedtuple("TimeReceived", ("time",))  # a message.NetworkTime
ModuleInfoReceived = namedtuple("ModuleInfoReceived", ("info",))  # a message.ModuleInfo or CellularInfo
TransparentReceived = namedtuple("TransparentReceived", ("data",))  # bytes that are no attributes
Ignored = namedtuple("Ignored", ("payload", "why"))  # acked or answered, but it means nothing to this product
FirmwareOffered = namedtuple("FirmwareOffered", ("size", "md5"))  # a new image is announced, and will be asked for
FirmwareProgress = namedtuple("FirmwareProgress", ("stored", "size"))  # bytes in flash, told at every tenth
FirmwareRefused = namedtuple("FirmwareRefused", ("why",))  # it was given up; the old version still runs
FirmwareInstalled = namedtuple("FirmwareInstalled", ("soft_ver",))  # checked and committed; `Restarted` follows
Misbehaved = namedtuple("Misbehaved", ("what",))  # the fault that was ordered has happened
