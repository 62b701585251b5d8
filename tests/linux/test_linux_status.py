"""`gagent status`: what it says, its exit codes, and the socket it asks through."""

import json
import os
import socket
import stat

import pytest
from gagent_linux import control_socket
from gagent_linux.control_socket import ControlSocket
from gagent_linux.status import duration, is_good
from testkit.broker_stub import BrokerStub
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.gagent_running import gagent, gagent_running, status_of, write_settings
from testkit.heard import in_loop, until
from testkit.mcu_on_pty import McuOnPty

MAC = "A0B1C2D3E4F5"


def test_it_says_who_is_on_line_for_how_long_and_exits_by_it(tmp_path):
    async def run():
        state = tmp_path / "state"
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            flags = ("--port", mcu.path, "--name", "pump", "--api", api.url, "--state", state)
            with gagent_running(tmp_path, *flags) as process:
                await process.says("online, did")
                result = await gagent("status", "--state", state)
                assert result.returncode == 0, result
                heads, row = result.stdout.splitlines()[1:3]
                assert heads.split() == "PORT SERIAL MCU CLOUD DID REPORTS CONTROLS FAILED OUTBOX".split()
                assert row.startswith("pump  %s  ready " % mcu.path)
                assert "online" in row
                did = json.loads((state / "pump.json").read_text())["identity"]["did"]
                assert did in row
                mcu.power_off()
                await process.says("is gone")
                result = await gagent("status", "--state", state)
                assert result.returncode == 1
                assert "no port" in result.stdout
                assert "pump: %s does not exist: plug the adapter in" % mcu.path in result.stdout

    in_loop(run())


def test_json_has_everything_and_no_secret(tmp_path):
    async def run():
        state = tmp_path / "state"
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            head = 'api = "%s"\nstate = "%s"' % (api.url, state)
            table = 'port = "%s"\nmac = "%s"\n' % (mcu.path, MAC)
            write_settings(tmp_path / "gagent.toml", head, pump=table, gone="/nosuch/one")
            with gagent_running(tmp_path, "--config", "gagent.toml") as process:
                await process.says("online, did")
                result = await gagent("status", "--config", tmp_path / "gagent.toml", "--json")
                assert result.returncode == 1
                ports = {port["name"]: port for port in json.loads(result.stdout)["processes"][0]["ports"]}
                pump = ports["pump"]
                assert (pump["mcu"], pump["cloud"], pump["did"]) == ("ready", "online", did_of(MAC))
                assert pump["history"]["logins"] == 1
                assert pump["counts"]["sent"] > 0
                assert pump["outbox"]["depth"] == 0
                assert (ports["gone"]["mcu"], ports["gone"]["cloud"]) == ("no port", "off")
                assert json.loads((state / "pump.json").read_text())["identity"]["passcode"] not in result.stdout

    in_loop(run())


def test_a_port_without_a_cloud_needs_its_mcu_only():
    port = {"mcu": "ready", "cloud": "off", "uplink": "none"}
    assert is_good(port)
    assert not is_good({**port, "uplink": "cloud"})
    assert not is_good({**port, "mcu": "silent"})


def test_without_a_process_it_exits_with_2_and_says_where_it_looked(tmp_path):
    async def run():
        result = await gagent("status", "--state", tmp_path / "nosuch")
        assert (result.returncode, result.stdout) == (2, "")
        assert "no process runs in %s/nosuch" % tmp_path in result.stderr
        assert json.loads((await gagent("status", "--state", tmp_path, "--json")).stdout) == {"processes": []}

    in_loop(run())


def test_two_processes_share_a_state_directory(tmp_path):
    async def run():
        state = tmp_path / "state"
        folders = [tmp_path / "a", tmp_path / "b"]
        for folder in folders:
            folder.mkdir()
        with (
            gagent_running(folders[0], "--port", "/nosuch/a", "--name", "a", "--state", state) as one,
            gagent_running(folders[1], "--port", "/nosuch/b", "--name", "b", "--state", state) as two,
        ):
            await one.says("does not exist")
            await two.says("does not exist")
            await until(lambda: len(list(state.glob("control-*.sock"))) == 2, "both listen")
            assert sorted(await status_of(state)) == ["a", "b"]
            one.kill()
            assert sorted(await status_of(state)) == ["b"]
            assert [path.name for path in state.glob("control-*.sock")] == ["control-%d.sock" % two.pid]

    in_loop(run())


def test_only_the_user_itself_may_ask(tmp_path):
    async def run():
        server = ControlSocket(str(tmp_path / "state"), dict)
        os.umask(0)
        await server.open()
        (path,) = (tmp_path / "state").glob("control-*.sock")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
        server.close()
        assert not path.exists()

    before = os.umask(0o22)
    try:
        in_loop(run())
    finally:
        os.umask(before)


def test_a_socket_has_its_name_only_once_it_listens(tmp_path, monkeypatch):
    """Whoever asked between the two would take it away as a dead process's."""
    seen = []
    real = socket.socket.listen

    def watching(sock, *backlog):
        seen.append(list(tmp_path.glob("control-*.sock")))
        real(sock, *backlog)

    async def run():
        server = ControlSocket(str(tmp_path), dict)
        await server.open()
        server.close()

    monkeypatch.setattr(socket.socket, "listen", watching)
    in_loop(run())
    assert seen[0] == []
    assert list(tmp_path.iterdir()) == []


def test_a_path_longer_than_an_address_is_no_trouble(tmp_path):
    async def run():
        state = tmp_path / ("long" * 40)
        with gagent_running(tmp_path, "--port", "/nosuch/a", "--name", "a", "--state", state) as process:
            await process.says("does not exist")
            assert list(await status_of(state)) == ["a"]

    in_loop(run())


def test_who_connects_and_says_and_takes_nothing_holds_nobody_up(tmp_path):
    async def run():
        state = tmp_path / "state"
        with gagent_running(tmp_path, "--port", "/nosuch/a", "--name", "a", "--state", state) as process:
            await process.says("does not exist")
            await until(lambda: list(state.glob("control-*.sock")), "it listens")
            with control_socket._address(str(state), "control-%d.sock" % process.pid) as address:
                idle = [socket.socket(socket.AF_UNIX) for _ in range(20)]
                for sock in idle:
                    sock.connect(address)
            assert list(await status_of(state)) == ["a"]
            assert await process.stops() == 0
            for sock in idle:
                sock.close()

    in_loop(run())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3661, "1 h 1 min"), (90061, "1 d 1 h"), (86400, "1 d")],
)
def test_a_time_is_told_in_its_two_largest_units(seconds, words):
    assert duration(seconds) == words
