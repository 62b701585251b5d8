"""The metrics page and the little server that shows it."""

import asyncio
import contextlib
import re

import pytest
from gagent_linux.metrics import CONTENT_TYPE, build_page
from gagent_linux.metrics_server import MetricsServer
from testkit.broker_stub import BrokerStub
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.gagent_running import gagent_running, write_settings
from testkit.heard import in_loop, until
from testkit.mcu_on_pty import McuOnPty
from testkit.patience import PATIENCE_S

MAC = "A0B1C2D3E4F5"
SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? [0-9.e+-]+')


@contextlib.asynccontextmanager
async def serving(page=lambda: "page\n"):
    server = MetricsServer("127.0.0.1", 0, page, CONTENT_TYPE)
    await server.open()
    try:
        yield server.port
    finally:
        server.close()


async def ask(port, request):
    """The whole answer, head and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


def get(path):
    return b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode()


def values(page):
    """Sample with its labels -> value."""
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_a_running_process_tells_every_port(tmp_path):
    async def run():
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            head = 'api = "%s"\nstate = "%s"\n[metrics]\nlisten = "127.0.0.1:0"' % (api.url, tmp_path / "state")
            table = 'port = "%s"\nmac = "%s"\n' % (mcu.path, MAC)
            write_settings(tmp_path / "gagent.toml", head, pump=table, gone="/nosuch/one")
            with gagent_running(tmp_path, "--config", "gagent.toml") as process:
                await process.says("online, did")
                port = int(re.search(r"metrics on http://127.0.0.1:(\d+)/", process.said)[1])
                mcu.set(power=True)
                control = mcu.simulator.schema.encode_control({"power": False})
                envelope = b"\x00\x00\x00\x03" + bytes((len(control) + 7,)) + b"\x00\x00\x93\x00\x00\x00\x2a" + control
                broker.send(did_of(MAC), "app2dev/%s/usr1" % did_of(MAC), envelope)
                topic = "dev2app/%s/usr1" % did_of(MAC)
                await until(lambda: any(t == topic for t, _ in broker.published), "the control is answered")
                async with asyncio.timeout(PATIENCE_S):
                    depth = None  # of the outbox: the broker's ack takes its time
                    while depth != 0:
                        answer = (await ask(port, get("/metrics"))).decode()
                        head, _, page = answer.partition("\r\n\r\n")
                        depth = values(page)['gagent_outbox_depth{port="pump"}']
                assert head.startswith("HTTP/1.1 200 OK")
                assert CONTENT_TYPE in head
                for line in page.splitlines():
                    assert line.startswith(("# HELP ", "# TYPE ")) or SAMPLE.fullmatch(line), line
                seen = values(page)
                assert seen['gagent_mcu_ready{port="pump"}'] == 1
                assert seen['gagent_cloud_online{port="pump"}'] == 1
                assert seen['gagent_cloud_state{port="pump",state="online"}'] == 1
                assert seen['gagent_controls_total{port="pump"}'] == 1
                assert seen['gagent_reports_total{port="pump"}'] >= 1
                assert seen['gagent_link_events_total{port="pump",event="sent"}'] > 0
                assert seen['gagent_history_total{port="pump",event="logins"}'] == 1
                assert seen['gagent_port_open{port="gone"}'] == 0
                assert seen['gagent_cloud_online{port="gone"}'] == 0
                assert seen["process_start_time_seconds"] > 1704067200
                record = (tmp_path / "state" / "pump.json").read_text()
                assert re.search(r'"passcode": "(\w+)"', record)[1] not in answer

    in_loop(run())


def test_metrics_are_off_unless_asked_for(tmp_path):
    async def run():
        with gagent_running(tmp_path, "--port", "/nosuch/one", "--state", tmp_path / "state") as process:
            await process.says("does not exist")
            assert "metrics" not in process.said

    in_loop(run())


def test_an_address_that_is_taken_costs_the_metrics_only(tmp_path):
    async def run():
        async with serving() as port:
            head = 'state = "%s"\n[metrics]\nlisten = "127.0.0.1:%d"' % (tmp_path / "state", port)
            write_settings(tmp_path / "gagent.toml", head, one="/nosuch/one")
            with gagent_running(tmp_path, "--config", "gagent.toml") as process:
                await process.says("no metrics: 127.0.0.1:%d cannot be listened on" % port)
                await process.says("nosuch/one does not exist")
                assert await process.stops() == 0

    in_loop(run())


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/metrics"), b"200"),
        (get("/metrics?x=1"), b"200"),
        (get("/"), b"200"),
        (get("/other"), b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x00\xa5\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"y" * 5000 + b"\r\n\r\n", b"400"),
    ],
)
def test_a_request_gets_one_answer_and_the_end(request_, status):
    async def run():
        async with serving() as port:
            assert (await ask(port, request_)).split(b" ")[1] == status

    in_loop(run())


def test_head_gets_no_body():
    async def run():
        async with serving() as port:
            answer = await ask(port, b"HEAD /metrics HTTP/1.1\r\n\r\n")
            assert answer.endswith(b"Connection: close\r\n\r\n")
            assert b"Content-Length: 5\r\n" in answer

    in_loop(run())


def test_more_than_eight_clients_at_once_are_turned_away():
    async def run():
        async with serving() as port:
            idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
            assert (await ask(port, get("/metrics"))).split(b" ")[1] == b"503"
            for _, writer in idle:
                writer.close()
            answers = []
            while not answers or answers[-1] == b"503":
                answers.append((await ask(port, get("/metrics"))).split(b" ")[1])
            assert answers[-1] == b"200"

    in_loop(run())


def test_labels_are_escaped():
    port = {"name": "a", "is_open": True, "mcu": "ready", "cloud": 'on"\\\nline', "app_count": 0}
    counts = {"reports": 0, "controls": 0, "control_failures": 0, "queue_peak": 0}
    port.update(counts=counts, history={}, outbox={"depth": 0, "dropped": {}}, firmware={})
    page = build_page({"up_s": 1.5, "ports": [port]}, 2000.0)
    assert 'state="on\\"\\\\\\nline"' in page
    assert "process_start_time_seconds 1998.50\n" in page
