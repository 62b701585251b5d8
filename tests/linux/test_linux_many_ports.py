"""Many ports in one process, and ports that come and go."""

import ast

from testkit.broker_stub import GOODBYE, BrokerStub
from testkit.device_api_stub import DeviceApiStub
from testkit.gagent_running import gagent_running, status_of, write_settings
from testkit.heard import in_loop, until
from testkit.mcu_on_pty import McuOnPty
from testkit.replugging import replug
from testkit.repository import ROOT, sources

PORTS = 64


def test_64_ports_live_in_one_process_and_one_that_is_missing_stops_none(tmp_path):
    async def run():
        names = ["port%02d" % number for number in range(PORTS)]
        mcus = {name: McuOnPty(tmp_path, name) for name in names}
        missing = mcus[names[7]]
        for mcu in mcus.values():
            if mcu is not missing:
                mcu.power_on()
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            head = 'api = "%s"\nstate = "%s"' % (api.url, tmp_path / "state")
            write_settings(tmp_path / "gagent.toml", head, **{name: mcu.path for name, mcu in mcus.items()})
            with gagent_running(tmp_path, "--config", "gagent.toml") as process:
                await until(lambda: len(broker.logins) == PORTS - 1, "all but one are on line", lambda: process.said)
                assert "%s does not exist" % missing.path in process.said
                missing.power_on()
                await until(lambda: len(broker.logins) == PORTS, "the last one too", lambda: process.said)
                await process.says("online, did", PORTS)
                status = await status_of(tmp_path / "state")
                assert len({port["did"] for port in status.values()}) == PORTS
                assert {port["cloud"] for port in status.values()} == {"online"}
                # The trouble of one is its own.
                missing.power_off()
                await process.says("port07 is gone")
                mcus["port08"].set(power=True)
                topic = "dev2app/" + status["port08"]["did"]
                await until(lambda: any(t == topic for t, _ in broker.published), "another reports")
                assert set(broker.logins.values()) == {1}
                assert await process.stops() == 0
                await until(lambda: [p for _, p in broker.published].count(GOODBYE) == PORTS, "all said goodbye")

    in_loop(run())


def test_an_adapter_that_is_replugged_is_back_each_time(tmp_path):
    """`tests/soak/replug.py` does it fifty times and says how long it took."""
    assert len(in_loop(replug(tmp_path, 4))) == 4


def test_no_decision_is_made_by_the_wall_clock():
    """A clock that jumps moves nothing: who asks for the time of day, tells it to others or shows it."""
    tellers = {
        "runner.py": {"_tell_utc"},  # to the MCU
        "service.py": {"_open_metrics"},  # on the metrics page
        "redactor.py": {"_json"},  # in the log
        "tls.py": {"_explain"},  # in an error
        "cloud_checks.py": {"check_clock"},  # it is what is checked
        "bridge.py": {"__init__"},  # to the home broker
        "outbox.py": {"put", "_age"},  # how old a report is, across restarts; an implausible time has no age
    }
    found = {}
    for path in sources(ROOT / "ports" / "linux" / "gagent_linux"):
        tree = ast.parse(path.read_text())
        for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
            for node in ast.walk(function):
                wall = isinstance(node, ast.Attribute) and ast.unparse(node) in (
                    "time.time",
                    "time.strftime",
                    "time.gmtime",
                    "time.localtime",
                    "datetime.now",
                    "datetime.datetime.now",
                )
                if wall:
                    found.setdefault(path.name, set()).add(function.name)
    assert found == tellers
