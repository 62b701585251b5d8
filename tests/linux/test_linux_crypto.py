"""Encryption for generation B of the device API: the known vectors, and a device that comes on line by it."""

import hashlib

import pytest
from gagent_linux.crypto import Crypto
from gagent_linux.gateway import Gateway
from gagent_linux.settings import PortSettings, Settings
from hypothesis import given
from hypothesis import strategies as st
from testkit import mqtt_script as script
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.heard import LogText, in_loop
from testkit.mcu_on_pty import McuOnPty
from testkit.raw_server import serving
from testkit.vectors import cloud_payloads

from gagent.config import AgentConfig
from gagent.device_api_b import SecretApi
from gagent.errors import ConfigError

SECRET = "5e" * 16
MAC = "A0B1C2D3E4F5"
KEY = bytes(range(16))
VECTORS = {v.name: v for v in cloud_payloads()}


def vector(name):
    """(bytes, text, secret) of a vector of generation B."""
    entry = VECTORS[name]
    return entry.payload, entry.decoded["plaintext"], entry.decoded["product_secret"]


def api_of(secret):
    return SecretApi(Crypto(), secret)


def test_the_registration_is_that_of_the_vector():
    data, text, secret = vector("http_enc_register_request_data")
    fields = dict(pair.split("=") for pair in text.split("&"))
    config = AgentConfig({"mac": fields["mac"], "passcode": fields["passcode"], "product_key": "0" * 32}, "http://x")
    assert api_of(secret).register(config) == ("POST", "/dev/%s/device" % ("0" * 32), b"data=" + data.hex().encode())


def test_the_question_for_the_broker_is_that_of_the_vector():
    data, did, secret = vector("http_enc_provision_did")
    config = AgentConfig({"mac": MAC, "did": did, "product_key": "0" * 32}, "http://x")
    path = "/dev/%s/device?did=%s" % ("0" * 32, data.hex())
    assert api_of(secret).provision(config) == ("GET", path, b"")


def test_the_answer_to_a_registration_is_read():
    data, text, secret = vector("http_enc_register_response")
    assert "did=" + api_of(secret).parse_registration(201, data.hex().encode()) == text


def test_the_answer_that_names_the_broker_is_read():
    data, _, secret = vector("http_enc_provision_response")
    where = api_of(secret).parse_provision(200, data.hex().encode() + b"\r\n")
    assert (where.host, where.port, where.utc) == ("192.168.1.10", 1883, 1700000000)


def test_text_without_padding_is_read():
    data, text, secret = vector("http_enc_register_request_data_unpadded")
    assert Crypto().aes_decrypt(bytes.fromhex(secret), data) == text.encode()
    assert len(text) % 16 == 0


@given(st.sampled_from((200, 201, 400, 404, 500)), st.binary(max_size=200))
def test_an_answer_of_any_content_is_read_or_refused(status, body):
    for parse in (api_of(SECRET).parse_registration, api_of(SECRET).parse_provision):
        for sent in (body, body.hex().encode()):
            try:
                parse(status, sent)
            except ConfigError:
                pass


@given(st.integers(0, 9), st.data())
def test_decrypting_undoes_encrypting(blocks, data):
    text = data.draw(st.binary(min_size=16 * blocks, max_size=16 * blocks))
    encrypted = Crypto().aes_encrypt(KEY, text)
    assert len(encrypted) == len(text)
    assert Crypto().aes_decrypt(KEY, encrypted) == text


@pytest.mark.parametrize(("key", "data"), [(KEY[1:], bytes(16)), (KEY * 2, bytes(16)), (KEY, bytes(17))])
def test_other_lengths_are_refused(key, data):
    with pytest.raises(ValueError, match=r"16|block"):
        Crypto().aes_encrypt(key, data)


def test_md5_is_32_hex_digits():
    assert Crypto().md5(b"") == b"d41d8cd98f00b204e9800998ecf8427e"
    assert Crypto().md5(b"x" * 1000) == hashlib.md5(b"x" * 1000).hexdigest().encode()


def lives(folder, cloud_secret):
    """What a cloud with `cloud_secret` (or none) is asked until a device whose MCU knows its secret is on line."""

    async def scene():
        async def broker(reader, writer):
            await script.accept(reader, writer)
            await reader.read()

        mcu, log = McuOnPty(folder, product_secret=SECRET), LogText()
        async with serving(broker) as port, DeviceApiStub(port, cloud_secret).running() as api:
            settings = Settings((PortSettings("mcu", mcu.path, 9600, MAC),), str(folder / "state"), api.url)
            gateway = Gateway(settings, log.logger, log.redactor)
            gateway.start()
            mcu.power_on()
            await log.says("online, did " + did_of(MAC))
            gateway.stop()
            mcu.power_off()
            return api

    return in_loop(scene())


def test_an_mcu_that_knows_its_secret_registers_and_provisions_encrypted(tmp_path):
    api = lives(tmp_path, SECRET)
    assert api.secrets[0].startswith("mac=%s&passcode=" % MAC)
    assert api.secrets[0].endswith("&type=normal")
    assert api.secrets[1] == did_of(MAC)
    asked = [(method, path) for method, path, _ in api.asked]
    assert ("POST", "/dev/devices") not in asked
    # The did and the passcode are in none of these requests in clear.
    for method, path, form in api.asked[:2]:
        assert did_of(MAC) not in "%s %s %s" % (method, path, form)


def test_a_cloud_without_the_secret_is_asked_in_clear(tmp_path):
    api = lives(tmp_path, "")
    assert api.secrets == []
    assert ("POST", "/dev/devices") in [(method, path) for method, path, _ in api.asked]
