"""gagent.device_api and gagent.config: requests as the reference agent sends them, answers of any kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gagent import device_api
from gagent.config import AgentConfig
from gagent.errors import ConfigError
from gagent.firmware import KIND_MCU

RECORD = {
    "mac": "021122334455",
    "product_key": "0123456789abcdef0123456789abcdef",
    "did": "CaptureDevice000000001",
    "passcode": "BDGWMHRXWX",
    "old_did": "",
    "old_passcode": "",
}
API = "http://api.example"


def test_requests_are_those_of_the_reference_agent():
    config = AgentConfig(RECORD, API)
    assert device_api.register(config) == (
        "POST",
        "/dev/devices",
        b"passcode=BDGWMHRXWX&mac=021122334455&product_key=0123456789abcdef0123456789abcdef",
    )
    assert device_api.provision(config) == ("GET", "/dev/devices/CaptureDevice000000001", b"")
    assert device_api.check_firmware(config, KIND_MCU, "00000003", "00000001") == (
        "POST",
        "/dev/ota/v4.1/update_and_check/CaptureDevice000000001",
        b"passcode=BDGWMHRXWX&type=2&hard_version=00000003&soft_version=00000001",
    )
    assert device_api.disable("CaptureDevice000000001", "BDGWMHRXWX") == (
        "DELETE",
        "/dev/devices",
        b"did=CaptureDevice000000001&passcode=BDGWMHRXWX",
    )


@pytest.mark.parametrize(
    "body", [b"did=CaptureDevice000000001", b"did=CaptureDevice000000001&x=1", b"a=b&did=CaptureDevice000000001\r\n"]
)
def test_registration_answer_is_found(body):
    assert device_api.parse_registration(201, body) == "CaptureDevice000000001"


@pytest.mark.parametrize(
    "status, body",
    [
        (200, b"did=CaptureDevice000000001"),
        (201, b""),
        (201, b"did=short"),
        (201, b"did=Capture/evice000000001"),
        (201, b"<html>hello</html>"),
        (500, b"\x00\xff" * 4000),
        (400, b'{"error_code": 9002, "error_message": "product_key invalid"}'),
    ],
)
def test_registration_refused_or_garbled_says_what_came(status, body):
    with pytest.raises(ConfigError, match="HTTP %d" % status) as error:
        device_api.parse_registration(status, body)
    assert len(str(error.value)) < 200


# As the reference agent received it, and as the vendor's cloud answered in 2016.
CAPTURED = b"host=m2m.gizwits.com&port=1883&server_ts=1795289071&log_host=&log_port=0&log_switch=0,0"
OBSERVED = (
    b"host=sandbox.gizwits.com&port=1883&server_ts=1481943906&log_host=119.29.48.145&log_port=1884&biz_log=0&sys_log=0"
)


@pytest.mark.parametrize(
    "body, expected",
    [
        (CAPTURED, ("m2m.gizwits.com", 1883, 1795289071)),
        (OBSERVED, ("sandbox.gizwits.com", 1883, 1481943906)),
        (b"host=10.0.0.2&port=1883", ("10.0.0.2", 1883, 0)),
        (b"host=10.0.0.2&port=1883&server_ts=1481943906\r\n", ("10.0.0.2", 1883, 1481943906)),
        (b"host=10.0.0.2&port=1883&server_ts=", ("10.0.0.2", 1883, 0)),
    ],
)
def test_provisioning_answer_is_read(body, expected):
    assert device_api.parse_provision(200, body) == expected


@pytest.mark.parametrize(
    "status, body",
    [
        (404, b"host=a&port=1"),
        (200, b""),
        (200, b"host=&port=1883"),
        (200, b"host=a"),
        (200, b"host=a&port=0"),
        (200, b"host=a&port=65536"),
        (200, b"host=a&port=" + b"1" * 30),
        (200, b"host=" + b"a" * 300 + b"&port=1883"),
        (200, b"host=a b&port=1883"),
    ],
)
def test_provisioning_refused_or_garbled_is_an_error(status, body):
    with pytest.raises(ConfigError):
        device_api.parse_provision(status, body)


@given(st.integers(100, 599), st.binary(max_size=300))
def test_answers_raise_nothing_but_config_error(status, body):
    for parse in (device_api.parse_registration, device_api.parse_provision):
        try:
            parse(status, b"host=" + body)
        except ConfigError:
            pass


def test_a_passcode_that_the_cloud_quotes_back_does_not_reach_the_error():
    with pytest.raises(ConfigError) as error:
        device_api.parse_registration(400, b"bad form: passcode=BDGWMHRXWX&mac=1")
    assert "BDGWMHRXWX" not in str(error.value)


def test_record_survives_the_round_trip():
    assert AgentConfig(RECORD, API).to_record() == RECORD


@pytest.mark.parametrize(
    "key, value",
    [("mac", ""), ("mac", "x" * 33), ("did", 5), ("passcode", "a&b"), ("product_key", "x" * 33), ("old_did", None)],
)
def test_record_that_cannot_be_used_names_the_key(key, value):
    with pytest.raises(ConfigError, match=key):
        AgentConfig({**RECORD, key: value}, API)


def test_error_of_a_record_does_not_show_the_value():
    with pytest.raises(ConfigError) as error:
        AgentConfig({**RECORD, "passcode": "secret&secret"}, API)
    assert "secret" not in str(error.value)


def test_renewed_identity_has_a_passcode_of_ten_letters_and_remembers_the_old_did():
    config = AgentConfig(RECORD, API)
    config.renew("f" * 32, lambda n: bytes(range(245, 245 + n)))
    assert (config.did, config.product_key) == ("", "f" * 32)
    assert (config.old_did, config.old_passcode) == (RECORD["did"], RECORD["passcode"])
    assert len(config.passcode) == 10 and set(config.passcode) <= set("ABCDEFGHIJKLMNOPQRSTUVWXY")


def test_renewing_twice_keeps_the_did_that_still_waits_for_its_removal():
    config = AgentConfig(RECORD, API)
    config.renew("f" * 32, lambda n: bytes(n))
    config.renew("e" * 32, lambda n: bytes(n))
    assert config.old_did == RECORD["did"]
