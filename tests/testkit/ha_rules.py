"""What Home Assistant takes in a device discovery config, as rules: one key too many and it refuses the whole device.

Read from the schemas of its MQTT integration: allowed and required keys, ranges, pairs of device and state class.
"""

import re
from typing import Any

_SHARED = {"p", "unique_id", "name", "value_template", "entity_category"}
_NUMERIC = {"device_class", "unit_of_measurement"}
# Platform -> (keys that must be there, keys that may).
_KEYS = {
    "switch": ({"command_topic", "payload_on", "payload_off", "state_on", "state_off"}, set()),
    "select": ({"command_topic", "command_template", "options"}, set()),
    "number": ({"command_topic", "command_template", "min", "max", "step"}, _NUMERIC),
    "text": ({"command_topic", "command_template", "max", "pattern"}, set()),
    "sensor": (set(), {*_NUMERIC, "state_class", "options"}),
    "binary_sensor": ({"payload_on", "payload_off"}, {"device_class"}),
}
_DEVICE = {"identifiers", "connections", "model", "name", "hw_version", "serial_number", "sw_version"}
_ROOT = {"dev", "o", "cmps", "state_topic", "availability_topic"}
# Device class -> its units.
_UNITS = {
    "temperature": {"°C", "°F"},
    "humidity": {"%"},
    "battery": {"%"},
    "power": {"W", "kW"},
    "energy": {"Wh", "kWh"},
    "voltage": {"V", "mV"},
    "current": {"A", "mA"},
    "frequency": {"Hz"},
    "pressure": {"Pa", "kPa", "bar"},
    "duration": {"s", "min", "h"},
    "illuminance": {"lx"},
}
_MAX_STATE = 255


def broken_rules(config: dict[str, Any]) -> list[str]:
    """Every rule that `config` breaks."""
    wrong = ["root: %s" % key for key in set(config) ^ _ROOT]
    wrong += ["dev: %s is unknown" % key for key in set(config["dev"]) - _DEVICE]
    if not config["dev"].get("identifiers"):
        wrong.append("dev: no identifiers")
    if set(config["o"]) != {"name", "sw_version"}:
        wrong.append("o: %s" % sorted(config["o"]))
    for name, component in config["cmps"].items():
        wrong += ["%s: %s" % (name, rule) for rule in _component(component)]
    ids = [component["unique_id"] for component in config["cmps"].values()]
    if len(set(ids)) < len(ids):
        wrong.append("unique ids are not unique")
    return wrong


def _component(component: dict[str, Any]) -> list[str]:
    needed, allowed = _KEYS[component["p"]]
    keys = set(component)
    wrong = ["%s is missing" % key for key in (needed | _SHARED - {"entity_category"}) - keys]
    wrong += ["%s is unknown" % key for key in keys - needed - allowed - _SHARED]
    return wrong + _RULES.get(component["p"], lambda c: [])(component) + _classes(component)


def _number(component: dict[str, Any]) -> list[str]:
    wrong = [] if component["min"] < component["max"] else ["max must be over min"]
    return wrong + ([] if component["step"] >= 0.001 else ["step under 0.001"])


def _options(component: dict[str, Any]) -> list[str]:
    options = component.get("options", [])
    return [] if options and len(set(options)) == len(options) else ["options must be there and unique"]


def _text(component: dict[str, Any]) -> list[str]:
    re.compile(component["pattern"])
    return [] if 0 < component["max"] <= _MAX_STATE else ["max must be 1 to 255"]


def _sensor(component: dict[str, Any]) -> list[str]:
    if component.get("device_class") == "enum":
        wrong = _options(component)
        return wrong + ["%s with enum" % key for key in ("state_class", "unit_of_measurement") if key in component]
    if "options" in component:
        return ["options without enum"]
    if component.get("device_class") == "energy" and component.get("state_class") == "measurement":
        return ["energy is no measurement"]
    return []


def _classes(component: dict[str, Any]) -> list[str]:
    device_class = component.get("device_class")
    if device_class in (None, "enum", "problem"):
        return []
    unit = component.get("unit_of_measurement")
    return [] if unit in _UNITS.get(device_class, set()) else ["%s in %s" % (device_class, unit)]


_RULES = {"number": _number, "select": _options, "text": _text, "sensor": _sensor}
