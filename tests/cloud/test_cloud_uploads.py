"""A file of an MCU comes as one PUBLISH, its pieces seconds apart, and is no state."""

import socket
import time

import pytest
from localcloud.intake import MAX_P0
from localcloud.store.history import Span
from localcloud.store.tables import device_files
from sqlalchemy import select
from testkit.cloud_running import PASSCODE, running_cloud, wait_until
from testkit.mqtt_parts import connect_packet, publish_packet
from testkit.patience import PATIENCE_S

from gagent import wire


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def each(request, tmp_path):
    with running_cloud(tmp_path, broker=request.param) as cloud:
        yield cloud


@pytest.mark.parametrize("size", [MAX_P0 + 1, 65000])
def test_a_file_in_pieces_is_kept_whole_and_apps_are_not_sent_it(each, size):
    did = each.register("F1%06d" % size)
    file = bytes(number % 251 for number in range(size))
    told = []
    each.do(_listen(each.cloud, told))
    payload = wire.encode(wire.CLOUD_REPORT, file)
    packet = publish_packet("dev2app/" + did, payload)
    with socket.create_connection(("127.0.0.1", each.cloud.mqtt_port), timeout=PATIENCE_S) as sock:
        sock.sendall(connect_packet(did, did, PASSCODE, level=3))
        assert sock.recv(4, socket.MSG_WAITALL) == b"\x20\x02\x00\x00"
        for start in range(0, len(packet), 16000):
            sock.sendall(packet[start : start + 16000])
            time.sleep(0.01)  # pieces of their own on the wire: the module writes them as they come from the MCU
        wait_until(lambda: told)
    [event] = told
    assert (event.kind, event.did, event.data["size"]) == ("file", did, size)
    assert each.cloud.store.intake.file(event.data["name"]) == file
    assert each.cloud.store.devices.get(did).attrs == {}
    _, [message] = each.cloud.store.history.messages(did, Span(0.0, time.time() + 60, True, 0, 10))
    assert bytes(message.payload) == payload[: len(payload) - size]


def test_the_longest_p0_is_a_report_and_no_file(fresh_cloud):
    did = fresh_cloud.register("F2000001")
    told = []
    fresh_cloud.do(_listen(fresh_cloud.cloud, told))
    payload = wire.encode(wire.CLOUD_REPORT, b"\x06" + bytes(MAX_P0 - 1))
    with socket.create_connection(("127.0.0.1", fresh_cloud.cloud.mqtt_port), timeout=PATIENCE_S) as sock:
        sock.sendall(connect_packet(did, did, PASSCODE, level=3))
        assert sock.recv(4, socket.MSG_WAITALL) == b"\x20\x02\x00\x00"
        sock.sendall(publish_packet("dev2app/" + did, payload))
        wait_until(lambda: told)
    assert told[0].kind == "message"
    with fresh_cloud.cloud.store._engine.begin() as connection:
        assert connection.execute(select(device_files.c.name)).first() is None


async def _listen(cloud, told):
    cloud.bus.subscribe(lambda event: told.append(event) if event.kind in ("file", "message") else None)
