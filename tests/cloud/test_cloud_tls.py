"""TLS of the cloud's own listeners, with the certificate that `localcloud cert` makes."""

import http.client
import json
import ssl
import stat
import subprocess
import sys

import pytest
from localcloud.certificate import CertificateError, find_certificate, make_certificate
from testkit.app_on_mqtt import MqttApp
from testkit.cloud_running import running_cloud
from testkit.patience import PATIENCE_S

HOSTS = ["api.example.org", "eu.example.org", "127.0.0.1"]


@pytest.fixture(scope="module", params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def secure(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls-" + request.param)
    make_certificate(folder, HOSTS)
    with running_cloud(folder, broker=request.param) as cloud:
        yield cloud


def test_https_answers_under_every_host_name(secure):
    for host in HOSTS:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", secure.cloud.https_port, timeout=PATIENCE_S, context=_trusting(secure, host)
        )
        connection.request("GET", "/status", headers={"X-Gizwits-Application-Id": "0" * 32})
        assert connection.getresponse().status == 200
        connection.close()


def test_a_client_that_does_not_know_the_authority_gets_no_connection(secure):
    connection = http.client.HTTPSConnection("127.0.0.1", secure.cloud.https_port, timeout=PATIENCE_S)
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", "/status")


def test_an_app_logs_in_to_the_broker_over_tls(secure):
    answer = secure.app("POST", "/app/users", {"phone_id": "tls"}).json
    context = ssl.create_default_context(cafile=str(secure.cloud.tls.ca))
    app = MqttApp(answer["uid"], answer["token"], tls=context)
    assert app.connect(secure.cloud.mqtts_port) == 0
    app.disconnect()


def test_without_a_certificate_nothing_listens(tmp_path):
    with running_cloud(tmp_path) as cloud:
        assert (cloud.cloud.https_port, cloud.cloud.mqtts_port) == (0, 0)


def test_a_module_that_asks_for_tls_is_told_that_port(secure):
    from localcloud.device_api_b import decrypt, encrypt
    from testkit.cloud_running import PRODUCT_KEY, PRODUCT_SECRET

    key, did = bytes.fromhex(PRODUCT_SECRET), secure.register("715000000001")
    for query, port in (
        ("", secure.cloud.mqtt_port),
        ("&tls=0", secure.cloud.mqtt_port),
        ("&tls=1", secure.cloud.mqtts_port),
    ):
        reply = secure.request("GET", "/dev/%s/device?did=%s%s" % (PRODUCT_KEY, encrypt(key, did), query))
        assert b"&port=%d&" % port in decrypt(key, reply.body.decode())


def test_the_command_makes_private_files_and_keeps_its_authority(tmp_path):
    for host in ("one.example.org", "two.example.org"):
        made = subprocess.run(
            [sys.executable, "-m", "localcloud", "cert", "--data", str(tmp_path), host],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        authority = (tmp_path / "tls" / "ca.crt").read_bytes()
        assert made.stdout.strip() == str(tmp_path / "tls" / "ca.crt")
        assert host in made.stderr
    assert (tmp_path / "tls" / "ca.crt").read_bytes() == authority
    assert find_certificate(tmp_path) is not None
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((tmp_path / "tls" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("hosts", [[], [""], ["bad host" * 40]])
def test_what_is_no_host_name_is_refused(tmp_path, hosts):
    with pytest.raises(CertificateError):
        make_certificate(tmp_path, hosts)


def test_a_broken_certificate_is_one_clear_error(tmp_path):
    files = make_certificate(tmp_path, HOSTS)
    files.certificate.write_text("no certificate")
    with pytest.raises(CertificateError, match="localcloud cert"), running_cloud(tmp_path):
        pass


def _trusting(cloud, host):
    """A context that wants a certificate for `host`, whatever the address is."""

    class Named(ssl.SSLContext):
        def wrap_socket(self, *args, **kwargs):
            return super().wrap_socket(*args, **{**kwargs, "server_hostname": host})

    context = Named(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(str(cloud.cloud.tls.ca))
    return context


def test_json_is_the_same_with_and_without_tls(secure):
    plain = secure.request("GET", "/status", headers={"X-Gizwits-Application-Id": "0" * 32})
    connection = http.client.HTTPSConnection(
        "127.0.0.1", secure.cloud.https_port, timeout=PATIENCE_S, context=_trusting(secure, HOSTS[0])
    )
    connection.request("GET", "/status", headers={"X-Gizwits-Application-Id": "0" * 32})
    assert json.loads(connection.getresponse().read()).keys() == plain.json.keys()
    connection.close()
