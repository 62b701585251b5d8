import dataclasses
from pathlib import Path

import pytest
from localcloud.settings import Settings, SettingsError, default_data_dir, read_settings


def _read(tmp_path: Path, text: str, **flags) -> Settings:
    path = tmp_path / "localcloud.toml"
    path.write_text(text)
    return read_settings(path, flags)


def test_without_file_and_flags_the_defaults_hold():
    assert read_settings(None, {"http_port": None}) == Settings(default_data_dir())


def test_flags_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    settings = _read(tmp_path, 'http_port = 80\nmqtt_port = 1884\ndata_dir = "/srv/cloud"', http_port=8081, broker=None)
    assert settings == Settings(Path("/srv/cloud"), http_port=8081, mqtt_port=1884)


SETTINGS = {
    "data_dir": ('"/d"', Path("/d")),
    "http_host": ('"127.0.0.1"', "127.0.0.1"),
    "http_port": ("1", 1),
    "mqtt_host": ('"::1"', "::1"),
    "mqtt_port": ("65535", 65535),
    "https_port": ("443", 443),
    "mqtts_port": ("2", 2),
    "ws_port": ("3", 3),
    "wss_port": ("4", 4),
    "broker": ('"mosquitto"', "mosquitto"),
    "broker_accounts": ('"http"', "http"),
    "advertised_host": ('"192.168.1.2"', "192.168.1.2"),
    "regions": ('{ "a.example" = "b.example" }', {"a.example": "b.example"}),
    "database_url": ('"sqlite://"', "sqlite://"),
    "adopt": ("false", False),
    "apps": ('"listed"', "listed"),
    "token_days": ("168", 168),
    "history_days": ("30", 30),
    "latest_hours": ("48", 48),
    "code_hours": ("1", 1),
    "requests_per_minute": ("0", 0),
    "sender": ('["send", "--sms"]', ("send", "--sms")),
    "third_party": ('["ask"]', ("ask",)),
    "products": ('"any"', "any"),
    "deprecated": ('"served"', "served"),
}


def test_a_url_names_a_broker(tmp_path):
    for url in ("mqtt://user:secret@broker.example.org", "mqtts://user:secret@10.0.0.1:8884"):
        assert _read(tmp_path, 'broker = "%s"' % url).broker == url


@pytest.mark.parametrize(
    "url", ["http://u:secret@h", "mqtt://h", "mqtt://u:secret@", "mqtt://u:secret@h:0", "mqtt://u:secret@h:x"]
)
def test_what_is_wrong_with_a_broker_url_is_said_without_its_password(tmp_path, url):
    with pytest.raises(SettingsError, match="broker is unusable, expected one of") as refused:
        _read(tmp_path, 'broker = "%s"' % url)
    assert "secret" not in str(refused.value)


def test_every_setting_can_be_read_from_a_file(tmp_path):
    text = "\n".join("%s = %s" % (key, value) for key, (value, _) in SETTINGS.items())
    assert _read(tmp_path, text) == Settings(**{key: value for key, (_, value) in SETTINGS.items()})
    assert set(SETTINGS) == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("http_port = 65536", r"http_port is 65536, expected a whole number from 0 \(any free port\) to 65535"),
        ("http_port = true", "http_port is True"),
        ('mqtt_port = "1883"', "mqtt_port is '1883'"),
        ('broker = "emqx"', "broker is 'emqx', expected one of embedded, mosquitto"),
        ("adopt = 1", "adopt is 1, expected true or false"),
        ('apps = "some"', "apps is 'some', expected one of any, listed"),
        ('advertised_host = "a&port=1"', "advertised_host is 'a&port=1'"),
        ("token_days = 0", "token_days is 0"),
        ('data_dir = ""', "data_dir is ''"),
        ("htp_port = 1", 'no such key: "htp_port"; there are adopt, advertised_host'),
        ("[http]\nport = 1", 'no such key: "http"'),
    ],
)
def test_an_unusable_setting_is_told_with_its_line_and_what_is_allowed(tmp_path, line, said):
    with pytest.raises(SettingsError, match=said) as refused:
        _read(tmp_path, "# settings\n\n" + line)
    assert "localcloud.toml, line 3: " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path):
    with pytest.raises(SettingsError, match="line 2"):
        _read(tmp_path, "http_port = 80\nmqtt_port = = 1")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        read_settings(tmp_path / "nothing.toml", {})


def test_the_password_in_a_database_url_is_not_told(tmp_path):
    with pytest.raises(SettingsError) as refused:
        _read(tmp_path, "database_url = ['hunter2']")
    assert "hunter2" not in str(refused.value)
