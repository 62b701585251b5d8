"""A product as one Home Assistant device: the config of MQTT device discovery, built from the datapoint definition.

    homeassistant/device/gagent_<mac>/config   {"dev": {...}, "o": {...}, "cmps": {attribute: {"p": platform, ...}}}

Everything is read from one state topic and set through one set topic, both JSON; templates pick the attribute. Home
Assistant refuses a whole device for one key or range that it does not take: what it would refuse becomes a sensor.
Pure: definition in, dict out.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from mcu_proto.datapoint import WRITABLE, Attr

from .definition_store import Definition
from .ha_meaning import meaning_of
from .home_message import state_key

# Home Assistant keeps no state that is longer.
_MAX_STATE = 255
_MIN_STEP = 0.001

Config = dict[str, Any]


class Device(NamedTuple):
    """The module and its MCU, as far as Home Assistant shows them."""

    name: str
    mac: str
    mcu_hard_ver: str
    mcu_soft_ver: str
    gagent_version: str


class Topics(NamedTuple):
    """Where the device is heard and told."""

    state: str
    set: str
    availability: str


def config_topic(prefix: str, mac: str) -> str:
    """Where the config of the module `mac` goes under Home Assistant's `prefix`."""
    return "%s/device/gagent_%s/config" % (prefix, mac)


def device_config(definition: Definition, device: Device, topics: Topics) -> Config:
    """The config of the whole device."""
    return {
        "dev": _device_block(definition, device),
        "o": {"name": "gagent", "sw_version": device.gagent_version},
        "cmps": {attr.name: _component(attr, definition, device.mac, topics) for attr in definition.schema.attrs},
        "state_topic": topics.state,
        "availability_topic": topics.availability,
    }


def platforms(config: Config) -> dict[str, str]:
    """Attribute -> platform of a config: what must be known to take an attribute away again."""
    return {name: component["p"] for name, component in config["cmps"].items()}


def without(config: Config, gone: dict[str, str]) -> Config:
    """`config` that takes away the components `gone` (attribute -> platform); to be followed by `config` itself."""
    return config | {"cmps": config["cmps"] | {name: {"p": platform} for name, platform in gone.items()}}


def _device_block(definition: Definition, device: Device) -> Config:
    block: Config = {
        "identifiers": ["gagent_" + device.mac],
        "name": device.name,
        "model": definition.name or definition.schema.product_key,
        "serial_number": device.mac,
        "hw_version": device.mcu_hard_ver,
        "sw_version": device.mcu_soft_ver,
    }
    mac = device.mac.lower()
    if len(mac) == 12 and all(c in "0123456789abcdef" for c in mac):
        block["connections"] = [["mac", ":".join(mac[i : i + 2] for i in range(0, 12, 2))]]
    return {key: value for key, value in block.items() if value}


def _component(attr: Attr, definition: Definition, mac: str, topics: Topics) -> Config:
    component = _PLATFORMS[_kind(attr)](attr, definition.units.get(attr.name, ""))
    component["unique_id"] = "%s_%s" % (mac, attr.name)
    component["name"] = definition.titles.get(attr.name) or attr.name
    component.setdefault("value_template", "{{ %s | default(none) }}" % _value(attr))
    if component["p"] in _SETTING:
        component["command_topic"] = topics.set
    if attr.access == "fault":
        component["entity_category"] = "diagnostic"
    return component


# Which platform: by access and type; what a platform cannot hold is a sensor.


def _kind(attr: Attr) -> tuple[str, bool]:
    kind = _KINDS[attr.data_type]
    return kind, attr.access == WRITABLE and _FITS[kind](attr)


def _has_range(attr: Attr) -> bool:
    return attr.spec.low < attr.spec.high


def _is_short(attr: Attr) -> bool:
    return 2 * attr.position[2] <= _MAX_STATE


_KINDS = {"bool": "bool", "enum": "enum", "uint8": "number", "uint16": "number", "uint32": "number", "binary": "binary"}
_FITS: dict[str, Callable[[Attr], bool]] = {
    "bool": lambda attr: True,
    "enum": lambda attr: bool(attr.spec),
    "number": _has_range,
    "binary": _is_short,
}


def _switch(attr: Attr, unit: str) -> Config:
    return {
        "p": "switch",
        "payload_on": json.dumps({attr.name: True}),
        "payload_off": json.dumps({attr.name: False}),
        "state_on": "True",
        "state_off": "False",
    }


def _binary_sensor(attr: Attr, unit: str) -> Config:
    component = {"p": "binary_sensor", "payload_on": "True", "payload_off": "False"}
    if attr.access in ("alert", "fault"):
        component["device_class"] = "problem"
    return component


def _select(attr: Attr, unit: str) -> Config:
    return {
        "p": "select",
        "options": list(dict.fromkeys(attr.spec)),
        "value_template": _label(attr),
        "command_template": _command(attr, "value | tojson"),
    }


def _enum_sensor(attr: Attr, unit: str) -> Config:
    if not attr.spec:
        return {"p": "sensor"}
    return {
        "p": "sensor",
        "device_class": "enum",
        "options": list(dict.fromkeys(attr.spec)),
        "value_template": _label(attr),
    }


def _number(attr: Attr, unit: str) -> Config:
    scale = attr.spec
    limits = sorted((raw * scale.ratio + scale.addition) / scale.unit for raw in (scale.low, scale.high))
    component = {
        "p": "number",
        "min": limits[0],
        "max": limits[1],
        "step": max(abs(scale.ratio) / scale.unit, _MIN_STEP),
        "command_template": _command(attr, "value"),
    }
    meaning = meaning_of(attr.name, unit)
    return component | _filled(unit_of_measurement=meaning.unit, device_class=meaning.device_class)


def _number_sensor(attr: Attr, unit: str) -> Config:
    meaning = meaning_of(attr.name, unit)
    return {"p": "sensor", "state_class": meaning.state_class} | _filled(
        unit_of_measurement=meaning.unit, device_class=meaning.device_class
    )


def _text(attr: Attr, unit: str) -> Config:
    size = attr.position[2]
    return {
        "p": "text",
        "max": 2 * size,
        "pattern": "([0-9A-Fa-f]{2}){0,%d}" % size,
        "command_template": _command(attr, "value | tojson"),
    }


def _hex_sensor(attr: Attr, unit: str) -> Config:
    return {"p": "sensor", "value_template": "{{ (%s | default(none) | string)[:%d] }}" % (_value(attr), _MAX_STATE)}


_SETTING = ("switch", "select", "number", "text")
# (kind of data, whether it can be set) -> the component.
_PLATFORMS: dict[tuple[str, bool], Callable[[Attr, str], Config]] = {
    ("bool", True): _switch,
    ("bool", False): _binary_sensor,
    ("enum", True): _select,
    ("enum", False): _enum_sensor,
    ("number", True): _number,
    ("number", False): _number_sensor,
    ("binary", True): _text,
    ("binary", False): _hex_sensor,
}


def _filled(**values: str) -> Config:
    return {key: value for key, value in values.items() if value}


# Templates. A name may hold anything, so it is written as a JSON text, which the template language reads as its own.


def _value(attr: Attr) -> str:
    return "value_json[%s]" % json.dumps(state_key(attr.name), ensure_ascii=False)


def _label(attr: Attr) -> str:
    # An index beyond the labels is a number, and Home Assistant complains of every option that it does not know.
    return "{{ %s if %s is string else none }}" % (_value(attr), _value(attr))


def _command(attr: Attr, value: str) -> str:
    name = json.dumps(attr.name)
    for mark in "{}%#":  # as they stand they would be the template language's
        name = name.replace(mark, "\\u%04x" % ord(mark))
    return "{%s: {{ %s }}}" % (name, value)
