"""P0 to attributes and back, from a product's datapoint definition. Serial manual, chapters 5 and 6.

    fixed length      report 04 / read reply 03 | dev_status: groups W, R, N, E, each = bit block, numbers, binaries
                      control 01 | attr_flags: a bit per writable attr | attr_vals: the whole group W
    variable length   report 14 / reply 13 / control 11 | attr_flags: a bit per attr | bits packed, numbers, binaries
                      read 12 | attr_flags of what is wanted

Every bit block and every attr_flags field is one big-endian integer, bit 0 its least significant bit. A number is shown
as raw * ratio + addition; ratio and addition are held as integers over a power of ten, so no step of a 0.1 range is
lost. The relay never imports this file: it is for the cloud, the debugger and the simulator.
"""

from collections import namedtuple

from .const import (
    ACTION_CONTROL,
    ACTION_READ,
    ACTION_READ_REPLY,
    ACTION_REPORT,
    ACTION_VAR_CONTROL,
    ACTION_VAR_READ,
    ACTION_VAR_READ_REPLY,
    ACTION_VAR_REPORT,
    const,
)
from .errors import AttrError, RemoteError

# access is the definition's `type`; position is (byte offset, bit offset, size) with size in bits for bool and enum and
# in bytes otherwise; spec is the labels of an enum, the Scale of a number, else None.
Attr = namedtuple("Attr", ("id", "name", "access", "data_type", "position", "spec"))
# Shown value = (raw * ratio + addition) / unit, all integers; low and high bound the raw value.
Scale = namedtuple("Scale", ("low", "high", "ratio", "addition", "unit"))

WRITABLE = "status_writable"
# The groups of dev_status in their order on the wire.
ACCESS = (WRITABLE, "status_readonly", "alert", "fault")
# Data types in their order inside a group, with the bytes of a number. 0: in the bit block; None: the definition says.
DATA_TYPES = {"bool": 0, "enum": 0, "uint8": 1, "uint16": 2, "uint32": 4, "binary": None}
# The longest number in a definition or a value: a shown value always fits a float.
_DIGITS = const(64)


class Schema:
    """The datapoints of one product. `attrs` are `Attr` in id order, `variable` says which of the two layouts holds."""

    def __init__(self, product_key, attrs, variable=False):
        self.product_key = product_key
        self.attrs = tuple(attrs)
        self.variable = variable
        self._by_name = {attr.name: attr for attr in self.attrs}
        self._writable = tuple([attr for attr in self.attrs if attr.access == WRITABLE])
        self._status_size, blocks = _measure(self.attrs)
        self._vals_size = _measure(self._writable)[0]
        self._fields = {}
        for attr in self.attrs:
            self._fields[attr.name] = _field(attr, blocks, self._status_size)

    @classmethod
    def from_definition(cls, definition):
        """From the dict that GET /app/datapoint serves; AttrError or LocalError says what is wrong with it."""
        # Only who has definitions loads their reader.
        from .definition import parse_definition

        product_key, attrs, variable = parse_definition(definition)
        return cls(product_key, attrs, variable)

    def attr(self, name) -> Attr:
        """The attr of that name; AttrError when the product has none."""
        if name not in self._by_name:
            raise AttrError(name, "this product has no such attribute")
        return self._by_name[name]

    def decode(self, p0) -> dict:
        """name -> value of a report or a read reply: every attr, or those present when of variable length."""
        action = p0[0] if p0 else 0
        if self.variable and action in (ACTION_VAR_REPORT, ACTION_VAR_READ_REPLY):
            return self._decode_variable(p0, self.attrs)
        if self.variable or action not in (ACTION_REPORT, ACTION_READ_REPLY):
            raise RemoteError("action %02x is no report of this product" % action)
        if len(p0) - 1 < self._status_size:
            raise RemoteError("dev_status of %d bytes, %d expected" % (len(p0) - 1, self._status_size))
        whole = int.from_bytes(p0[1 : 1 + self._status_size], "big")
        values = {}
        for attr in self.attrs:
            shift, mask = self._fields[attr.name]
            values[attr.name] = _shown(attr, whole >> shift & mask)
        return values

    def decode_control(self, p0) -> dict:
        """name -> value of the attrs that a control flags."""
        action = p0[0] if p0 else 0
        if self.variable and action == ACTION_VAR_CONTROL:
            return self._decode_variable(p0, self._writable)
        if self.variable or action != ACTION_CONTROL:
            raise RemoteError("action %02x is no control of this product" % action)
        start = 1 + _flag_bytes(self._writable)
        if len(p0) < start + self._vals_size:
            raise RemoteError("control of %d bytes, %d expected" % (len(p0), start + self._vals_size))
        flags = int.from_bytes(p0[1:start], "big")
        whole = int.from_bytes(p0[start : start + self._vals_size], "big")
        back = 8 * (self._status_size - self._vals_size)
        values = {}
        for i, attr in enumerate(self._writable):
            if flags >> i & 1:
                shift, mask = self._fields[attr.name]
                values[attr.name] = _shown(attr, whole >> shift - back & mask)
        return values

    def encode_control(self, values) -> bytes:
        """The control that sets `values`; AttrError for an attr that is unknown, not writable or out of range."""
        for name in values:
            if self.attr(name).access != WRITABLE:
                raise AttrError(name, "cannot be set, it is %s" % self.attr(name).access)
        if self.variable:
            return self._encode_variable(ACTION_VAR_CONTROL, values)
        back = 8 * (self._status_size - self._vals_size)
        flags = whole = 0
        for i, attr in enumerate(self._writable):
            if attr.name in values:
                flags |= 1 << i
                whole |= _raw(attr, values[attr.name]) << self._fields[attr.name][0] - back
        head = bytes((ACTION_CONTROL,)) + flags.to_bytes(_flag_bytes(self._writable), "big")
        return head + whole.to_bytes(self._vals_size, "big")

    def encode_read(self, names=None) -> bytes:
        """The P0 that asks for the attrs `names`, all by default; a product of fixed length always answers with all."""
        if not self.variable:
            return bytes((ACTION_READ,))
        flags = (1 << len(self.attrs)) - 1
        if names is not None:
            flags = sum([1 << self.attr(name).id for name in names])
        return bytes((ACTION_VAR_READ,)) + flags.to_bytes(_flag_bytes(self.attrs), "big")

    def encode_report(self, values, action=ACTION_REPORT) -> bytes:
        """A report or read reply of `values`; what is missing is sent as raw 0, or left out when of variable length."""
        for name in values:
            self.attr(name)
        if self.variable:
            return self._encode_variable(action | 0x10, values)
        whole = 0
        for attr in self.attrs:
            if attr.name in values:
                whole |= _raw(attr, values[attr.name]) << self._fields[attr.name][0]
        return bytes((action,)) + whole.to_bytes(self._status_size, "big")

    def beyond_limits(self, values) -> list:
        """Names in `values` of a report that the definition does not allow; MCUs send such, and it is no error."""
        names = []
        for name in values:
            attr = self.attr(name)
            try:
                _raw(attr, values[name])
            except AttrError:
                names.append(name)
        return names

    def _encode_variable(self, action, values) -> bytes:
        flags = bits = used = 0
        rest = b""
        for data_types in (("bool", "enum", "uint8", "uint16", "uint32"), ("binary",)):
            for attr in self.attrs:
                if attr.name not in values or attr.data_type not in data_types:
                    continue
                flags |= 1 << attr.id
                raw = _raw(attr, values[attr.name])
                if DATA_TYPES[attr.data_type] == 0:
                    bits |= raw << used
                    used += attr.position[2]
                else:
                    rest += raw.to_bytes(attr.position[2], "big")
        head = bytes((action,)) + flags.to_bytes(_flag_bytes(self.attrs), "big")
        return head + bits.to_bytes((used + 7) // 8, "big") + rest

    def _decode_variable(self, p0, wanted) -> dict:
        start = 1 + _flag_bytes(self.attrs)
        if len(p0) < start:
            raise RemoteError("attr_flags are cut: P0 of %d bytes" % len(p0))
        flags = int.from_bytes(p0[1:start], "big")
        present = [attr for attr in self.attrs if flags >> attr.id & 1]
        packed = [attr for attr in present if DATA_TYPES[attr.data_type] == 0]
        used = sum([attr.position[2] for attr in packed])
        at = start + (used + 7) // 8
        bits = int.from_bytes(p0[start:at], "big")
        values = {}
        if at > len(p0):
            return values
        for attr in packed:
            values[attr.name] = _shown(attr, bits & (1 << attr.position[2]) - 1)
            bits >>= attr.position[2]
        for data_types in (("uint8", "uint16", "uint32"), ("binary",)):
            for attr in present:
                if attr.data_type in data_types and at + attr.position[2] <= len(p0):
                    values[attr.name] = _shown(attr, int.from_bytes(p0[at : at + attr.position[2]], "big"))
                    at += attr.position[2]
        return {attr.name: values[attr.name] for attr in wanted if attr.name in values}


def _flag_bytes(attrs) -> int:
    return (len(attrs) + 7) // 8


def _measure(attrs) -> tuple:
    """(bytes of dev_status up to the end of `attrs`, {byte offset of a bit block: its bytes})."""
    size = 0
    blocks = {}
    for attr in attrs:
        offset, bit, length = attr.position
        if DATA_TYPES[attr.data_type] == 0:
            length = max((bit + length + 7) // 8, blocks.get(offset, 0))
            blocks[offset] = length
        size = max(size, offset + length)
    return size, blocks


def _field(attr, blocks, size) -> tuple:
    """(shift, mask) of an attr in dev_status taken as one big-endian integer of `size` bytes."""
    offset, bit, length = attr.position
    if DATA_TYPES[attr.data_type] == 0:
        return 8 * (size - offset - blocks[offset]) + bit, (1 << length) - 1
    return 8 * (size - offset - length), (1 << 8 * length) - 1


def decimal(name, value) -> tuple:
    """(n, unit) with value = n / unit exactly as its decimal text says, unit a power of ten."""
    if isinstance(value, int):
        if abs(value) >= 10**_DIGITS:
            raise AttrError(name, "a number of more than %d digits is beyond any datapoint" % _DIGITS)
        return int(value), 1
    text = str(value).strip().lower()
    mantissa, mark, exponent = _cut(text, "e")
    whole, _, fraction = _cut(mantissa, ".")
    # int() alone takes blanks, signs and underscores where a number has none.
    if not (whole.lstrip("+-") + fraction).isdigit() or (mark and not exponent.lstrip("+-").isdigit()):
        raise AttrError(name, "%s is no number" % _brief(text))
    if len(text) > _DIGITS:
        raise AttrError(name, "%s is beyond any datapoint" % _brief(text))
    try:
        n = int(whole + fraction)
        power = int(exponent or "0") - len(fraction)
    except ValueError:
        raise AttrError(name, "%s is no number" % _brief(text))  # noqa: B904 - MicroPython has no chaining
    if power > 20 or power < -20:
        raise AttrError(name, "%s is beyond any datapoint" % _brief(text))
    return (n * 10**power, 1) if power >= 0 else (n, 10**-power)


def _cut(text, mark) -> tuple:
    parts = text.split(mark)
    return (parts[0], mark, parts[1]) if len(parts) == 2 else (text, "", "")


def _shown(attr, raw):
    """The value that a raw integer stands for."""
    if attr.data_type == "bool":
        return bool(raw)
    if attr.data_type == "enum":
        return attr.spec[raw] if raw < len(attr.spec) else raw
    if attr.data_type == "binary":
        return raw.to_bytes(attr.position[2], "big")
    n = raw * attr.spec.ratio + attr.spec.addition
    return n // attr.spec.unit if n % attr.spec.unit == 0 else n / attr.spec.unit


def _raw(attr, value) -> int:
    """The raw integer of a value in any accepted form; AttrError says why it is refused."""
    if attr.data_type == "bool":
        if value in (0, 1):
            return int(value)
        raise AttrError(attr.name, "%s is none of 0, 1, true and false" % _brief(value))
    if attr.data_type == "enum":
        return _raw_enum(attr, value)
    if attr.data_type == "binary":
        return _raw_binary(attr, value)
    n, unit = decimal(attr.name, value)
    scale = attr.spec
    # raw = (value - addition) / ratio, rounded half up, in integers.
    top = n * scale.unit - scale.addition * unit
    bottom = scale.ratio * unit
    if bottom < 0:
        top, bottom = -top, -bottom
    raw = (2 * top + bottom) // (2 * bottom)
    if raw < scale.low or raw > scale.high:
        limits = sorted([_shown(attr, scale.low), _shown(attr, scale.high)])
        raise AttrError(attr.name, "%s is not within %s to %s" % (_brief(value), limits[0], limits[1]))
    return raw


def _raw_enum(attr, value) -> int:
    if isinstance(value, str):
        if value in attr.spec:
            return attr.spec.index(value)
    elif isinstance(value, int) and 0 <= value < max(len(attr.spec), 1):
        return int(value)
    raise AttrError(attr.name, "%s is none of %s or their indexes" % (_brief(value), ", ".join(attr.spec)))


def _raw_binary(attr, value) -> int:
    size = attr.position[2]
    if isinstance(value, int):
        raise AttrError(attr.name, "%s is neither bytes nor hex text" % _brief(value))
    try:
        data = bytes.fromhex(value) if isinstance(value, str) else bytes(value)
    except (ValueError, TypeError):
        raise AttrError(attr.name, "%s is neither bytes nor hex text" % _brief(value))  # noqa: B904 - MicroPython has no chaining
    if len(data) > size:
        raise AttrError(attr.name, "%d bytes are too many, %d fit" % (len(data), size))
    return int.from_bytes(data + bytes(size - len(data)), "big")


def _brief(value) -> str:
    return str(value)[:40]
