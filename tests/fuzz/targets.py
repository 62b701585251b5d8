"""Every fuzz target by name: a function of bytes that returns when all is well."""

from .line_targets import frame, link
from .payload_targets import definition, layout, messages, number, p0, values
from .transfer_target import transfer

TARGETS = {
    target.__name__: target for target in (frame, link, transfer, messages, p0, values, number, definition, layout)
}
