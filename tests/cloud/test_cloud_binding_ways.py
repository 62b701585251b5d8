"""How a user comes to a device and what the user calls it: QR code, passcode, names; and what a reset leaves."""

import queue

import pytest
from localcloud import qr_code
from testkit.cloud_running import PASSCODE, PRODUCT_KEY, PRODUCT_SECRET, mqtt_device, wait_until

ADOPTED = "AdoptedDevice2345678kL"


def _list(cloud, token, query=""):
    return cloud.app("GET", "/app/bindings" + query, token=token).json["devices"]


def _scan(cloud, token, text, **fields):
    return cloud.app("POST", "/app/bind_latest", {"qr_content": text, **fields}, token)


def _bind(cloud, token, *rows):
    return cloud.app("POST", "/app/bindings", {"devices": list(rows)}, token)


def _code(mac, secret=PRODUCT_SECRET):
    return qr_code.make_content(PRODUCT_KEY, secret, mac)


def test_a_scanned_code_binds_its_device(cloud):
    did = cloud.register("CD01")
    token = cloud.user("scan")
    reply = _scan(cloud, token, _code("cd01"))
    assert (reply.status, reply.json) == (201, {})
    assert [row["did"] for row in _list(cloud, token)] == [did]


def test_a_code_printed_before_a_reset_binds_the_device_under_its_new_did(cloud):
    cloud.register("CD02")
    code = _code("CD02")
    again = cloud.register("CD02", passcode="RESETRESET")
    token = cloud.user("label")
    assert _scan(cloud, token, code).status == 201
    assert [row["did"] for row in _list(cloud, token)] == [again]


def test_the_code_of_an_older_app_binds_by_passcode(cloud):
    did = cloud.register("CD03")
    token = cloud.user("old app")
    text = "http://www.example.com?product_key=%s&did=%s&passcode=%s" % (PRODUCT_KEY, did, PASSCODE)
    assert _scan(cloud, token, text).status == 201
    assert [row["did"] for row in _list(cloud, token)] == [did]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nonsense", 9040),
        ("product_key=%s&mac=CD01" % PRODUCT_KEY, 9040),
        (_code("CD01", "00" * 16), 9040),
        (_code("CD01").replace(PRODUCT_KEY, "00" * 16), 9002),
        (_code("CDFF"), 9014),
        ("?did=%s&passcode=%s" % ("x" * 22, PASSCODE), 9016),
        ("", 9015),
        (7, 9015),
    ],
)
def test_a_code_that_proves_nothing_binds_nothing(cloud, text, code):
    token = cloud.user("forger")
    assert _scan(cloud, token, text).code == code
    assert _list(cloud, token) == []


def test_did_and_passcode_bind_what_they_prove(cloud):
    one, two = cloud.register("CD04"), cloud.register("CD05", passcode="OTHERCODES")
    token = cloud.user("passcode")
    rows = [
        {"did": one, "passcode": PASSCODE, "remark": "hall"},
        {"did": two, "passcode": PASSCODE},
        {"did": "x" * 22, "passcode": PASSCODE},
        {"did": one},
    ]
    reply = _bind(cloud, token, *rows)
    assert (reply.status, reply.json) == (200, {"success": [one], "failed": [two, "x" * 22, one]})
    assert [(row["did"], row["remark"]) for row in _list(cloud, token)] == [(one, "hall")]


def test_an_adopted_device_is_bound_by_passcode_once_it_has_logged_in(cloud):
    assert cloud.request("GET", "/dev/devices/" + ADOPTED).status == 200
    token = cloud.user("adopter")
    for passcode in ("", PASSCODE):
        assert _bind(cloud, token, {"did": ADOPTED, "passcode": passcode}).json["failed"] == [ADOPTED]
    with mqtt_device(cloud, ADOPTED):
        assert _bind(cloud, token, {"did": ADOPTED, "passcode": PASSCODE}).json["success"] == [ADOPTED]
        wait_until(lambda: _list(cloud, token)[0]["product_key"] == PRODUCT_KEY)


@pytest.mark.parametrize(
    "body", [{}, {"devices": {}}, {"devices": [1]}, {"devices": [{}]}, {"devices": [{"did": "x"}] * 1001}]
)
def test_binding_by_passcode_wants_a_list_of_devices(cloud, body):
    assert cloud.app("POST", "/app/bindings", body, cloud.user()).code == 9015


def test_every_user_gives_a_device_names_of_its_own(cloud):
    did = cloud.register("CD06")
    first, second = cloud.user("names 1"), cloud.user("names 2")
    for token in (first, second):
        cloud.bind(token, "CD06", dev_alias="lamp", remark="hall")
    names = {"remark": "备注", "dev_alias": "", "dev_label": ["标签1", "标签2"]}
    reply = cloud.app("PUT", "/app/bindings/" + did, names, first)
    assert (reply.status, reply.json) == (200, names)
    assert {**_list(cloud, first)[0], **names} == _list(cloud, first)[0]
    assert (_list(cloud, second)[0]["dev_alias"], _list(cloud, second)[0]["dev_label"]) == ("lamp", [])


def test_a_name_that_is_not_given_stays(cloud):
    did = cloud.register("CD07")
    token = cloud.user("partly")
    cloud.bind(token, "CD07", dev_alias="lamp", remark="hall")
    reply = cloud.app("PUT", "/app/bindings/" + did, {"dev_label": ["a"]}, token)
    assert reply.json == {"remark": "hall", "dev_alias": "lamp", "dev_label": ["a"]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"alias": "x"},
        {"remark": 1},
        {"remark": "x" * 257},
        {"dev_alias": "x" * 129},
        {"dev_label": "x"},
        {"dev_label": [1]},
        {"dev_label": [""]},
        {"dev_label": ["x" * 65]},
        {"dev_label": ["x"] * 33},
    ],
)
def test_a_name_that_cannot_be_kept_is_an_invalid_form(cloud, body):
    did = cloud.register("CD08")
    token = cloud.user("bad names")
    cloud.bind(token, "CD08")
    assert cloud.app("PUT", "/app/bindings/" + did, body, token).code == 9015


def test_a_device_that_was_reset_is_shown_among_the_disabled_ones_only(cloud):
    did = cloud.register("CD09")
    token = cloud.user("reset")
    cloud.bind(token, "CD09", dev_alias="before")
    again = cloud.register("CD09", passcode="RESETRESET")
    assert _list(cloud, token) == []
    (shown,) = _list(cloud, token, "?show_disabled=1")
    assert (shown["did"], shown["dev_alias"], shown["is_disabled"], shown["is_online"]) == (did, "before", True, False)
    cloud.bind(token, "CD09")
    assert [row["did"] for row in _list(cloud, token, "?show_disabled=1")] == [again, did]
    assert cloud.app("DELETE", "/app/bindings", {"devices": [{"did": did}]}, token).json["success"] == [did]
    assert [row["did"] for row in _list(cloud, token, "?show_disabled=1")] == [again]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/app/devices/%s"),
        ("GET", "/app/devices/%s/raw_data"),
        ("GET", "/app/devdata/%s/latest"),
        ("POST", "/app/control/%s"),
        ("PUT", "/app/bindings/%s"),
        ("GET", "/app/%s/bindings"),
    ],
)
def test_nothing_of_a_device_that_was_reset_is_reachable(cloud, method, path):
    did = cloud.register("CD0A")
    token = cloud.user("was mine")
    cloud.bind(token, "CD0A")
    cloud.register("CD0A", passcode="RESET" + path[5:9] + method)
    reply = cloud.app(method, path % did, {"remark": "x"} if method == "PUT" else None, token)
    assert (reply.status, reply.code) == (403, 9023)


def test_whoever_listens_is_told_of_every_binding_that_begins_or_ends(cloud):
    did = cloud.register("CD0B")
    told: queue.Queue = queue.Queue()
    forget = cloud.cloud.bus.subscribe(lambda event: told.put(event) if event.kind == "binding" else None)
    try:
        token = cloud.user("told")
        uid = cloud.app("GET", "/app/users", token=token).json["uid"]
        cloud.bind(token, "CD0B")
        cloud.bind(token, "CD0B", remark="bound already")
        cloud.app("DELETE", "/app/bindings", {"devices": [{"did": did}, {"did": did}]}, token)
    finally:
        forget()
    events = [told.get_nowait() for _ in range(told.qsize())]
    assert [event[1:] for event in events] == [(did, {"uid": uid, "bind": True}), (did, {"uid": uid, "bind": False})]


def test_the_lan_protocol_version_is_shown_when_asked_for(cloud):
    cloud.register("CD0C")
    token = cloud.user("lan")
    cloud.bind(token, "CD0C")
    assert _list(cloud, token, "?lan_prot_ver=1")[0]["lan_prot_ver"] == ""
    assert "lan_prot_ver" not in _list(cloud, token)[0]
