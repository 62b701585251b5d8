"""What the bytes of a P0 are: action, attr_flags, attr_vals or dev_status by the product. Serial manual, chapters 5, 6.

A bit block is one row with its attributes below it, because it is one big-endian number; so is attr_flags. Without a
product the bytes behind the action stay as they are.
"""

from collections.abc import Iterable

from mcu_proto import const as c
from mcu_proto.datapoint import ACCESS, DATA_TYPES, WRITABLE, Attr, Schema
from mcu_proto.names import ACTION_NAMES

from .byte_cursor import ByteCursor
from .value_text import raw_text

_GROUP_NAMES = dict(zip(ACCESS, ("writable", "read-only", "alert", "fault"), strict=True))


def describe_p0(cursor: ByteCursor, flags: int, schema: Schema | None) -> None:
    """The whole payload of 03, 04 or 05."""
    if flags & c.FLAG_DID:
        cursor.text(cursor.number(1, "length of did"), "did")
        # What follows belongs to another product.
        schema = None
    action = cursor.number(1, "action", lambda n: ACTION_NAMES.get(n, "%d, unknown" % n))
    tell = _ACTIONS.get(action)
    if tell is not None:
        tell(cursor, schema)
    if cursor.left():
        about = "surplus, ignored" if schema else "give a product definition to see the attributes"
        cursor.take(cursor.left(), "rest", about)


def _transparent(cursor: ByteCursor, schema: Schema | None) -> None:
    cursor.take(cursor.left(), "data", "transparent, as it stands")


def _states(cursor: ByteCursor, schema: Schema | None) -> None:
    for i in range(cursor.number(2, "sub-devices")):
        cursor.text(cursor.number(1, "length of meshId"), "meshId %d" % (i + 1))
        cursor.number(1, "state %d" % (i + 1), lambda n: "online" if n else "offline")


def _sub_device_data(cursor: ByteCursor, schema: Schema | None) -> None:
    for i in range(cursor.number(2, "sub-devices")):
        cursor.text(cursor.number(1, "length of meshId"), "meshId %d" % (i + 1))
        size = cursor.number(2, "length of data")
        cursor.take(size, "data %d" % (i + 1), "P0 of the sub-device's product")


def _control(cursor: ByteCursor, schema: Schema | None) -> None:
    if schema is None or schema.variable:
        return
    writable = [attr for attr in schema.attrs if attr.access == WRITABLE]
    flagged = _attr_flags(cursor, writable)
    _group_rows(cursor, writable, flagged)


def _status(cursor: ByteCursor, schema: Schema | None) -> None:
    if schema is not None and not schema.variable:
        _group_rows(cursor, schema.attrs, None)


def _variable(cursor: ByteCursor, schema: Schema | None) -> None:
    if schema is None or not schema.variable:
        return
    flagged = _attr_flags(cursor, schema.attrs)
    present = [attr for attr in schema.attrs if attr.name in flagged]
    packed = [attr for attr in present if DATA_TYPES[attr.data_type] == 0]
    used = sum(attr.position[2] for attr in packed)
    if packed:
        block = cursor.number((used + 7) // 8, "bits", lambda n: "bools and enums that are there, packed")
        at = 0
        for attr in packed:
            _bit_row(cursor, attr, at, block)
            at += attr.position[2]
    numbers = [attr for attr in present if attr.data_type in ("uint8", "uint16", "uint32")]
    for attr in numbers + [attr for attr in present if attr.data_type == "binary"]:
        _whole_row(cursor, attr)


def _variable_read(cursor: ByteCursor, schema: Schema | None) -> None:
    if schema is not None and schema.variable:
        _attr_flags(cursor, schema.attrs)


_ACTIONS = {
    c.ACTION_CONTROL: _control,
    c.ACTION_READ_REPLY: _status,
    c.ACTION_REPORT: _status,
    c.ACTION_TRANSPARENT_DOWN: _transparent,
    c.ACTION_TRANSPARENT_UP: _transparent,
    c.ACTION_VAR_CONTROL: _variable,
    c.ACTION_VAR_READ: _variable_read,
    c.ACTION_VAR_READ_REPLY: _variable,
    c.ACTION_VAR_REPORT: _variable,
    c.ACTION_SUBDEVICE_STATES: _states,
    c.ACTION_SUBDEVICE_DOWN: _sub_device_data,
    c.ACTION_SUBDEVICE_UP: _sub_device_data,
}


def _attr_flags(cursor: ByteCursor, attrs: Iterable[Attr]) -> set[str]:
    """Tell attr_flags, a bit per attr; the names of those flagged."""
    attrs = tuple(attrs)
    if not attrs:
        return set()
    flags = cursor.number((len(attrs) + 7) // 8, "attr_flags", lambda n: "a bit for each attribute, by id")
    flagged = [(i, attr) for i, attr in enumerate(attrs) if flags >> i & 1]
    for i, attr in flagged:
        cursor.note("bit %d" % i, "1  " + attr.name, 1)
    if not flagged:
        cursor.note("", "no attribute is flagged", 1)
    if flags >> len(attrs):
        cursor.note("bit %d and up" % len(attrs), "no such attributes, ignored", 1)
    return {attr.name for _, attr in flagged}


def _group_rows(cursor: ByteCursor, attrs: Iterable[Attr], flagged: set[str] | None) -> None:
    """dev_status of `attrs`; `flagged` are those of a control that count, None: all."""
    places: dict[int, list[Attr]] = {}
    for attr in attrs:
        places.setdefault(attr.position[0], []).append(attr)
    at = 0
    for offset, here in sorted(places.items()):
        if offset > at:
            cursor.take(offset - at, "gap", "no attribute lives here")
        if DATA_TYPES[here[0].data_type] == 0:
            size = (max(attr.position[1] + attr.position[2] for attr in here) + 7) // 8
            group = _GROUP_NAMES[here[0].access]
            block = int.from_bytes(cursor.take(size, "bit block", "%s bools and enums" % group), "big")
            for attr in sorted(here, key=lambda attr: attr.position[1]):
                _bit_row(cursor, attr, attr.position[1], block, _is_ignored(attr, flagged))
        else:
            size = here[0].position[2]
            _whole_row(cursor, here[0], _is_ignored(here[0], flagged))
        at = offset + size


def _is_ignored(attr: Attr, flagged: set[str] | None) -> str:
    return "" if flagged is None or attr.name in flagged else " (not flagged, ignored)"


def _bit_row(cursor: ByteCursor, attr: Attr, at: int, block: int, about: str = "") -> None:
    size = attr.position[2]
    where = "bit %d" % at if size == 1 else "bits %d-%d" % (at, at + size - 1)
    value = raw_text(attr, block >> at & (1 << size) - 1)
    cursor.note(where, "%s = %s%s" % (attr.name, value, about), 1)


def _whole_row(cursor: ByteCursor, attr: Attr, about: str = "") -> None:
    cursor.number(attr.position[2], attr.name, lambda raw: raw_text(attr, raw) + about)
