"""What crosses the WebSocket API: commands to a device, reports and answers of it, in both forms of P0."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from localcloud import websocket_message, websocket_relay
from localcloud.store.history import Span
from localcloud.websocket_message import Refusal
from testkit.cloud_running import LAMP, PASSCODE, mqtt_device
from testkit.patience import PATIENCE_S
from testkit.websocket_app import user_of, websocket_app

from gagent import wire
from mcu_proto.datapoint import Schema

SCHEMA = Schema.from_definition(LAMP)
VALUES = {"power": True, "mode": "warm", "level": 12.5, "scene": b"\0\0\0\1", "heat": 0}
# As the WebSocket API shows them: text, true and false, numbers after scaling, lists of bytes.
SHOWN = {**VALUES, "scene": [0, 0, 0, 1]}
WRITABLE = {"power": True, "mode": "night", "level": 100, "scene": [1, 2]}


def _state(action=4, **values):
    return SCHEMA.encode_report({**VALUES, **values}, action)


class Scene:
    """A device that is online, two apps that listen to it, and one for bytes."""

    def __init__(self, device, first, second, custom):
        self.device, self.first, self.second, self.custom = device, first, second, custom
        self.did = device.did

    @property
    def everybody(self):
        return (self.first, self.second, self.custom)

    def report(self, cmd, p0, sn=0, client=""):
        payload = wire.encode(cmd, p0, sn)
        topic = "dev2app/" + self.did + ("/" + client if client else "")
        self.device._client.publish(topic, payload)
        return payload

    def command(self):
        """(client, envelope) of the next command the device hears."""
        topic, payload = self.device.heard.get(timeout=PATIENCE_S)
        assert topic.startswith("app2dev/%s/" % self.did)
        return topic.rpartition("/")[2], payload


def _assert_nothing_sent(scene):
    """The next thing that the device hears is a read that is sent now."""
    scene.first.send("c2s_read", {"did": scene.did})
    assert scene.command()[1] == websocket_relay.read_envelope(SCHEMA, None, None)


@pytest.fixture
def scene(cloud, request):
    mac = "02%010x" % (hash(request.node.name) & 0xFFFFFFFFFF)
    did = cloud.register(mac)
    user = user_of(cloud, mac)
    cloud.bind(user["token"], mac)
    with (
        websocket_app(cloud) as first,
        websocket_app(cloud) as second,
        websocket_app(cloud) as custom,
    ):
        first.log_in(user)
        second.log_in(user)
        custom.log_in(user, p0_type="custom")
        with mqtt_device(cloud, did) as device:
            for app in (first, second, custom):
                app.get("s2c_online_status")
            yield Scene(device, first, second, custom)


def test_a_report_is_told_to_all_decoded_or_as_bytes(scene):
    payload = scene.report(wire.CLOUD_REPORT, _state())
    for app in (scene.first, scene.second):
        assert app.next() == {"cmd": "s2c_noti", "data": {"did": scene.did, "attrs": SHOWN}}
    assert scene.custom.next() == {"cmd": "s2c_raw", "data": {"did": scene.did, "raw": list(payload)}}


def test_bools_are_true_and_false_also_where_the_open_api_shows_numbers(scene):
    scene.report(wire.CLOUD_REPORT, _state())
    assert '"power": true' in json.dumps(scene.first.next())


def test_a_report_that_wants_an_ack_carries_its_sn_and_the_ack_goes_back(scene):
    scene.report(wire.CLOUD_CONTROL, _state(), sn=7)
    assert scene.first.get("s2c_noti")["req_sn"] == 7
    scene.first.send("c2s_ack", res_sn=7, did=scene.did)
    assert scene.command()[1] == wire.encode(wire.CLOUD_CONTROL_ACK, b"", 7)
    # Once is enough.
    scene.first.send("c2s_ack", res_sn=7, did=scene.did)
    assert scene.first.error() == 1004


def test_an_ack_that_no_device_waits_for_is_not_sent(scene):
    scene.first.send("c2s_ack", res_sn=99, did=scene.did)
    assert scene.first.error() == 1004
    scene.first.send("c2s_ack", did=scene.did)
    assert scene.first.error() == 1004
    _assert_nothing_sent(scene)


def test_a_read_without_sn_is_the_command_of_the_manual(scene):
    scene.first.send("c2s_read", {"did": scene.did, "names": ["power"]})
    client, payload = scene.command()
    assert payload.hex() == "00000003" + "04" + "00" + "0090" + "02"
    assert (len(client), client[:3]) == (23, "usr")


def test_a_read_with_sn_is_answered_to_who_asked_and_news_to_the_others(scene):
    scene.first.send("c2s_read", {"did": scene.did}, req_sn=5)
    client, payload = scene.command()
    assert payload.hex() == "00000003" + "08" + "00" + "0093" + "00000005" + "02"
    scene.report(wire.CLOUD_CONTROL_ACK, _state(3), sn=5, client=client)
    assert scene.first.next() == {"cmd": "s2c_noti", "res_sn": 5, "data": {"did": scene.did, "attrs": SHOWN}}
    assert scene.second.next() == {"cmd": "s2c_noti", "data": {"did": scene.did, "attrs": SHOWN}}
    # The same once more is no news.
    scene.report(wire.CLOUD_CONTROL_ACK, _state(3), sn=5, client=client)
    assert scene.first.get("s2c_noti")["res_sn"] == 5
    scene.second.pong()
    scene.custom.pong()


def test_the_answer_of_a_device_without_content_is_an_ack_for_who_asked(scene):
    scene.second.send("c2s_write", {"did": scene.did, "attrs": WRITABLE}, req_sn=0xFFFFFFFF)
    client, payload = scene.command()
    assert payload == wire.encode(wire.CLOUD_CONTROL, SCHEMA.encode_control(WRITABLE), 0xFFFFFFFF)
    scene.report(wire.CLOUD_CONTROL_ACK, b"", sn=0xFFFFFFFF, client=client)
    assert scene.second.next() == {"cmd": "s2c_ack", "res_sn": 0xFFFFFFFF, "did": scene.did}
    scene.first.pong()
    scene.custom.pong()


def test_a_write_without_sn_takes_values_in_every_form(scene):
    scene.first.send("c2s_write", {"did": scene.did, "attrs": {"power": 1, "mode": 2, "level": 100, "scene": "0102"}})
    assert scene.command()[1] == wire.encode(wire.CLOUD_COMMAND, SCHEMA.encode_control(WRITABLE))


@pytest.mark.parametrize(
    "attrs",
    [
        {"nothing": 1},
        {"heat": 1},
        {"level": 1000},
        {"scene": [1] * 5},
        {"scene": [256]},
        {"mode": "x"},
        {},
        [],
        5,
    ],
)
def test_attributes_that_cannot_be_set_are_refused_with_1010(scene, attrs):
    scene.first.send("c2s_write", {"did": scene.did, "attrs": attrs})
    assert scene.first.error() == 1010


@pytest.mark.parametrize("cmd", [wire.CLOUD_COMMAND, wire.CLOUD_CONTROL, wire.CLOUD_CONTROL_ACK])
@pytest.mark.parametrize("mode", ["first", "custom"])
def test_a_raw_frame_goes_to_the_device_unchanged_in_both_modes(scene, cmd, mode):
    payload = wire.encode(cmd, b"\x05abc", 3)
    getattr(scene, mode).send("c2s_raw", {"did": scene.did, "raw": list(payload)})
    assert scene.command()[1] == payload


def test_p0_alone_is_taken_as_a_command_for_a_public_client_sends_it(scene):
    scene.first.send("c2s_raw", {"did": scene.did, "raw": [1, 1, 3]})
    assert scene.command()[1] == wire.encode(wire.CLOUD_COMMAND, b"\1\1\3")


def test_the_answer_to_a_raw_frame_goes_as_bytes_to_who_sent_it(scene):
    scene.custom.send("c2s_raw", {"did": scene.did, "raw": list(wire.encode(wire.CLOUD_CONTROL, b"\x02", 3))})
    client, _ = scene.command()
    payload = scene.report(wire.CLOUD_CONTROL_ACK, b"", sn=3, client=client)
    assert scene.custom.next() == {"cmd": "s2c_raw", "data": {"did": scene.did, "raw": list(payload)}}


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0\0\0\3", wire.encode(wire.CLOUD_REPORT, b"\x04"), wire.encode(wire.CLOUD_COMMAND, b"x")[:-1]]
    + [wire.encode(wire.CLOUD_COMMAND, b"\x05" * 901), b"\0\0\0\4" + wire.encode(wire.CLOUD_COMMAND, b"x")[4:]],
)
def test_a_raw_frame_with_a_bad_head_or_command_is_refused_with_1013(scene, raw):
    scene.first.send("c2s_raw", {"did": scene.did, "raw": list(raw)})
    assert scene.first.error() == 1013


@pytest.mark.parametrize("raw", [None, "00000003", [256], [-1], [1.5], [True]])
def test_raw_that_is_no_list_of_bytes_is_refused_with_1004(scene, raw):
    scene.first.send("c2s_raw", {"did": scene.did, "raw": raw})
    assert scene.first.error() == 1004


@pytest.mark.parametrize("cmd", ["c2s_read", "c2s_write"])
def test_attribute_commands_are_not_for_custom_sessions(scene, cmd):
    scene.custom.send(cmd, {"did": scene.did, "attrs": {"power": 1}})
    assert scene.custom.error() == 1005


def test_an_ack_is_not_for_custom_sessions(scene):
    scene.report(wire.CLOUD_CONTROL, _state(), sn=7)
    scene.custom.get("s2c_raw")
    scene.custom.send("c2s_ack", res_sn=7, did=scene.did)
    assert scene.custom.error() == 1005


def test_transparent_data_is_told_as_bytes_in_both_modes(scene):
    payload = scene.report(wire.CLOUD_REPORT, b"\x06abc")
    for app in scene.everybody:
        assert app.next() == {"cmd": "s2c_raw", "data": {"did": scene.did, "raw": list(payload)}}


def test_data_that_cannot_be_decoded_is_told_with_1015_and_as_bytes_to_custom_sessions(scene):
    scene.report(wire.CLOUD_REPORT, b"\x04\x01")
    assert scene.first.error() == 1015
    assert scene.second.error() == 1015
    assert scene.custom.get("s2c_raw")


def test_an_empty_report_is_not_told(scene):
    scene.report(wire.CLOUD_REPORT, b"")
    scene.report(wire.CLOUD_REPORT, _state())
    for app in (scene.first, scene.second):
        assert app.get("s2c_noti")


def test_a_device_that_is_offline_is_answered_with_1016(scene):
    scene.device.disconnect()
    scene.first.get("s2c_online_status")
    for cmd, rest in (("c2s_read", {}), ("c2s_write", {"attrs": {"power": 1}})):
        scene.first.send(cmd, {"did": scene.did, **rest})
        assert scene.first.error() == 1016
    scene.first.send("c2s_raw", {"did": scene.did, "raw": list(wire.encode(wire.CLOUD_COMMAND, b"\x02"))})
    assert scene.first.error() == 1016


def test_a_device_that_is_bound_and_not_subscribed_is_refused_with_1008(cloud, scene):
    user = user_of(cloud, "another user")
    mac = cloud.cloud.store.devices.get(scene.did).mac
    cloud.bind(user["token"], mac)
    with websocket_app(cloud) as app:
        app.log_in(user, auto_subscribe=False)
        app.send("c2s_read", {"did": scene.did})
        assert app.error() == 1008
        app.send("subscribe_req", [{"did": scene.did}])
        app.get("subscribe_res")
        app.get("s2c_online_status")
        app.send("c2s_read", {"did": scene.did})
        assert scene.command()


def test_a_stranger_reaches_nothing_of_a_device(cloud, scene):
    with websocket_app(cloud) as app:
        app.log_in(user_of(cloud, "stranger"))
        scene.report(wire.CLOUD_REPORT, _state())
        scene.first.get("s2c_noti")
        raw = list(wire.encode(wire.CLOUD_COMMAND, b"\x02"))
        for cmd, rest in (("c2s_read", {}), ("c2s_write", {"attrs": {"power": 1}}), ("c2s_raw", {"raw": raw})):
            app.send(cmd, {"did": scene.did, **rest})
            assert app.error() == 1007
        app.send("c2s_ack", res_sn=1, did=scene.did)
        assert app.error() == 1007
    _assert_nothing_sent(scene)


def test_what_an_app_sends_is_in_the_log_under_its_user(cloud, scene):
    scene.first.send("c2s_read", {"did": scene.did})
    _, payload = scene.command()
    _, (message,) = cloud.cloud.store.history.messages(scene.did, Span(0, 1e11, True, 0, 10))
    assert (message.type, message.payload, message.source) == ("app2dev", payload, "client")
    assert cloud.cloud.store.bindings.get(message.uid, scene.did)


def test_a_product_nobody_defined_is_read_and_told_as_bytes():
    assert websocket_relay.hear(None, wire.encode(wire.CLOUD_REPORT, _state())).kind == websocket_relay.RAW
    assert websocket_relay.read_envelope(None, None, None) == wire.encode(wire.CLOUD_COMMAND, b"\x02")
    with pytest.raises(Refusal, match="1010"):
        websocket_relay.write_envelope(None, {"power": 1}, None)


@pytest.mark.parametrize(("names", "flags"), [(["heat"], "10"), (["power", "mode"], "03"), (None, "1f"), ([], "1f")])
def test_the_names_of_a_read_count_for_products_of_variable_length(names, flags):
    variable = Schema.from_definition({**LAMP, "protocolType": "var_len"})
    envelope = websocket_relay.read_envelope(variable, names, None)
    assert wire.decode(envelope).p0.hex() == "12" + flags
    with pytest.raises(Refusal, match="1010"):
        websocket_relay.read_envelope(variable, ["nothing"], None)


def test_a_variable_length_report_has_what_was_reported_and_no_more():
    variable = Schema.from_definition({**LAMP, "protocolType": "var_len"})
    payload = wire.encode(wire.CLOUD_REPORT, variable.encode_report({"power": True}))
    assert websocket_relay.hear(variable, payload).attrs == {"power": True}


@given(st.binary(max_size=80))
def test_whatever_a_device_sends_is_heard_as_something(payload):
    assert websocket_relay.hear(SCHEMA, payload).kind in ("state", "ack", "raw", "nothing", "unreadable")


@given(
    st.text(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["cmd", "data", "did", "req_sn", "attrs"]), inner, max_size=4)
        ),
    ).map(json.dumps)
)
def test_whatever_an_app_sends_is_a_message_or_a_refusal(text):
    try:
        message = websocket_message.parse(text)
        websocket_message.parse_login(message.data)
    except Refusal as refusal:
        assert refusal.code in (1001, 1002, 1004)


def test_every_code_has_a_text_and_the_three_of_the_vendor_are_his():
    assert websocket_message.TEXTS[1009] == "M2M socket has closed, please login again!"
    assert websocket_message.TEXTS[1011] == "No heartbeat!"
    assert sorted(websocket_message.TEXTS) == [*range(1001, 1014), 1015, 1016]
    assert PASSCODE not in "".join(websocket_message.TEXTS.values())
