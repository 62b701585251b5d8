"""What happens at the module's end of the line, as values: the effects of `ModulePlayer` besides those of the link.

`SendSerial`, `Acked`, `Failed` and `Illegal` of the link come out too; the token of Acked and Failed is the command.
"""

from collections import namedtuple

McuFound = namedtuple("McuFound", ("info",))  # it answered the handshake: a message.DeviceInfo
McuLost = namedtuple("McuLost", ())  # heartbeats went unanswered; the handshake begins again
InfoRefused = namedtuple("InfoRefused", ("why",))  # it answered the handshake with something unusable
Reported = namedtuple("Reported", ("values",))  # attributes the MCU reported; None when they are not known here
RawReported = namedtuple("RawReported", ("p0",))  # a report that is no attributes, or of a product we do not know
ReadAnswered = namedtuple("ReadAnswered", ("values", "p0"))  # the answer to a read; values None when not understood
ControlAcked = namedtuple("ControlAcked", ())  # the MCU took a control; its report follows
McuAsked = namedtuple("McuAsked", ("cmd", "payload"))  # a management request of the MCU, acked
TimeTold = namedtuple("TimeTold", ("utc",))  # the MCU asked for the time, and got this
Restarting = namedtuple("Restarting", ("why",))  # the module starts over: sn 0, handshake
TransferBegun = namedtuple("TransferBegun", ("size", "md5"))  # firmware is announced to the MCU
TransferProgress = namedtuple("TransferProgress", ("acked", "size"))  # told at every tenth
TransferEnded = namedtuple("TransferEnded", ("reason",))  # ENDED_* of mcu_proto.transfer
SubdevicesRegistered = namedtuple("SubdevicesRegistered", ("registration",))  # asked by the MCU, and granted
SubdeviceStates = namedtuple("SubdeviceStates", ("states",))  # (meshId, online)
SubdeviceReported = namedtuple("SubdeviceReported", ("mesh_id", "p0"))
FirmwareAsked = namedtuple("FirmwareAsked", ("item",))  # a transaction: the MCU looks for firmware
