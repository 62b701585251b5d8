"""A product's datapoint definition, as GET /app/datapoint serves it: checked, and turned into `Attr` rows.

Serial manual, chapters 6.1 and 6.2. A definition's own positions win; where it has none, and to check it, they are
computed as the platform does. Whatever is wrong is one AttrError that names the attribute, or a LocalError.
"""

from .const import MAX_PAYLOAD
from .datapoint import ACCESS, DATA_TYPES, Attr, Scale, decimal
from .errors import AttrError, LocalError


def parse_definition(definition) -> tuple:
    """(product key, attrs in id order with their positions, whether it is of variable length)."""
    kind, rows = _rows(definition)
    attrs = sorted([_parse_attr(row) for row in rows], key=lambda attr: attr.id)
    names = set()
    for i, attr in enumerate(attrs):
        if attr.id != i:
            raise AttrError(attr.name, "has id %d, ids count from 0 without gaps" % attr.id)
        if attr.name in names:
            raise AttrError(attr.name, "is defined twice")
        names.add(attr.name)
    variable = kind == "var_len"
    if variable:
        # Such products have no places, only sizes.
        attrs = [_at(attr, (0, 0, attr.position[2])) for attr in attrs]
    else:
        computed = compute_positions(attrs)
        attrs = [new if attr.position[0] is None else attr for attr, new in zip(attrs, computed)]
        _check_overlaps(attrs)
    return definition.get("product_key", ""), attrs, variable


def compute_positions(attrs) -> list:
    """`attrs` of a fixed-length product, in id order, with the positions that the platform gives them."""
    out = list(attrs)
    offset = 0
    for access in ACCESS:
        bit = 0
        for packed in (True, False):
            for attr in attrs:
                if attr.access != access or (DATA_TYPES[attr.data_type] == 0) != packed:
                    continue
                size = attr.position[2]
                position = (offset, bit if packed else 0, size)
                out[attr.id] = _at(attr, position)
                if packed:
                    bit += size
                else:
                    offset += size
            if packed:
                offset += (bit + 7) // 8
    return out


def misplaced(attrs) -> list:
    """Names of the attrs whose position is not the one the platform would compute: worth a warning, no error."""
    return [attr.name for attr, new in zip(attrs, compute_positions(attrs)) if attr.position != new.position]


def _at(attr, position) -> Attr:
    return Attr(attr.id, attr.name, attr.access, attr.data_type, position, attr.spec)


def _check_overlaps(attrs):
    """Two attrs in the same bits, or a number inside a bit block, cannot both be told."""
    blocks = {}
    taken = {}
    for attr in attrs:
        offset, bit, size = attr.position
        if DATA_TYPES[attr.data_type] == 0:
            blocks[offset] = max(blocks.get(offset, 0), (bit + size + 7) // 8)
    for attr in attrs:
        offset, bit, size = attr.position
        packed = DATA_TYPES[attr.data_type] == 0
        # Bits count from the end of their block.
        first = 8 * (offset + blocks[offset]) - bit - size if packed else 8 * offset
        for place in range(first, first + (size if packed else 8 * size)):
            if place in taken:
                raise AttrError(attr.name, "has the position of %s" % taken[place])
            taken[place] = attr.name


def _rows(definition) -> tuple:
    """(protocolType, datapoint rows) of a definition; a product without datapoints is transparent."""
    if not isinstance(definition, dict):
        raise LocalError("a product definition is an object with product_key and entities")
    kind = definition.get("protocolType")
    entities = definition.get("entities") or [{}]
    if not isinstance(entities, list) or not isinstance(entities[0], dict):
        raise LocalError("entities is a list with one object, which holds attrs")
    rows = entities[0].get("attrs") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LocalError("attrs is a list of objects, one for each datapoint")
    return kind, [] if kind == "custom" else rows


def _parse_attr(row) -> Attr:
    """One row of a definition; a missing position leaves its offsets None."""
    name = row.get("name")
    if not isinstance(name, str) or not name:
        raise LocalError("a datapoint without a name: id %s" % row.get("id"))
    if not isinstance(row.get("id"), int):
        raise AttrError(name, "has no id")
    access = row.get("type")
    if not isinstance(access, str) or access not in ACCESS:
        raise AttrError(name, "has type %s, expected one of %s" % (access, ", ".join(ACCESS)))
    data_type = row.get("data_type")
    if not isinstance(data_type, str) or data_type not in DATA_TYPES:
        raise AttrError(name, "has data_type %s, expected one of %s" % (data_type, ", ".join(sorted(DATA_TYPES))))
    spec, size = _parse_spec(name, data_type, row)
    return Attr(row["id"], name, access, data_type, _parse_position(name, data_type, spec, size, row), spec)


def _parse_spec(name, data_type, row) -> tuple:
    """(labels or Scale or None, size in bits or bytes; None: only the position says it)."""
    if data_type == "bool":
        return None, 1
    if data_type == "binary":
        return None, None
    if data_type == "enum":
        labels = row.get("enum") or []
        if not isinstance(labels, list):
            raise AttrError(name, "has an enum that is no list of labels")
        return tuple([str(label) for label in labels]), _bits_for(len(labels))
    size = DATA_TYPES[data_type]
    return _parse_scale(name, row.get("uint_spec") or {}, size), size


def _parse_position(name, data_type, spec, size, row) -> tuple:
    """(byte offset, bit offset, size); the offsets are None where the definition has no position."""
    position = row.get("position")
    if position is None:
        if size is None:
            raise AttrError(name, "is binary without a position: its length is unknown")
        return None, None, size
    if not isinstance(position, dict):
        raise AttrError(name, "has a position that is no object")
    for key, low in (("byte_offset", 0), ("bit_offset", 0), ("len", 1)):
        if not isinstance(position.get(key), int) or not low <= position[key] < 8 * MAX_PAYLOAD:
            raise AttrError(name, "has position %s = %s" % (key, position.get(key)))
    length = position["len"]
    if data_type == "enum" and length < size:
        raise AttrError(name, "has position len = %d, %d labels take %d" % (length, len(spec), size))
    if data_type not in ("enum", "binary") and length != size:
        raise AttrError(name, "has position len = %d, %s takes %d" % (length, data_type, size))
    return position["byte_offset"], position["bit_offset"], length


def _bits_for(labels) -> int:
    bits = 1
    while labels > 1 << bits:
        bits += 1
    return bits


def _parse_scale(name, row, size) -> Scale:
    if not isinstance(row, dict):
        raise AttrError(name, "has a uint_spec that is no object")
    ratio, ratio_unit = decimal(name, row.get("ratio", 1))
    addition, addition_unit = decimal(name, row.get("addition", 0))
    unit = max(ratio_unit, addition_unit)
    if not ratio:
        raise AttrError(name, "has ratio 0")
    top = (1 << 8 * size) - 1
    low, high = row.get("min", 0), row.get("max", top)
    for limit in (low, high):
        # The remainder also tells inf and nan, which JSON readers let through.
        if not isinstance(limit, (int, float)) or limit % 1 != 0:
            raise AttrError(name, "has the limit %s, a whole raw value expected" % (limit,))
    # A raw value is what fits in its bytes, whatever the definition says.
    low, high = [min(max(int(limit), 0), top) for limit in (low, high)]
    return Scale(low, high, ratio * (unit // ratio_unit), addition * (unit // addition_unit), unit)
