"""Two clouds side by side on one mosquitto and one PostgreSQL, one of them killed while devices report."""

import contextlib
import threading
from collections import Counter

import pytest
from localcloud.catalog import add_transparent_product
from localcloud.store.store import open_store
from localcloud.store.tables import device_sessions, leases, messages, presence
from sqlalchemy import create_engine, func, select
from testkit.cloud_process import CloudProcess
from testkit.cloud_running import PASSCODE, PRODUCT_KEY, wait_until
from testkit.postgresql_running import postgresql_running
from testkit.reporting_fleet import ReportingFleet, report
from testkit.shared_mosquitto import shared_mosquitto

pytestmark = [pytest.mark.mosquitto, pytest.mark.postgresql]

DEVICES = 20
ROUNDS = 60


@pytest.fixture
def shared_parts(tmp_path):
    """(broker URL, database URL, its engine) of two workers."""
    with shared_mosquitto(tmp_path) as broker, postgresql_running() as server:
        url = server.url(tmp_path)
        with contextlib.closing(open_store(url)) as store:
            add_transparent_product(store, PRODUCT_KEY)
        engine = create_engine(url)
        yield broker.url, url, engine
        engine.dispose()


def test_nothing_is_lost_and_nothing_is_done_twice_when_a_worker_is_killed(shared_parts, tmp_path):
    broker, database, engine = shared_parts
    with contextlib.ExitStack() as stack:
        one, two = _workers(stack, tmp_path, broker, database)
        dids = [_register((one, two)[i % 2], "%012X" % i) for i in range(DEVICES)]
        fleet = ReportingFleet(one.mqtt_port, dids)
        fleet.connect()
        stack.callback(fleet.disconnect)
        wait_until(lambda: _count(engine, device_sessions) == DEVICES)
        reporting = threading.Thread(target=fleet.report, args=(0, ROUNDS))
        reporting.start()
        # In the middle of it, whatever it has half done then.
        wait_until(lambda: _count(engine, messages) > DEVICES * ROUNDS // 4)
        one.kill()
        reporting.join()
        fleet.report(ROUNDS, 5)
        two.wait_for("is drained and removed")
        expected = Counter(report(did, number) for did in dids for number in range(ROUNDS + 5))
        wait_until(lambda: _count(engine, messages) >= expected.total())
        with engine.begin() as connection:
            stored = Counter(bytes(payload) for payload in connection.execute(select(messages.c.payload)).scalars())
        assert stored == expected
        assert _count(engine, leases) == 2  # the living worker's reports, and who comes and goes
        # Who comes and goes is told to the one that is left, whoever was told before.
        fleet.disconnect()
        wait_until(lambda: _count(engine, device_sessions) == 0)
        with engine.begin() as connection:
            kinds = Counter(connection.execute(select(presence.c.type)).scalars())
        assert kinds == {"dev_online": DEVICES, "dev_offline": DEVICES}


def test_a_worker_that_stops_leaves_its_share_to_the_other(shared_parts, tmp_path):
    broker, database, engine = shared_parts
    with contextlib.ExitStack() as stack:
        one, two = _workers(stack, tmp_path, broker, database)
        dids = [_register(two, "%012X" % i) for i in range(4)]
        fleet = ReportingFleet(one.mqtt_port, dids)
        fleet.connect()
        stack.callback(fleet.disconnect)
        fleet.report(0, 10)
        one.stop()
        fleet.report(10, 10)
        two.wait_for("is drained and removed")
        wait_until(lambda: _count(engine, messages) >= 80)
        assert _count(engine, messages) == 80


def _workers(stack, folder, broker, database):
    workers = [CloudProcess(folder / name, broker=broker, database_url=database) for name in ("one", "two")]
    for worker in workers:
        stack.callback(worker.kill)
        worker.start()
    return workers


def _register(worker, mac):
    reply = worker.request("POST", "/dev/devices", "passcode=%s&mac=%s&product_key=%s" % (PASSCODE, mac, PRODUCT_KEY))
    assert reply.status == 201, reply
    return reply.body.decode().removeprefix("did=")


def _count(engine, table):
    with engine.begin() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()
