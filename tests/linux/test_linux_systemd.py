"""The service manager's side: what it is told, when the watchdog is not, and the unit file."""

import asyncio
import os
import shutil
import signal
import subprocess
from itertools import pairwise

import pytest
from gagent_linux.progress import Progress
from gagent_linux.service import Service
from gagent_linux.settings import PortSettings, Settings
from gagent_linux.systemd import ServiceManager
from testkit.broker_stub import BrokerStub
from testkit.device_api_stub import DeviceApiStub
from testkit.gagent_running import gagent_running, write_settings
from testkit.heard import LogText, in_loop
from testkit.mcu_on_pty import McuOnPty
from testkit.notify_socket import notify_socket
from testkit.pty_pair import PtyPair
from testkit.repository import ROOT

UNIT = ROOT / "ports" / "linux" / "gagent.service"


@pytest.mark.parametrize("is_abstract", [False, True])
def test_a_service_is_ready_reloads_and_stops_aloud(tmp_path, is_abstract):
    async def run():
        write_settings(tmp_path / "gagent.toml", 'state = "%s"' % (tmp_path / "state"), one="/nosuch/one")
        with (
            notify_socket(is_abstract) as manager,
            gagent_running(tmp_path, "--config", "gagent.toml", **manager.environ) as process,
        ):
            assert await manager.next() == "READY=1"
            await manager.hears("STATUS=0 of 1 ports on line")
            assert "WATCHDOG=1" not in manager.heard[:1]
            process.signal(signal.SIGHUP)
            reloading = await manager.hears("RELOADING=1\nMONOTONIC_USEC=")
            assert int(reloading.rpartition("=")[2]) > 0
            await manager.hears("READY=1")
            await process.stops()
            await manager.hears("STOPPING=1")

    in_loop(run())


def test_a_reload_that_fails_ends_with_ready_too(tmp_path):
    async def run():
        write_settings(tmp_path / "gagent.toml", 'state = "%s"' % (tmp_path / "state"), one="/nosuch/one")
        with (
            notify_socket() as manager,
            gagent_running(tmp_path, "--config", "gagent.toml", **manager.environ) as process,
        ):
            await manager.hears("READY=1")
            (tmp_path / "gagent.toml").write_text("[")
            process.signal(signal.SIGHUP)
            await manager.hears("RELOADING=1")
            await manager.hears("READY=1")

    in_loop(run())


def test_ports_that_wait_keep_the_watchdog_content(tmp_path):
    """An adapter that is missing, an MCU that is silent and a cloud that is away are all waited for."""

    async def run():
        silent = PtyPair(tmp_path, "silent")
        silent.plug_in()
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        head = 'api = "http://127.0.0.1:1"\nstate = "%s"' % (tmp_path / "state")
        write_settings(tmp_path / "gagent.toml", head, missing="/nosuch/one", silent=silent.path, alone=mcu.path)
        with notify_socket() as manager:
            environ = {**manager.environ, "WATCHDOG_USEC": "150000"}
            with gagent_running(tmp_path, "--config", "gagent.toml", **environ) as process:
                await process.says("the MCU does not answer")
                await process.says("the cloud cannot be reached")
                manager.forget()
                for _ in range(5):
                    await manager.hears("WATCHDOG=1")

    in_loop(run())


def test_a_port_that_makes_no_progress_stops_the_beats_and_is_named(tmp_path):
    async def run():
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            settings = Settings((PortSettings("mcu", mcu.path),), str(tmp_path / "state"), api.url)
            log = LogText()
            with notify_socket() as notified:
                manager = ServiceManager({**notified.environ, "WATCHDOG_USEC": "60000"})
                service = Service(settings, lambda: settings, manager, log.logger, log.redactor, {})
                running = asyncio.create_task(service.run())
                await notified.hears("WATCHDOG=1")

                def explode(now):
                    raise RuntimeError("broken")

                for _ in range(20):
                    service._gateway.runners[0].feed(explode)
                await log.says("port mcu makes no progress: explode failed 20 times in a row")
                notified.forget()
                for _ in range(4):
                    await notified.hears("STATUS=")
                assert "WATCHDOG=1" not in notified.heard
                os.kill(os.getpid(), signal.SIGTERM)
                assert await running == 0

    in_loop(run())


def test_an_agent_that_always_fails_is_not_asked_faster_than_once_a_second(tmp_path):
    async def run():
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        log = LogText()
        settings = Settings((PortSettings("mcu", mcu.path),), str(tmp_path / "state"), "http://127.0.0.1:1")
        service = Service(settings, lambda: settings, ServiceManager({}), log.logger, log.redactor, {})
        running = asyncio.create_task(service.run())
        await log.says("MCU is there")
        runner = service._gateway.runners[0]

        asked = []

        def handle_timeout(now):
            asked.append(now)
            raise RuntimeError("broken")

        runner.agent.handle_timeout = handle_timeout
        runner.agent.next_timeout = lambda: 0
        runner.feed(runner.agent.handle_timeout)
        await log.says("internal error in handle_timeout", 3)
        assert all(later - earlier >= 1000 for earlier, later in pairwise(asked))
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    in_loop(run())


def test_progress_is_a_met_deadline_and_an_input_that_succeeds_now_and_then():
    progress = Progress()
    assert progress.blocked(None, 10**9) == ""
    assert progress.blocked(1000, 11000) == ""
    assert progress.blocked(1000, 11001) == "its timer is 10 s late"
    for _ in range(19):
        progress.failed("receive_serial")
    assert progress.blocked(None, 0) == ""
    progress.done("receive_serial")
    progress.failed("receive_serial")
    assert progress.blocked(None, 0) == ""


def test_without_a_service_manager_nothing_is_said_and_nothing_fails():
    manager = ServiceManager({})
    assert manager.beat_s is None
    manager.ready()
    ServiceManager({"NOTIFY_SOCKET": "/nosuch/socket"}).ready()


@pytest.mark.parametrize(
    ("environ", "beat_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 10),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_told_three_times_in_its_time(environ, beat_s):
    assert ServiceManager(environ).beat_s == beat_s


# The unit file.


def directives():
    """(section, key) -> its values, in order."""
    found = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault((section, key), []).append(value)
    return found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("WatchdogSec", "30s"),
        ("Restart", "always"),
        ("DynamicUser", "yes"),
        ("StateDirectory", "gagent"),
        ("SupplementaryGroups", "dialout"),
        ("ProtectSystem", "strict"),
        ("PrivateTmp", "yes"),
        ("NoNewPrivileges", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallFilter", "@system-service"),
        ("DevicePolicy", "closed"),
        ("DeviceAllow", "char-ttyUSB rw"),
        ("CapabilityBoundingSet", ""),
    ],
)
def test_the_unit_watches_and_confines_the_service(key, value):
    assert directives()["Service", key][0] == value


def test_the_unit_starts_a_command_that_exists():
    from gagent_linux.__main__ import _parser

    words = directives()["Service", "ExecStart"][0].replace("${STATE_DIRECTORY}", "/var/lib/gagent").split()
    assert words[0].endswith("/bin/gagent")
    arguments = _parser().parse_args(words[1:])
    assert arguments.config == "/etc/gagent.toml"


def test_systemd_itself_finds_no_fault_with_the_unit(tmp_path):
    """Where systemd is not installed, the tests above are what is left."""
    command = shutil.which("systemd-analyze")
    if command is None:
        return
    unit = tmp_path / "gagent.service"
    unit.write_text(UNIT.read_text().replace("/opt/gagent/bin/gagent", shutil.which("true")))
    verified = subprocess.run([command, "verify", str(unit)], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    # 0 is a service without any right, 100 one that is not confined at all.
    rated = subprocess.run(
        [command, "security", "--offline=true", "--no-pager", "--threshold=20", str(unit)],
        capture_output=True,
        text=True,
    )
    assert rated.returncode == 0, rated.stdout
