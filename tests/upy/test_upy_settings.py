"""The chip's settings: every value is checked, an error names the line, the key and what is allowed."""

import pytest
from gagent_upy.settings import SettingsError, load_settings, parse_settings


def test_every_key_has_a_default(tmp_path):
    settings = load_settings(str(tmp_path / "none.txt"))
    assert settings.api_url == "http://api.gizwits.com"
    assert (settings.baud, settings.rxbuf, settings.form_port, settings.watchdog) == (9600, 512, 80, True)


def test_lines_are_keys_and_values_and_remarks(tmp_path):
    path = tmp_path / "gagent.txt"
    path.write_text(
        "# remark\n\n  baud = 115200\nssid=My = Net \nkey = # not a remark\nwatchdog = no\ntz_minutes = -60\n"
    )
    settings = load_settings(str(path))
    assert (settings.baud, settings.ssid, settings.key) == (115200, "My = Net", "# not a remark")
    assert (settings.watchdog, settings.tz_minutes) == (False, -60)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("baud 9600", ["expected key = value"]),
        ("boud = 9600", ["boud: no such key, there are: api_url, ssid"]),
        ("baud = fast", ["baud: a number from 1200 to 921600 expected, got 'fast'"]),
        ("baud = 1199", ["from 1200"]),
        ("baud = -9600", ["from 1200"]),
        ("rxbuf = 511", ["from 512"]),
        ("led = 49", ["from -1 to 48"]),
        ("watchdog = maybe", ["watchdog: yes or no expected, got 'maybe'"]),
        ("ssid = " + "x" * 33, ["ssid: at most 32 bytes expected, got 33"]),
        ("ssid = " + "ä" * 17, ["at most 32 bytes expected, got 34"]),
    ],
)
def test_a_wrong_line_is_named_with_what_is_allowed(line, words):
    with pytest.raises(SettingsError) as caught:
        parse_settings(["# first", line])
    text = str(caught.value)
    assert text.startswith("gagent.txt line 2: ")
    assert all(word in text for word in words)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["api_url = ftp://x"], "api_url: http:// or https:// expected"),
        (["ap_password = short"], "ap_password: 8 to 63 characters expected"),
        (["tx = 4"], "tx, rx: both or none expected"),
        (["mqtt_tls = yes"], "ca_file and ntp_host are needed with TLS"),
        (["api_url = https://x", "ca_file = ca.pem"], "ca_file and ntp_host are needed with TLS"),
    ],
)
def test_what_does_not_go_together_is_refused(lines, words):
    with pytest.raises(SettingsError, match=words):
        parse_settings(lines)


def test_an_error_never_shows_a_secret():
    with pytest.raises(SettingsError) as caught:
        parse_settings(["key = " + "s3cret" * 11])
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("platform", "uart", "log_uart", "version"),
    [
        ("esp8266", 0, 1, "0ESP8266"),
        ("esp32", 1, -1, "000ESP32"),
        ("rp2", 1, -1, "0000RP2W"),
        ("linux", 1, -1, "0000UNIX"),
    ],
)
def test_each_platform_has_its_own_uart(monkeypatch, platform, uart, log_uart, version):
    monkeypatch.setattr("sys.platform", platform)
    settings = parse_settings([])
    assert (settings.uart, settings.log_uart, settings.hard_version) == (uart, log_uart, version)
    assert len(settings.hard_version) == 8


def test_an_esp8266_is_told_that_it_cannot_check_certificates(monkeypatch):
    monkeypatch.setattr("sys.platform", "esp8266")
    with pytest.raises(SettingsError, match="gateway"):
        parse_settings(["ca_file = ca.pem", "ntp_host = ntp", "mqtt_tls = yes"])
    with pytest.raises(SettingsError, match="GPIO2"):
        parse_settings(["led = 2"])
    parse_settings(["led = 2", "log_uart = -1"])
