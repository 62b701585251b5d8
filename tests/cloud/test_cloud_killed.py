"""The cloud is killed while devices report and apps write, again and again: what was acknowledged is there."""

import contextlib
import hashlib
import http.client
import threading
import time

import pytest
from localcloud.catalog import add_product
from localcloud.store.store import open_store
from localcloud.store.tables import device_sessions, messages
from sqlalchemy import create_engine, select
from testkit import databases
from testkit.cloud_process import CloudProcess
from testkit.cloud_running import APP_ID, LAMP, PASSCODE, PRODUCT_KEY, PRODUCT_SECRET, wait_until
from testkit.reporting_fleet import ReportingFleet

from gagent import wire

KILLS = 3
DEVICES = 10


class Writer:
    """An app that registers devices, makes users and binds them; keeps what it was told is done."""

    def __init__(self, cloud):
        self._cloud = cloud
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.tokens: list[str] = []
        self.bound: list[tuple[str, str]] = []

    def start(self):
        self._thread.start()

    def stop(self):
        self._is_over.set()
        self._thread.join()

    def _write(self):
        number = 0
        while not self._is_over.is_set():
            number += 1
            # While the cloud is dead nothing is acknowledged, and nothing need be there.
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
                self._write_once("%012X" % (0xA00000 + number))

    def _write_once(self, mac):
        token = _app(self._cloud, "POST", "/app/users", '{"phone_id": "%s"}' % mac).json["token"]
        self.tokens.append(token)
        did = _register(self._cloud, mac)
        stamp = str(int(time.time()))
        signature = hashlib.md5((PRODUCT_SECRET + stamp).encode()).hexdigest()
        body = '{"product_key": "%s", "mac": "%s"}' % (PRODUCT_KEY, mac)
        headers = {"X-Gizwits-Timestamp": stamp, "X-Gizwits-Signature": signature}
        if _app(self._cloud, "POST", "/app/bind_mac", body, token, headers).status == 201:
            self.bound.append((token, did))


@pytest.mark.parametrize("broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_every_acknowledged_write_is_there_and_devices_come_back(broker, tmp_path):
    url = databases.url_of(tmp_path)
    with contextlib.closing(open_store(url)) as store:
        add_product(store, LAMP, PRODUCT_SECRET)
    cloud = CloudProcess(tmp_path / "cloud", broker=broker, database_url=url)
    engine = create_engine(url)
    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        stack.callback(cloud.kill)
        cloud.start()
        writer = Writer(cloud)
        writer.start()
        stack.callback(writer.stop)
        dids = [_register(cloud, "%012X" % number) for number in range(DEVICES)]
        for kill in range(KILLS):
            written, reported = len(writer.bound), len(_stored(engine))
            fleet = ReportingFleet(cloud.mqtt_port, dids)
            fleet.connect()
            reporting = threading.Thread(target=_report, args=(fleet, 100 * kill))
            reporting.start()
            wait_until(lambda before=written: len(writer.bound) > before + 3)
            wait_until(lambda before=reported: len(_stored(engine)) > before + 3)
            cloud.kill()
            reporting.join()
            fleet.disconnect()
            cloud.start()
        writer.stop()
        for token in writer.tokens:
            assert _app(cloud, "GET", "/app/users", token=token).status == 200
        for token, did in writer.bound:
            assert [item["did"] for item in _app(cloud, "GET", "/app/bindings", token=token).json["devices"]] == [did]
        with engine.begin() as connection:
            # Sessions that the kill cut off are ended in the records; nobody is logged in now.
            assert connection.execute(select(device_sessions.c.did)).first() is None
        stored = _stored(engine)
        assert len(set(stored)) == len(stored)
        assert all(wire.decode(payload).p0.split(b" ")[0][1:].decode() in dids for payload in stored)


def _stored(engine):
    with engine.begin() as connection:
        return [bytes(payload) for payload in connection.execute(select(messages.c.payload)).scalars()]


def _report(fleet, first):
    with contextlib.suppress(ConnectionError, RuntimeError, ValueError):
        fleet.report(first, 100)


def _register(cloud, mac):
    form = "passcode=%s&mac=%s&product_key=%s" % (PASSCODE, mac, PRODUCT_KEY)
    return cloud.request("POST", "/dev/devices", form).body.decode().removeprefix("did=")


def _app(cloud, method, path, body="", token="", headers=None):
    sent = {"X-Gizwits-Application-Id": APP_ID, **({"X-Gizwits-User-token": token} if token else {}), **(headers or {})}
    return cloud.request(method, path, body, sent)
