"""What the bridge reads and keeps: settings, definitions, and the note of what was left with the broker."""

import json
import stat

import pytest
from gagent_linux.announcements import Announcement, Announcements
from gagent_linux.definition_store import DefinitionError, DefinitionStore, load_definition, parse_definition
from gagent_linux.settings import BridgeSettings, SettingsError, load_settings, make_settings
from gagent_linux.tls import TlsSettings
from testkit.repository import ROOT

HEATPUMP = (ROOT / "tools" / "demo" / "heatpump.json").read_bytes()
KEY = json.loads(HEATPUMP)["product_key"]
PORT = "[[port]]\nport = '/dev/a'\n"


def write(folder, text):
    path = folder / "gagent.toml"
    path.write_text(text)
    return str(path)


def test_the_bridge_has_its_table(tmp_path):
    (tmp_path / "heatpump.json").write_bytes(HEATPUMP)
    (tmp_path / "password").write_text("s3cret\n")
    text = """\
uplink = "none"
[bridge]
host = "broker.home"
port = 8883
username = "gagent"
password_file = "password"
topic = "house/gagent"
discovery = ""
app_id = "abc123"
[bridge.tls]
[[port]]
port = "/dev/a"
product = "heatpump.json"
[[port]]
port = "/dev/b"
uplink = "cloud"
"""
    settings = load_settings(write(tmp_path, text))
    assert settings.bridge == BridgeSettings(
        "broker.home", 8883, "gagent", "s3cret", "house/gagent", "", "abc123", TlsSettings()
    )
    assert [port.uplink for port in settings.ports] == ["none", "cloud"]
    assert settings.ports[0].definition == HEATPUMP
    assert settings.ports[0].product == str(tmp_path / "heatpump.json")
    assert "s3cret" not in repr(settings)


def test_without_the_table_there_is_no_bridge(tmp_path):
    settings = load_settings(write(tmp_path, PORT))
    assert settings.bridge is None
    assert settings.ports[0].uplink == "cloud"


def test_a_host_is_enough(tmp_path):
    assert load_settings(write(tmp_path, "[bridge]\nhost = 'x'\n" + PORT)).bridge == BridgeSettings("x")


def test_a_port_of_the_flags_has_the_uplink_of_the_file(tmp_path):
    path = write(tmp_path, "uplink = 'none'\n[bridge]\nhost = 'x'\n" + PORT)
    assert make_settings(path, {"port": "/dev/b"}).ports[0].uplink == "none"


# file text, line of the error, words that must be in it
BAD = [
    ("[bridge]\nport = 1883\n" + PORT, 1, ["[bridge]", "no key host"]),
    ("bridge = 5\n" + PORT, 1, ["bridge", "expected a table"]),
    ("[bridge]\nhost = 'a b'\n" + PORT, 2, ["host", "a b", "name or address"]),
    ("[bridge]\nhost = 'a'\nport = 0\n" + PORT, 3, ["port", "0", "65535"]),
    ("[bridge]\nhost = 'a'\nhots = 1\n" + PORT, 3, ["hots", "unknown key", "password_file"]),
    ("[bridge]\nhost = 'a'\ntopic = 'a/+/b'\n" + PORT, 3, ["topic", "a/+/b", "levels"]),
    ("[bridge]\nhost = 'a'\ntopic = ''\n" + PORT, 3, ["topic", "levels"]),
    ("[bridge]\nhost = 'a'\ndiscovery = '#'\n" + PORT, 3, ["discovery", "levels"]),
    ("[bridge]\nhost = 'a'\napp_id = '?'\n" + PORT, 3, ["app_id", "letters and digits"]),
    ("[bridge]\nhost = 'a'\npassword_file = 'nosuch'\n" + PORT, 3, ["password_file", "nosuch", "No such file"]),
    ("[bridge]\nhost = 'a'\n[bridge.tls]\nca = 'nosuch'\n" + PORT, 4, ["ca", "nosuch"]),
    ("[bridge]\nhost = 'a'\n[bridge.tls]\ncaa = 'nosuch'\n" + PORT, 4, ["caa", "unknown key"]),
    ("uplink = 'maybe'\n" + PORT, 1, ["uplink", "maybe", "cloud, none"]),
    ("uplink = 'none'\n" + PORT, 1, ["uplink", "[bridge]"]),
    (PORT + "uplink = 'none'\n", 3, ["uplink", "[bridge]"]),
    (PORT + "product = 'nosuch.json'\n", 3, ["product", "nosuch.json", "cannot be read"]),
    (PORT + "product = 'bad.json'\n", 3, ["product", "attribute mode", "has no id"]),
]


@pytest.mark.parametrize(("text", "line", "words"), BAD)
def test_a_refusal_names_line_key_and_what_is_allowed(tmp_path, text, line, words):
    definition = json.loads(HEATPUMP)
    del definition["entities"][0]["attrs"][4]["id"]
    (tmp_path / "bad.json").write_text(json.dumps(definition))
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text))
    message = str(caught.value)
    assert "gagent.toml:%d:" % line in message
    assert [word for word in words if word not in message] == []


# Bytes of a definition -> words of the refusal.
BAD_DEFINITIONS = [
    (b"", "not JSON"),
    (b"[" * 100000, "not JSON"),
    (b"[]", "a product definition is an object"),
    (b'{"entities": 5}', "entities is a list"),
    (b'{"entities": [{"attrs": [{"id": 0}]}]}', "without a name"),
    (b'{"product_key": 5}', "product_key is no text"),
    (
        b'{"entities": [{"attrs": [{"id": 0, "name": "a", "type": "x", "data_type": "bool"}]}]}',
        "attribute a: has type x",
    ),
    (b" " * (1 << 20) + b"{}", "longer than"),
]


@pytest.mark.parametrize(("data", "words"), BAD_DEFINITIONS, ids=lambda value: str(value[:20]))
def test_a_bad_definition_says_what_is_wrong(data, words):
    with pytest.raises(DefinitionError, match=words):
        parse_definition(data)


def test_a_definition_has_titles_and_units():
    row = {"id": 0, "name": "t", "type": "alert", "data_type": "uint8", "display_name": " T ", "unit": "℃"}
    other = {"id": 1, "name": "u", "type": "alert", "data_type": "uint8", "display_name": 5, "uint_spec": {"unit": "W"}}
    definition = parse_definition(json.dumps({"entities": [{"attrs": [row, other]}]}).encode())
    assert definition.titles == {"t": "T", "u": ""}
    assert definition.units == {"t": "℃", "u": "W"}
    assert definition.name == ""


def test_a_definition_is_kept_for_its_user_only_and_found_again(tmp_path):
    store = DefinitionStore(str(tmp_path))
    assert store.load(KEY) is None
    store.keep(KEY, HEATPUMP)
    kept = store.load(KEY)
    assert kept is not None
    assert kept.source == HEATPUMP
    path = tmp_path / "definitions" / (KEY + ".json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("{")
    assert store.load(KEY) is None


@pytest.mark.parametrize("key", ["../x", "", "a/b", "ab" * 40])
def test_a_product_key_that_is_no_file_name_is_never_one(tmp_path, key):
    store = DefinitionStore(str(tmp_path / "state"))
    assert store.load(key) is None
    with pytest.raises(DefinitionError, match="product key"):
        store.keep(key, b"{}")
    assert list(tmp_path.iterdir()) == []


def test_a_definition_of_another_product_is_not_kept(tmp_path):
    with pytest.raises(DefinitionError, match="it is of product key " + KEY):
        DefinitionStore(str(tmp_path)).keep("ab" * 16, HEATPUMP)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "definitions").write_text("a file")
    with pytest.raises(DefinitionError, match="cannot be kept in"):
        DefinitionStore(str(tmp_path)).keep(KEY, HEATPUMP)


def test_a_file_that_is_not_there_is_a_bad_definition():
    with pytest.raises(DefinitionError, match="cannot be read: No such file"):
        load_definition("/nosuch.json")


LEFT = Announcement("pk", ("a/config", "a/state"), "a/config", {"power": "switch"})


def test_what_was_left_with_the_broker_is_known_after_a_restart(tmp_path):
    first = Announcements(str(tmp_path))
    first.load()
    first.note("pump", LEFT)
    second = Announcements(str(tmp_path))
    second.load()
    assert second.of("pump") == LEFT
    assert second.topics() == {"a/config", "a/state"}
    second.forget("pump")
    third = Announcements(str(tmp_path))
    third.load()
    assert third.names() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1, "announced": {"x": {}}}', "5"])
def test_a_damaged_note_is_as_good_as_none(tmp_path, text):
    (tmp_path / "bridge").mkdir()
    (tmp_path / "bridge" / "announced.json").write_text(text)
    announcements = Announcements(str(tmp_path))
    announcements.load()
    assert announcements.names() == []
    announcements.note("pump", LEFT)
    assert announcements.of("pump") == LEFT
