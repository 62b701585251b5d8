"""Settings of the Linux port: what is accepted, and that every refusal names place, key, value and what is allowed."""

import pathlib

import pytest
from gagent_linux.__main__ import main
from gagent_linux.settings import PortSettings, SettingsError, default_name, load_settings, make_settings
from testkit.repository import ROOT

GOOD = """\
# the house
api = "http://10.0.0.2:8080/"
state = "/var/lib/house"
tz_minutes = 60

[[port]]
port = "/dev/ttyUSB0"

[[port]]
name = "pump"
port = "socket://10.0.0.9:4001"
baud = 115200
mac = "AABBCCDDEEFF"
"""

# file text, line of the error, words that must be in it
BAD = [
    ('api = "ftp://x"\n[[port]]\nport = "/dev/a"', 1, ["api", "ftp://x", "http://host"]),
    ('api = "http://x:99999"\n[[port]]\nport = "/dev/a"', 1, ["api", "99999", "http://host"]),
    ('api = "http://x/dev"\n[[port]]\nport = "/dev/a"', 1, ["api", "without a path"]),
    ("api = 8080\n[[port]]\nport = '/dev/a'", 1, ["api", "8080", "a text"]),
    ("\n\ntz_minutes = 900\n[[port]]\nport = '/dev/a'", 3, ["tz_minutes", "900", "840"]),
    ("tz_minutes = true\n[[port]]\nport = '/dev/a'", 1, ["tz_minutes", "True", "840"]),
    ("state = ''\n[[port]]\nport = '/dev/a'", 1, ["state", "directory"]),
    ("colour = 1\n[[port]]\nport = '/dev/a'", 1, ["colour", "unknown key", "api", "[[port]]"]),
    ("[[port]]\nport = '/dev/a'\n[mqtt]\nhost = 'x'", 3, ["mqtt", "unknown key", "api"]),
    ("[[port]]\nport = '/dev/a'\n\n[[port]]\nport = '/dev/b'\nbaud = 12", 6, ["baud", "12", "300"]),
    ("[[port]]\nport = '/dev/a'\nbaud = '9600'", 3, ["baud", "'9600'", "300"]),
    ("[[port]]\nport = '/dev/a'\nspeed = 9600", 3, ["speed", "unknown key", "baud"]),
    ("[[port]]\nport = '/dev/a'\n\n[[port]]\nbaud = 9600", 4, ["no key port", "/dev/ttyUSB0"]),
    ("[[port]]\nport = 'nosuch://x'", 2, ["port", "nosuch", "rfc2217"]),
    ("[[port]]\nport = '/dev/a'\nname = '../etc'", 3, ["name", "../etc", "letters"]),
    ("[[port]]\nport = '/dev/a'\nmac = 'AA:BB:CC:DD:EE:FF'", 3, ["mac", "12 hex digits"]),
    ("[[port]]\nport = '/dev/a'\n[[port]]\nport = '/dev/a'\nname = 'b'", 4, ["port", "/dev/a", "port 1 has it"]),
    ("[[port]]\nport = '/dev/a'\nname = 'n'\n[[port]]\nport = '/dev/b'\nname = 'n'", 6, ["name", "port 1 has it"]),
    ("[[port]]\nport = '/dev/a'\nbaud = = 3", 3, ["not TOML"]),
]


def write(folder: pathlib.Path, text: str) -> str:
    path = folder / "gagent.toml"
    path.write_text(text)
    return str(path)


def test_a_file_gives_every_value_and_the_defaults(tmp_path):
    settings = load_settings(write(tmp_path, GOOD))
    assert (settings.api, settings.state, settings.tz_minutes) == ("http://10.0.0.2:8080", "/var/lib/house", 60)
    assert settings.ports == (
        PortSettings("ttyUSB0", "/dev/ttyUSB0", 9600, ""),
        PortSettings("pump", "socket://10.0.0.9:4001", 115200, "AABBCCDDEEFF"),
    )


@pytest.mark.parametrize(("text", "line", "words"), BAD)
def test_a_refusal_names_line_key_value_and_what_is_allowed(tmp_path, text, line, words):
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text))
    message = str(caught.value)
    assert ("gagent.toml:%d:" % line in message) or ("line %d," % line in message)
    assert [word for word in words if word not in message] == []
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "api = 'http://x'", "port = '/dev/a'", "[port]\nport = '/dev/a'"])
def test_a_file_without_ports_is_refused(tmp_path, text):
    with pytest.raises(SettingsError, match=r"\[\[port\]\]"):
        load_settings(write(tmp_path, text))


def test_flags_alone_are_enough():
    settings = make_settings(None, {"port": "/dev/ttyS0", "baud": None, "api": "http://x:1", "state": "/s"})
    assert settings.ports == (PortSettings("ttyS0", "/dev/ttyS0"),)
    assert (settings.api, settings.state) == ("http://x:1", "/s")


def test_flags_go_before_the_file(tmp_path):
    settings = make_settings(write(tmp_path, GOOD), {"api": "http://other", "port": "/dev/ttyS9", "baud": 1200})
    assert settings.api == "http://other"
    assert settings.tz_minutes == 60
    assert settings.ports == (PortSettings("ttyS9", "/dev/ttyS9", 1200),)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({}, ["--port", "missing", "--config"]),
        ({"baud": 9600}, ["--port", "missing"]),
        ({"port": "/dev/a", "baud": 1}, ["--baud", "1", "300"]),
        ({"port": "/dev/a", "api": "x"}, ["--api", "'x'", "http://"]),
    ],
)
def test_a_refused_flag_is_named(flags, words):
    with pytest.raises(SettingsError) as caught:
        make_settings(None, flags)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("port", "name"),
    [
        ("/dev/ttyUSB0", "ttyUSB0"),
        ("/dev/pts/3", "pts-3"),
        ("socket://10.0.0.9:4001", "socket-10.0.0.9-4001"),
        ("/tmp/a b/../mcu", "tmp-a-b-..-mcu"),
        ("rfc2217://host:1?ign_set_control", "rfc2217-host-1"),
        ("/", "port"),
    ],
)
def test_a_port_without_a_name_is_called_after_its_path(port, name):
    assert default_name(port) == name


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nosuch\.toml: cannot be read"):
        load_settings(str(tmp_path / "nosuch.toml"))


def test_the_sample_settings_are_good(capsys):
    assert main(["check", "--config", str(ROOT / "ports" / "linux" / "gagent.toml")]) == 0
    assert "is good" in capsys.readouterr().out


def test_check_of_bad_settings_exits_with_2_and_one_line_on_stderr(tmp_path, capsys):
    assert main(["check", "--config", write(tmp_path, "[[port]]\nport='/dev/a'\nbaud=1\n")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "gagent.toml:3: baud = 1: expected" in captured.err


def test_run_without_a_port_exits_with_2(capsys):
    assert main(["run"]) == 2
    assert "--port is missing" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--baud", "fast"], ["check"]])
def test_a_misused_command_line_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: gagent" in capsys.readouterr().err
