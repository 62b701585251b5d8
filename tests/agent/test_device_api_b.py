"""gagent.device_api_b: the encrypted device API, against the vectors and in the agent."""

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st
from testkit.module_driver import DEVICE_INFO, DID, PRODUCT_KEY, PROVISIONED, ModuleDriver

from gagent.config import AgentConfig
from gagent.device_api_b import SecretApi
from gagent.errors import ConfigError

SECRET = "00112233445566778899aabbccddeeff"
# Computed from the manual's rules, and confirmed by its worked example.
REGISTERED = b"d8a1ea50a8b2e8d0a53a0d10805c64d46402d31b2134a4adf45320a148b5be92"
ASKED = "3a344ad610078bed210aa62ed8bab463fa739884b0149a09887ddfa1aac06c64"


class Crypto:
    """What a port provides."""

    def md5(self, data):
        return hashlib.md5(data).hexdigest().encode()

    def aes_encrypt(self, key, data):
        encryptor = Cipher(AES(key), ECB()).encryptor()
        return encryptor.update(data) + encryptor.finalize()

    def aes_decrypt(self, key, data):
        decryptor = Cipher(AES(key), ECB()).decryptor()
        return decryptor.update(data) + decryptor.finalize()


API = SecretApi(Crypto(), SECRET)


def config(**record):
    return AgentConfig({"mac": "accf2350d446", "product_key": PRODUCT_KEY, **record}, "http://api.example")


def encrypted(text, pad=True):
    size = 16 - len(text) % 16 if pad else 0
    return Crypto().aes_encrypt(bytes.fromhex(SECRET), text + bytes((size,)) * size).hex().encode()


def test_registration_answer_vector():
    assert API.parse_registration(201, REGISTERED) == "WCWGkbS4Ttynzwx9brzpEa"


def test_provisioning_request_vector():
    assert API.provision(config(did="WCWGkbS4Ttynzwx9brzpEa")) == (
        "GET",
        "/dev/%s/device?did=%s" % (PRODUCT_KEY, ASKED),
        b"",
    )


def test_registration_says_mac_passcode_and_type():
    method, path, body = API.register(config(passcode="ABCDEFGHIJ"))
    assert (method, path) == ("POST", "/dev/%s/device" % PRODUCT_KEY)
    text = Crypto().aes_decrypt(bytes.fromhex(SECRET), bytes.fromhex(body[5:].decode()))
    assert text == b"mac=accf2350d446&passcode=ABCDEFGHIJ&type=normal" + b"\x10" * 16


@pytest.mark.parametrize("pad", [True, False])
def test_answers_are_read_with_their_padding_and_without(pad):
    text = PROVISIONED + b"&" * (-len(PROVISIONED) % 16)
    assert API.parse_provision(200, encrypted(text, pad)).host == "m2m.example"


@pytest.mark.parametrize("body", [b"", b"did=WCWGkbS4Ttynzwx9brzpEa", b"zz" * 16, b"00" * 15, REGISTERED[:-2]])
def test_answers_that_are_no_hex_of_blocks_are_refused(body):
    with pytest.raises(ConfigError):
        API.parse_registration(201, body)


def test_an_error_comes_in_clear():
    with pytest.raises(ConfigError, match="product_key invalid"):
        API.parse_registration(400, b'{"error_code": 9002, "error_message": "product_key invalid"}')


@given(st.integers(100, 599), st.binary(max_size=100))
def test_answers_raise_nothing_but_config_error(status, body):
    for parse in (API.parse_registration, API.parse_provision):
        for whole in (body, body.hex().encode(), encrypted(body)):
            try:
                parse(status, whole)
            except ConfigError:
                pass


INFO = DEVICE_INFO._replace(device_attr=2, product_secret=SECRET)


def test_an_mcu_that_knows_its_secret_is_registered_by_b():
    driver = ModuleDriver(info=INFO, crypto=Crypto())
    driver.boot()
    assert driver.requests()[0].url == "http://api.example/dev/%s/device" % PRODUCT_KEY
    driver.do("http_response", driver.requests()[0].ref, 201, encrypted(b"did=" + DID.encode()))
    assert "/device?did=" in driver.requests()[0].url
    driver.do("http_response", driver.requests()[0].ref, 200, encrypted(PROVISIONED))
    assert driver.connects()[0].host == "m2m.example"


def test_a_cloud_that_knows_only_a_gets_a():
    driver = ModuleDriver(info=INFO, crypto=Crypto())
    driver.boot()
    driver.do("http_response", driver.requests()[0].ref, 404, b"")
    driver.pass_time(3000)
    assert driver.requests()[0].url == "http://api.example/dev/devices"


@pytest.mark.parametrize(
    "secret, crypto", [(SECRET, None), ("", Crypto()), ("no hex digits at all, but 32 long", Crypto())]
)
def test_without_a_secret_or_a_cipher_it_is_a(secret, crypto):
    driver = ModuleDriver(info=INFO._replace(product_secret=secret[:32]), crypto=crypto)
    driver.boot()
    assert driver.requests()[0].url == "http://api.example/dev/devices"
