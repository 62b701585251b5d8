"""What `mcu_proto` raises.

McuProtoError
├── LocalError       our side asked for something illegal: too long, unknown attribute, value out of range
│   └── AttrError    the same, with the attribute's name
└── RemoteError      bytes from the peer cannot mean anything (raised by parsers of one payload)

A stream never raises: `FrameDecoder` and `McuLink` turn a peer's mistakes into values.
"""


class McuProtoError(Exception):
    pass


class LocalError(McuProtoError):
    pass


class AttrError(LocalError):
    """`args` are (attribute name, what is wrong with it)."""

    def __str__(self):
        return "attribute %s: %s" % (self.args[0], self.args[1])


class RemoteError(McuProtoError):
    pass
