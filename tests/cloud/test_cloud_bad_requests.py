"""Whatever is sent to the Open API, the answer is a success or a row of the error table, and the cloud lives on."""

import hashlib
import json
import socket
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from localcloud.auth import anyone
from localcloud.errors import ERRORS
from localcloud.limits import Limit
from localcloud.request import MAX_BODY
from localcloud.routes import ROUTES
from testkit.cloud_running import APP_ID, LAMP, PRODUCT_KEY, PRODUCT_SECRET, running_cloud
from testkit.patience import PATIENCE_S
from testkit.people import app_token, login

OPEN = [
    route for route in ROUTES if route.path.startswith(("/app", "/status", "/errors")) and route.caller is not anyone
]
WITH_BODY = [route for route in OPEN if route.method != "GET"]

SQL = "x' OR '1'='1'; DROP TABLE users; --"
BODIES = {
    "empty": b"",
    "blank": b" \r\n",
    "cut": b'{"username": "a',
    "list": b"[]",
    "text": b'"x"',
    "number": b"1e999999",
    "nan": b"NaN",
    "null": b"null",
    "nested": b"[" * 20000,
    "nested in a field": b'{"username":' + b"[" * 20000 + b"}",
    "no UTF-8": b'{"username": "\xff\xfe"}',
    "UTF-16": '{"username": "a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"username": "a"}',
    "NUL": b'{"username": "a\\u0000b", "phone_id": "\\u0000", "email": "a\\u0000@b", "phone": "\\u00001234567"}',
    "half a pair": b'{"username": "\\ud800", "phone_id": "\\udfff", "password": "\\ud800", "did": "\\ud800"}',
    "large number": b'{"username": ' + b"9" * 5000 + b"}",
    "keys twice": b'{"phone_id": "a", "phone_id": {}}',
    "too long": b'{"phone_id": "' + b"x" * MAX_BODY + b'"}',
    "form": b"username=a&password=b",
    "SQL": json.dumps(
        dict.fromkeys("username password phone_id email phone code did mac product_key remark src uid".split(), SQL)
    ).encode(),
}
FIELDS = (
    "username password phone_id email phone code lang authData src uid token old_pwd new_pwd name gender birthday "
    "address remark captcha_id captcha_code sms_code product_key mac did passcode devices dev_alias dev_label "
    "set_owner qrcode_content attrs raw"
).split()


def _headers(cloud):
    stamp = str(int(time.time()))
    return {
        "X-Gizwits-Application-Id": APP_ID,
        "X-Gizwits-User-token": cloud.user("bad requests"),
        "X-Gizwits-Application-Token": app_token(cloud),
        "X-Gizwits-Timestamp": stamp,
        "X-Gizwits-Signature": hashlib.md5((PRODUCT_SECRET + stamp).encode()).hexdigest(),
    }


@pytest.fixture(scope="module")
def headers(cloud):
    return _headers(cloud)


def _path(route, value="x" * 22):
    parts = [value if part.startswith("{") else part for part in route.path.split("/")]
    return "/".join(parts)


def check(reply):
    """A success, or an error as the table has it; JSON in either case."""
    assert b"Traceback" not in reply.body
    if reply.status == 204:
        assert reply.body == b""
        return
    assert reply.headers["Content-Type"] == "application/json"
    if reply.status >= 400:
        answer = reply.json
        assert set(answer) == {"error_code", "error_message", "detail_message", "detail_msg"}
        row = ERRORS[answer["error_code"]]
        assert (row.status, row.message) == (reply.status, answer["error_message"])
        assert reply.status != 500, answer


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: "%s %s" % route[:2])
def test_a_bad_body_is_an_error_of_the_table(cloud, headers, route, body):
    if route.path == "/app/logout":
        headers = {**headers, "X-Gizwits-User-token": cloud.user("logged out")}
    check(cloud.request(route.method, _path(route), body, headers))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    route=st.sampled_from([route for route in WITH_BODY if route.path != "/app/logout"]),
    form=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), JSON, max_size=8),
)
def test_fields_of_any_type_are_an_error_of_the_table(cloud, headers, route, form):
    check(cloud.request(route.method, _path(route), json.dumps(form), headers))


@pytest.mark.parametrize(
    "value", ["%00", "a%00b", "%ff%fe", "%2e%2e", "%27%20OR%201=1", "x" * 3000, "%F0%9F%92%A1", "%0d%0aX:1"]
)
@pytest.mark.parametrize("route", [route for route in OPEN if "{" in route.path], ids=lambda route: "%s %s" % route[:2])
def test_a_bad_path_is_an_error_of_the_table(cloud, headers, route, value):
    check(cloud.request(route.method, _path(route, value), b"{}", headers))


@pytest.mark.parametrize("value", ["", "-1", "1e9", "9" * 30, "%00", "%ff", "x", "1.5", "%E0%A5%A7", "' OR 1=1"])
@pytest.mark.parametrize(
    "route", [route for route in OPEN if route.method == "GET"], ids=lambda route: "%s %s" % route[:2]
)
def test_a_bad_query_is_an_error_of_the_table(cloud, headers, route, value):
    names = "limit skip type start_time end_time sort show_disabled show_proto_ver product_key mac".split()
    query = "&".join("%s=%s" % (name, value.replace(" ", "%20")) for name in names)
    check(cloud.request("GET", "%s?%s" % (_path(route), query), b"", headers))


@pytest.mark.parametrize("name", ["Application-Id", "User-token", "Application-Token", "Timestamp", "Signature"])
@pytest.mark.parametrize("value", ["", "\xff" * 20, "x" * 5000, "0" * 32, "-1", "1e5", "' OR 1=1 --", "\u00b2" * 10])
def test_a_bad_header_is_an_error_of_the_table(cloud, headers, name, value):
    form = json.dumps({"product_key": PRODUCT_KEY, "mac": "021122334455"})
    check(cloud.request("POST", "/app/bind_mac", form, {**headers, "X-Gizwits-" + name: value}))


def test_text_that_looks_like_sql_is_stored_as_it_is(cloud):
    token = cloud.user(SQL)
    assert cloud.app("PUT", "/app/users", {"name": SQL, "address": "%s %d \\ \"'"}, token).status == 200
    user = cloud.app("GET", "/app/users", token=token).json
    assert (user["name"], user["address"]) == (SQL, "%s %d \\ \"'")
    assert login(cloud, SQL).code == 9005


def _signed(cloud, token, at):
    stamp = str(int(at))
    signature = hashlib.md5((PRODUCT_SECRET + stamp).encode()).hexdigest()
    form = {"product_key": PRODUCT_KEY, "mac": "0211AA"}
    return cloud.app("POST", "/app/bind_mac", form, token, X_Gizwits_Timestamp=stamp, X_Gizwits_Signature=signature)


def test_a_signature_is_of_no_use_five_minutes_later_or_with_another_time(cloud):
    token = cloud.user()
    assert _signed(cloud, token, time.time()).code == 9014
    assert _signed(cloud, token, time.time() - 310).code == 9043
    # A minute more than that: time that passes on the way there brings it nearer.
    assert _signed(cloud, token, time.time() + 360).code == 9043
    now = time.time()
    signature = hashlib.md5((PRODUCT_SECRET + str(int(now))).encode()).hexdigest()
    form = {"product_key": PRODUCT_KEY, "mac": "0211AA"}
    replayed = {"X_Gizwits_Timestamp": str(int(now) + 1), "X_Gizwits_Signature": signature}
    assert cloud.app("POST", "/app/bind_mac", form, token, **replayed).code == 9044


def _raw(cloud, data):
    """What comes back for these bytes, after which the client has nothing more to say."""
    with socket.create_connection(("127.0.0.1", cloud.cloud.http_port), timeout=PATIENCE_S) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return _read_all(sock)


def _answer(cloud, data):
    """What comes back for a request that asks for the end of the connection."""
    with socket.create_connection(("127.0.0.1", cloud.cloud.http_port), timeout=PATIENCE_S) as sock:
        sock.sendall(data)
        return _read_all(sock)


def _read_all(sock):
    answer = b""
    while piece := sock.recv(65536):
        answer += piece
    return answer


NO_HTTP = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "no path": b"GET\r\n\r\n",
    "no version": b"nonsense\r\n\r\n",
    "no host": b"GET /status HTTP/1.1\r\n\r\n",
    "no length": b"POST /app/login HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
}


@pytest.mark.parametrize("data", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_gets_an_error_of_the_table_too(cloud, data):
    head, _, body = _raw(cloud, data).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/json" in head
    assert json.loads(body)["error_code"] == 9015


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [MAX_BODY + 1, 10 * MAX_BODY])
def test_a_body_that_is_too_long_is_refused_and_its_sender_can_read_why(cloud, size, chunked):
    head = (
        b"POST /app/login HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Gizwits-Application-Id: %s\r\n"
        % APP_ID.encode()
    )
    if chunked:
        data = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n"
    else:
        data = head + b"Content-Length: %d\r\n\r\n" % size + b"x" * size
    _, _, body = _answer(cloud, data).partition(b"\r\n\r\n")
    assert json.loads(body)["detail_message"] == "the body is longer than %d bytes" % MAX_BODY


def test_a_flood_from_one_address_is_throttled_and_devices_are_not(tmp_path):
    # One, and one more a minute later.
    with running_cloud(tmp_path, requests_per_minute=1) as cloud:
        replies = [cloud.app("GET", "/status") for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 429, 429]
        check(replies[-1])
        assert replies[-1].code == 9041
        assert cloud.register("AABBCC")


def test_a_limit_lets_a_burst_through_and_then_so_many_a_minute():
    limit = Limit(burst=3, per_minute=60)
    assert [limit.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert limit.take("b", 0.0)
    assert [limit.take("a", now) for now in (0.5, 1.0, 1.5, 2.0)] == [False, True, False, True]
    assert [limit.take("a", 1000.0) for _ in range(4)] == [True, True, True, False]


def test_what_is_given_back_can_be_taken_again():
    limit = Limit(burst=1, per_minute=1)
    assert limit.take("a", 0.0)
    limit.give_back("a", 0.0)
    limit.give_back("a", 0.0)
    limit.give_back("never taken", 0.0)
    assert [limit.take("a", 0.0) for _ in range(2)] == [True, False]


def test_a_limit_remembers_a_bounded_number_of_callers_and_first_of_all_the_last_ones():
    limit = Limit(burst=1, per_minute=0, max_keys=100)
    for number in range(1000):
        assert limit.take(str(number), 0.0)
    assert len(limit._left) <= 100
    assert not limit.take("999", 0.0)


def test_the_lamp_is_still_there(cloud):
    assert cloud.app("GET", "/app/datapoint?product_key=" + PRODUCT_KEY).json["name"] == LAMP["name"]
