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


def test_every_setting_can_be_read_from_a_file(tmp_path):
    text = """
        data_dir = "/d"
        http_host = "127.0.0.1"
        http_port = 1
        mqtt_host = "::1"
        mqtt_port = 65535
        broker = "mosquitto"
        advertised_host = "192.168.1.2"
        database_url = "sqlite://"
        adopt = false
        apps = "listed"
        token_days = 168
        history_days = 30
        products = "any"
    """
    settings = _read(tmp_path, text)
    assert settings == Settings(
        Path("/d"),
        "127.0.0.1",
        1,
        "::1",
        65535,
        "mosquitto",
        "192.168.1.2",
        "sqlite://",
        False,
        "listed",
        168,
        30,
        "any",
    )


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
