"""A datapoint definition becomes a Home Assistant device: each attribute on the right platform, nothing refused."""

import json

import pytest
from gagent_linux.definition_store import parse_definition
from gagent_linux.ha_discovery import Device, Topics, config_topic, device_config, platforms, without
from hypothesis import given
from hypothesis import strategies as st
from testkit.ha_rules import broken_rules
from testkit.repository import ROOT

DEVICE = Device("pump", "A0B1C2D3E4F5", "01000001", "02000003", "1.2.3")
TOPICS = Topics("gagent/pump/state", "gagent/pump/set", "gagent/pump/availability")
HEATPUMP = (ROOT / "tools" / "demo" / "heatpump.json").read_bytes()


def config_of(*rows, device=DEVICE):
    """The config of a product of these datapoints; ids are given here."""
    attrs = [{"id": i, **row} for i, row in enumerate(rows)]
    definition = {"name": "Thing", "product_key": "ab" * 16, "entities": [{"attrs": attrs}]}
    return device_config(parse_definition(json.dumps(definition).encode()), device, TOPICS)


def component_of(**row):
    """The one component of a product of one datapoint, without what all have."""
    row = {"name": "x", "type": "status_readonly", **row}
    component = config_of(row)["cmps"][row["name"]]
    assert component.pop("unique_id") == "A0B1C2D3E4F5_" + row["name"]
    component.pop("name")
    return component


PLAIN = '{{ value_json["x"] | default(none) }}'
LABEL = '{{ value_json["x"] if value_json["x"] is string else none }}'
W = "status_writable"
SET = "gagent/pump/set"
# What a row of a definition is -> the component it becomes.
TABLE = {
    "writable bool is a switch": (
        {"type": W, "data_type": "bool"},
        {
            "p": "switch",
            "payload_on": '{"x": true}',
            "payload_off": '{"x": false}',
            "state_on": "True",
            "state_off": "False",
            "command_topic": SET,
            "value_template": PLAIN,
        },
    ),
    "writable enum is a select": (
        {"type": W, "data_type": "enum", "enum": ["a", "b"]},
        {
            "p": "select",
            "options": ["a", "b"],
            "command_topic": SET,
            "command_template": '{"x": {{ value | tojson }}}',
            "value_template": LABEL,
        },
    ),
    "writable number is a number in shown units": (
        {"type": W, "data_type": "uint8", "uint_spec": {"min": 0, "max": 150, "ratio": 0.5, "addition": -10}},
        {
            "p": "number",
            "min": -10.0,
            "max": 65.0,
            "step": 0.5,
            "command_topic": SET,
            "command_template": '{"x": {{ value }}}',
            "value_template": PLAIN,
        },
    ),
    "writable binary is a text of hex": (
        {"type": W, "data_type": "binary", "position": {"byte_offset": 0, "bit_offset": 0, "len": 7}},
        {
            "p": "text",
            "max": 14,
            "pattern": "([0-9A-Fa-f]{2}){0,7}",
            "command_topic": SET,
            "command_template": '{"x": {{ value | tojson }}}',
            "value_template": PLAIN,
        },
    ),
    "read-only bool is a binary sensor": (
        {"data_type": "bool"},
        {"p": "binary_sensor", "payload_on": "True", "payload_off": "False", "value_template": PLAIN},
    ),
    "alert is a problem": (
        {"type": "alert", "data_type": "bool"},
        {
            "p": "binary_sensor",
            "payload_on": "True",
            "payload_off": "False",
            "device_class": "problem",
            "value_template": PLAIN,
        },
    ),
    "fault is a problem and diagnostic": (
        {"type": "fault", "data_type": "bool"},
        {
            "p": "binary_sensor",
            "payload_on": "True",
            "payload_off": "False",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "value_template": PLAIN,
        },
    ),
    "read-only number is a measurement": (
        {"data_type": "uint16"},
        {"p": "sensor", "state_class": "measurement", "value_template": PLAIN},
    ),
    "read-only enum is a sensor with options": (
        {"data_type": "enum", "enum": ["a", "b", "a"]},
        {"p": "sensor", "device_class": "enum", "options": ["a", "b"], "value_template": LABEL},
    ),
    "read-only binary is a sensor as long as a state may be": (
        {"data_type": "binary", "position": {"byte_offset": 0, "bit_offset": 0, "len": 300}},
        {"p": "sensor", "value_template": '{{ (value_json["x"] | default(none) | string)[:255] }}'},
    ),
    "binary too long for a text is a sensor": (
        {"type": W, "data_type": "binary", "position": {"byte_offset": 0, "bit_offset": 0, "len": 128}},
        {"p": "sensor", "value_template": '{{ (value_json["x"] | default(none) | string)[:255] }}'},
    ),
    "number with one value is a sensor": (
        {"type": W, "data_type": "uint8", "uint_spec": {"min": 5, "max": 5}},
        {"p": "sensor", "state_class": "measurement", "value_template": PLAIN},
    ),
    "enum without labels is a sensor": (
        {"type": W, "data_type": "enum", "enum": []},
        {"p": "sensor", "value_template": PLAIN},
    ),
    "falling scale has its limits in order": (
        {"type": W, "data_type": "uint8", "uint_spec": {"min": 0, "max": 10, "ratio": -0.0001, "addition": 0}},
        {
            "p": "number",
            "min": -0.001,
            "max": 0.0,
            "step": 0.001,
            "command_topic": SET,
            "command_template": '{"x": {{ value }}}',
            "value_template": PLAIN,
        },
    ),
}


@pytest.mark.parametrize(("row", "component"), TABLE.values(), ids=TABLE)
def test_access_and_type_say_the_platform(row, component):
    assert component_of(**row) == component


@pytest.mark.parametrize("row", [row for row, _ in TABLE.values()], ids=TABLE)
def test_no_kind_of_attribute_breaks_a_rule_of_home_assistant(row):
    assert broken_rules(config_of({"name": "x", "type": "status_readonly", **row})) == []


# Name, unit of the definition -> unit, device class, state class.
MEANINGS = [
    ("room_temp", None, ("°C", "temperature", "measurement")),
    ("roomTemp", None, ("°C", "temperature", "measurement")),
    ("Room_TEMPERATURE", None, ("°C", "temperature", "measurement")),
    ("temporary", None, (None, None, "measurement")),
    ("room_temp", "℉", ("°F", "temperature", "measurement")),
    ("air_humidity", None, ("%", "humidity", "measurement")),
    ("water_current", None, (None, None, "measurement")),
    ("total_kwh", None, ("kWh", "energy", "total_increasing")),
    ("x", "kWh", ("kWh", "energy", "total_increasing")),
    ("x", "W", ("W", "power", "measurement")),
    ("x", "%", ("%", None, "measurement")),
    ("x", "bottles", ("bottles", None, "measurement")),
    ("温度", None, (None, None, "measurement")),
]


@pytest.mark.parametrize(("name", "unit", "meaning"), MEANINGS)
def test_what_a_number_measures_comes_from_its_unit_or_the_end_of_its_name(name, unit, meaning):
    row = {"name": name, "data_type": "uint32"} | ({"unit": unit} if unit else {})
    component = component_of(**row)
    assert tuple(component.get(key) for key in ("unit_of_measurement", "device_class", "state_class")) == meaning


def test_a_number_that_can_be_set_has_a_unit_but_no_state_class():
    component = component_of(name="target_temp", type=W, data_type="uint8")
    assert (component["unit_of_measurement"], component["device_class"]) == ("°C", "temperature")
    assert "state_class" not in component


def test_the_heat_pump_is_a_device_that_home_assistant_takes():
    config = device_config(parse_definition(HEATPUMP), DEVICE, TOPICS)
    assert broken_rules(config) == []
    assert config["dev"] == {
        "identifiers": ["gagent_A0B1C2D3E4F5"],
        "connections": [["mac", "a0:b1:c2:d3:e4:f5"]],
        "name": "pump",
        "model": "Demo heat pump",
        "serial_number": "A0B1C2D3E4F5",
        "hw_version": "01000001",
        "sw_version": "02000003",
    }
    assert config["o"] == {"name": "gagent", "sw_version": "1.2.3"}
    assert (config["state_topic"], config["availability_topic"]) == (TOPICS.state, TOPICS.availability)
    assert config["cmps"]["target_temp"]["name"] == "Target temperature"
    assert len(config["cmps"]) == 22


def test_an_imei_is_no_mac_connection():
    config = config_of({"name": "x", "type": W, "data_type": "bool"}, device=DEVICE._replace(mac="867530912345678"))
    assert "connections" not in config["dev"]
    assert broken_rules(config) == []


def test_the_config_goes_to_the_devices_own_topic():
    assert config_topic("homeassistant", "A0") == "homeassistant/device/gagent_A0/config"


def test_a_component_that_is_gone_is_named_with_its_platform_alone():
    config = config_of({"name": "x", "type": W, "data_type": "bool"})
    smaller = without(config, {"y": "sensor", "x": "select"})
    assert smaller["cmps"] == {"x": {"p": "select"}, "y": {"p": "sensor"}}
    assert platforms(config) == {"x": "switch"}
    assert config["cmps"]["x"]["p"] == "switch"


def test_an_attribute_called_timestamp_does_not_hide_the_time():
    assert component_of(name="timestamp", data_type="uint32")["value_template"].count('"timestamp_"') == 1


def test_marks_of_the_template_language_in_a_name_are_not_taken_for_templates():
    template = component_of(name="{{x}} {%", type=W, data_type="uint8")["command_template"]
    name, _, rest = template.partition(": ")
    assert rest == "{{ value }}}"
    assert not set(name[1:]) & set("{}%#")
    assert json.loads(name[1:]) == "{{x}} {%"


NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name.isprintable())
ROWS = st.fixed_dictionaries(
    {"name": NAMES, "type": st.sampled_from(["status_writable", "status_readonly", "alert", "fault"])}
)
KINDS = st.one_of(
    st.fixed_dictionaries({"data_type": st.just("bool")}),
    st.fixed_dictionaries({"data_type": st.just("enum"), "enum": st.lists(st.text(max_size=5), max_size=9)}),
    st.fixed_dictionaries(
        {
            "data_type": st.sampled_from(["uint8", "uint16", "uint32"]),
            "uint_spec": st.fixed_dictionaries(
                {
                    "min": st.integers(0, 9),
                    "max": st.integers(0, 255),
                    "ratio": st.sampled_from([1, 0.1, 0.0005, -2]),
                    "addition": st.sampled_from([0, -40, 0.25]),
                    "unit": st.sampled_from(["", "℃", "W", "%", "x"]),
                }
            ),
        }
    ),
)


@given(st.lists(st.builds(lambda row, kind: {**row, **kind}, ROWS, KINDS), max_size=12, unique_by=lambda r: r["name"]))
def test_no_product_breaks_a_rule_of_home_assistant(rows):
    assert broken_rules(config_of(*rows)) == []
