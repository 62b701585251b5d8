"""Reference modules call recv once. These tests do the same, with a socket and nothing above it."""

import re
import select
import socket

import pytest
from testkit.cloud_running import APP_ID, PASSCODE, PRODUCT_KEY, RunningCloud
from testkit.patience import PATIENCE_S

# One lost race in so many is a failure: an answer in two segments would be caught.
ROUNDS = 40


def _read_once(cloud: RunningCloud, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", cloud.cloud.http_port), timeout=PATIENCE_S) as sock:
        sock.sendall(request)
        assert select.select([sock], [], [], PATIENCE_S)[0]
        return sock.recv(1024)


def _post(body: bytes) -> bytes:
    # As reference modules write it: no space after the colon, no Connection, an unencoded form.
    head = b"POST /dev/devices HTTP/1.1\r\nHost:api.gizwits.com\r\nContent-Length:%d\r\n" % len(body)
    return head + b"Content-Type:application/x-www-form-urlencoded\r\n\r\n" + body


def test_a_registration_is_answered_in_one_segment_byte_for_byte(cloud):
    body = b"passcode=%s&mac=BB0000000001&product_key=%s" % (PASSCODE.encode(), PRODUCT_KEY.encode())
    for _ in range(ROUNDS):
        answer = _read_once(cloud, _post(body))
        assert re.fullmatch(
            rb"HTTP/1\.1 201 Created\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
            rb"1a\r\ndid=[0-9A-Za-z]{22}\r\n0\r\n\r\n",
            answer,
        ), answer


def test_provisioning_is_answered_in_one_segment(cloud):
    did = cloud.register("BB0000000002")
    request = b"GET /dev/devices/%s HTTP/1.1\r\nHost: api.gizwits.com\r\nCache-Control: no-cache\r\n\r\n" % did.encode()
    for _ in range(ROUNDS):
        answer = _read_once(cloud, request)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"&biz_log=0&sys_log=0\r\n0\r\n\r\n")


def test_an_error_is_answered_in_one_segment(cloud):
    answer = _read_once(cloud, _post(b"nonsense"))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"}\r\n0\r\n\r\n")


def test_delete_with_a_body_is_answered_with_nothing_in_it(cloud):
    did = cloud.register("BB0000000003")
    body = b"did=%s&passcode=%s" % (did.encode(), PASSCODE.encode())
    answer = _read_once(
        cloud, b"DELETE /dev/devices HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    assert answer == b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 0\r\n\r\n"


def test_the_open_api_is_answered_in_one_segment_with_headers_as_people_write_them(cloud):
    request = b"GET /status HTTP/1.1\r\nHost: h\r\nx-gizwits-APPLICATION-id: %s\r\n\r\n" % APP_ID.encode()
    answer = _read_once(cloud, request)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in head + b"\r\n"
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head + b"\r\n"
    assert b"\r\nAccess-Control-Allow-Origin: *" in head


def test_two_requests_on_one_connection_are_answered_in_turn(cloud):
    request = b"GET /dev/ota/v4.1/latest HTTP/1.1\r\nHost: h\r\n\r\n"
    with socket.create_connection(("127.0.0.1", cloud.cloud.http_port), timeout=PATIENCE_S) as sock:
        for _ in range(2):
            sock.sendall(request)
            assert select.select([sock], [], [], PATIENCE_S)[0]
            answer = sock.recv(1024)
            assert answer.startswith(b"HTTP/1.1 404 ")
            assert answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"POST /dev/devices HTTP/1.1\r\n\r\n"])
def test_what_is_no_http_is_answered_with_400_and_the_connection_ends(cloud, garbage):
    with socket.create_connection(("127.0.0.1", cloud.cloud.http_port), timeout=PATIENCE_S) as sock:
        sock.sendall(garbage)
        answer = b""
        while data := sock.recv(1024):
            answer += data
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Traceback" not in answer
