"""One raw number of P0 as people read it: its value, where it comes from, and whether the product allows it."""

from mcu_proto.datapoint import Attr, Scale

# The unit of a number whose definition names none, by the last word of its name: what nobody would take for another.
_NAME_UNITS = {
    "temp": "°C",
    "temperature": "°C",
    "humidity": "%",
    "battery": "%",
    "voltage": "V",
    "hz": "Hz",
    "kwh": "kWh",
}


def raw_text(attr: Attr, raw: int) -> str:
    """The value, with the raw number where it is another, and a word when it is out of range."""
    if attr.data_type == "bool":
        return "true" if raw else "false"
    if attr.data_type == "enum":
        return "%s (%d)" % (attr.spec[raw], raw) if raw < len(attr.spec) else "%d, which has no label" % raw
    if not isinstance(attr.spec, Scale):
        return "as it stands"
    scale = attr.spec
    number = "%.10g" % ((raw * scale.ratio + scale.addition) / scale.unit)
    text = number if number == str(raw) else "%s (raw %d)" % (number, raw)
    return text if scale.low <= raw <= scale.high else text + ", out of range"


def units_of(definition: dict) -> dict[str, str]:
    """{name: unit} of the numeric attributes that have one: what the definition says, else what the name does."""
    entities = definition.get("entities") or [{}]
    units = {}
    for row in entities[0].get("attrs") or []:
        if str(row.get("data_type", "")).startswith("uint"):
            spec = row.get("uint_spec") or {}
            unit = row.get("unit") or spec.get("unit") or _NAME_UNITS.get(row["name"].lower().rsplit("_", 1)[-1], "")
            if unit:
                units[row["name"]] = str(unit)[:12]
    return units


def shown(attr: Attr, raw: int) -> object:
    """The value that a raw number of this attribute stands for."""
    if attr.data_type == "bool":
        return bool(raw)
    if attr.data_type == "enum":
        return attr.spec[raw] if raw < len(attr.spec) else raw
    if attr.data_type == "binary":
        return raw.to_bytes(attr.position[2], "big")
    value = (raw * attr.spec.ratio + attr.spec.addition) / attr.spec.unit
    return int(value) if value == int(value) else value


def limits(attr: Attr) -> tuple[int, int]:
    """(least, greatest) raw number of this attribute."""
    if attr.data_type == "bool":
        return 0, 1
    if attr.data_type == "enum":
        return 0, max(len(attr.spec) - 1, 0)
    if attr.data_type == "binary":
        return 0, (1 << 8 * attr.position[2]) - 1
    return attr.spec.low, attr.spec.high
