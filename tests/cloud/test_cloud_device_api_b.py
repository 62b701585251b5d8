"""Generation B of the device API: the agent's own client, and the bytes of the manual's example."""

import time

import pytest
from gagent_linux.crypto import Crypto
from localcloud import device_api_b
from testkit.cloud_running import PASSCODE, PRODUCT_KEY, PRODUCT_SECRET, mqtt_device, running_cloud

from gagent.config import AgentConfig
from gagent.device_api_b import SecretApi

KEY = bytes.fromhex(PRODUCT_SECRET)
# Quoted: the examples of the cloud manual, device side, chapter 10.
EXAMPLE_KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
EXAMPLE_DID = "WCWGkbS4Ttynzwx9brzpEa"
EXAMPLE_ANSWER = "d8a1ea50a8b2e8d0a53a0d10805c64d46402d31b2134a4adf45320a148b5be92"
EXAMPLE_QUERY = "3a344ad610078bed210aa62ed8bab463fa739884b0149a09887ddfa1aac06c64"
PATH = "/dev/%s/device" % PRODUCT_KEY


def test_bytes_are_those_of_the_manual():
    assert device_api_b.encrypt(EXAMPLE_KEY, "did=" + EXAMPLE_DID) == EXAMPLE_ANSWER
    assert device_api_b.decrypt(EXAMPLE_KEY, EXAMPLE_QUERY) == EXAMPLE_DID.encode()


def test_the_agents_client_registers_provisions_and_logs_in(cloud):
    config = AgentConfig({"product_key": PRODUCT_KEY, "mac": "B0B0B0B0B001", "passcode": PASSCODE}, "")
    api = SecretApi(Crypto(), PRODUCT_SECRET)
    reply = cloud.request(*api.register(config))
    assert (reply.status, len(reply.body)) == (201, 64)
    config.did = api.parse_registration(reply.status, reply.body)
    reply = cloud.request(*api.provision(config))
    found = api.parse_provision(reply.status, reply.body)
    assert (found.host, found.port) == ("127.0.0.1", cloud.cloud.mqtt_port)
    assert abs(found.utc - time.time()) < 60
    with mqtt_device(cloud, config.did):
        assert cloud.cloud.sessions.is_online(config.did)


def test_both_generations_are_one_device(cloud):
    did = cloud.register("B0B0B0B0B002")
    assert _registered(cloud, "mac=B0B0B0B0B002&passcode=%s&type=normal" % PASSCODE) == did


def test_a_text_that_fills_its_blocks_may_come_without_padding(cloud):
    text = "mac=B0B0B0B0B003&passcode=%s&type=normal" % PASSCODE
    assert len(text) == 48
    padded = device_api_b.encrypt(KEY, text)
    reply = cloud.request("POST", PATH, "data=" + padded[:-32])
    assert reply.status == 201
    assert _registered(cloud, text) == device_api_b.decrypt(KEY, reply.body.decode()).decode().removeprefix("did=")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/dev/%s/device" % ("ee" * 16), "data=" + EXAMPLE_ANSWER, 400, 9002),
        (PATH, "data=" + device_api_b.encrypt(EXAMPLE_KEY, "mac=1&passcode=2&type=normal"), 400, 9015),
        (PATH, "data=abc", 400, 9015),
        (PATH, "data=" + "ab" * 15, 400, 9015),
        (PATH, "", 400, 9015),
    ],
    ids=["unknown product", "another secret", "odd hex", "no whole block", "nothing"],
)
def test_what_cannot_be_read_is_refused(cloud, path, body, status, code):
    reply = cloud.request("POST", path, body)
    assert (reply.status, reply.code) == (status, code)


def test_a_disabled_device_is_sent_to_register_again(cloud):
    did = cloud.register("B0B0B0B0B004")
    cloud.register("B0B0B0B0B004", "KLMNOPQRST")
    reply = cloud.request("GET", "%s?did=%s" % (PATH, device_api_b.encrypt(KEY, did)))
    assert (reply.status, reply.code) == (403, 9023)


def test_provisioning_text_is_short_enough_for_the_clients_buffer(tmp_path):
    with running_cloud(tmp_path, advertised_host="a" * 60 + ".example.org") as cloud:
        did = cloud.register("B0B0B0B0B005")
        reply = cloud.request("GET", "%s?did=%s&tls=0" % (PATH, device_api_b.encrypt(KEY, did)))
        assert len(device_api_b.decrypt(KEY, reply.body.decode())) < 240
        assert len(reply.body) < 512


def _registered(cloud, text):
    reply = cloud.request("POST", PATH, "data=" + device_api_b.encrypt(KEY, text))
    assert reply.status == 201, reply
    return device_api_b.decrypt(KEY, reply.body.decode()).decode().removeprefix("did=")
