"""What EMQX asks over HTTP, as its documentation shows the requests; the broker behind the URL is a plain mosquitto."""

import json

import pytest
from localcloud.shared_presence import read_emqx
from testkit.cloud_running import APP_ID, PASSCODE, running_cloud
from testkit.mosquitto_running import mosquitto_running

pytestmark = pytest.mark.mosquitto

SECRET = "the-clouds-own-password"
ALLOW, DENY = "allow", "deny"


@pytest.fixture(scope="module")
def hooked(tmp_path_factory):
    with (
        mosquitto_running(tmp_path_factory.mktemp("mosquitto"), {"localcloud": SECRET}) as broker,
        running_cloud(
            tmp_path_factory.mktemp("hooked"),
            broker="mqtt://localcloud:%s@127.0.0.1:%d" % (SECRET, broker.port),
            broker_accounts="http",
        ) as cloud,
    ):
        yield cloud


@pytest.fixture(scope="module")
def home(hooked):
    did = hooked.register("E00001")
    answer = hooked.app("POST", "/app/users", {"phone_id": "E00001"}).json
    assert hooked.bind(answer["token"], "E00001").status == 201
    return did, answer["uid"], answer["token"]


def test_a_device_and_an_app_are_let_in_with_what_is_theirs(hooked, home):
    did, uid, token = home
    assert _auth(hooked, did, did, PASSCODE) == {"result": ALLOW, "is_superuser": False}
    assert _auth(hooked, "usr1", "2$%s$%s" % (APP_ID, uid), token)["result"] == ALLOW
    assert _auth(hooked, "any", "localcloud", SECRET) == {"result": ALLOW, "is_superuser": True}


def test_nobody_else_is_let_in(hooked, home):
    did, uid, token = home
    for client, username, password in (
        (did, did, "wrong"),
        ("other", did, PASSCODE),
        ("usr1", "2$%s$%s" % (APP_ID, "someone"), token),
        ("usr1", "2$%s$%s" % (APP_ID, uid), "wrong"),
        ("any", "localcloud", "wrong"),
        ("", "", ""),
    ):
        assert _auth(hooked, client, username, password)["result"] == DENY


def test_topics_are_those_of_the_client(hooked, home):
    did, uid, _ = home
    other = hooked.register("E00002")
    app = "2$%s$%s" % (APP_ID, uid)
    for client, username, action, topic, expected in (
        (did, did, "publish", "dev2app/" + did, ALLOW),
        (did, did, "publish", "cli2ser_req", ALLOW),
        (did, did, "publish", "dev2ser/" + did, ALLOW),
        (did, did, "publish", "dev2app/" + other, DENY),
        (did, did, "publish", "app2dev/%s/x" % did, DENY),
        (did, did, "subscribe", "app2dev/%s/#" % did, ALLOW),
        (did, did, "subscribe", "ser2cli_res/" + did, ALLOW),
        (did, did, "subscribe", "app2dev/%s/#" % other, DENY),
        (did, did, "subscribe", "$share/localcloud/dev2app/#", DENY),
        (did, did, "subscribe", "#", DENY),
        ("usr1", app, "publish", "app2dev/%s/usr1" % did, ALLOW),
        ("usr1", app, "publish", "app2dev/%s/usr2" % did, DENY),
        ("usr1", app, "publish", "app2dev/%s/usr1" % other, DENY),
        ("usr1", app, "publish", "dev2app/" + did, DENY),
        ("usr1", app, "subscribe", "dev2app/" + did, ALLOW),
        ("usr1", app, "subscribe", "dev2app/%s/usr1" % did, ALLOW),
        ("usr1", app, "subscribe", "dev2app/%s/usr2" % did, DENY),
        ("usr1", app, "subscribe", "dev2app/" + other, DENY),
        ("usr1", app, "subscribe", "dev2app/+", DENY),
        ("usr1", app, "subscribe", "ser2cli_res/usr1/#", ALLOW),
        ("any", "localcloud", "subscribe", "#", ALLOW),
    ):
        asked = {"clientid": client, "username": username, "action": action, "topic": topic}
        assert _ask(hooked, "/broker/acl", asked).json == {"result": expected}, asked


def test_only_the_broker_may_ask(hooked, fresh_cloud, home):
    asked = {"clientid": home[0], "username": home[0], "password": PASSCODE}
    for authorization in ("", "Bearer wrong"):
        assert _ask(hooked, "/broker/auth", asked, authorization).status == 404
    # A cloud with a broker of its own has nothing to say.
    assert _ask(fresh_cloud, "/broker/auth", asked).status == 404


def test_events_are_read_as_emqx_documents_them():
    connected = {
        "username": "did1",
        "ts": 1625572213873,
        "proto_ver": 3,
        "keepalive": 120,
        "ipaddress": "10.0.0.7",
        "clientid": "did1",
        "clean_start": True,
    }
    gone = {"username": "did1", "ts": 1625572213873, "reason": "tcp_closed", "clientid": "did1"}
    assert read_emqx("$SYS/brokers/emqx@10.0.0.1/clients/did1/connected", _json(connected)) == (
        *("did1", "10.0.0.7", 120, "did1"),
    )
    topic = "$SYS/brokers/emqx@10.0.0.1/clients/did1/disconnected"
    for reason, told in (
        ("tcp_closed", "tcp_closed"),
        ("normal", "mqtt_disconnect"),
        ("keepalive_timeout", "no_heartbeat"),
    ):
        assert read_emqx(topic, _json({**gone, "reason": reason})) == ("did1", told)
    assert read_emqx(topic, _json({**gone, "reason": "takenover"})) is None
    assert read_emqx(topic, b"garbage") is None


def _auth(cloud, client, username, password):
    asked = {"clientid": client, "username": username, "password": password, "peerhost": "10.0.0.9"}
    return _ask(cloud, "/broker/auth", asked).json


def _ask(cloud, path, asked, authorization="Bearer " + SECRET):
    return cloud.request("POST", path, json.dumps(asked), {"Authorization": authorization})


def _json(value):
    return json.dumps(value).encode()
