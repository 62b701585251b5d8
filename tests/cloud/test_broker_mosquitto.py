"""What only mosquitto as the broker does: a child process, its files, and its end."""

import asyncio
import os
import select
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from localcloud.broker import BrokerError, DeviceLogin
from localcloud.mosquitto_process import find_binary, find_plugin
from testkit.mqtt_parts import DID, LOGIN, PASSCODE, in_loop, publish_packet, raw_client, running_broker
from testkit.patience import PATIENCE_S

CONNECTED = ("connected", DID, 120, "127.0.0.1", False)

_CLOUD = """
import asyncio, pathlib, sys
from testkit.mqtt_parts import running_broker

async def main():
    async with running_broker("mosquitto", pathlib.Path(sys.argv[1])):
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.mosquitto
@in_loop
async def test_dead_mosquitto_is_started_again_and_its_devices_are_offline(tmp_path):
    async with running_broker("mosquitto", tmp_path, LOGIN) as bench:
        async with raw_client(bench) as device:
            await device.connect()
            assert await bench.presence.next() == CONNECTED
            os.kill(_mosquitto_of(os.getpid()), signal.SIGKILL)
            assert await bench.presence.next() == ("disconnected", DID, "tcp_closed")
        late = DeviceLogin("Late", "PASSCODE", "", False)
        bench.store.put(late)
        await bench.broker.admit(late)
        for login in (LOGIN, late):
            async with raw_client(bench) as device:
                assert await device.connect(login) == 0
                assert (await bench.presence.next())[:2] == ("connected", login.did)
            assert (await bench.presence.next())[:2] == ("disconnected", login.did)


@pytest.mark.mosquitto
@in_loop
async def test_cloud_session_survives_a_dead_mosquitto(tmp_path):
    async with running_broker("mosquitto", tmp_path, LOGIN) as bench:
        os.kill(_mosquitto_of(os.getpid()), signal.SIGKILL)
        late = DeviceLogin("Late", "PASSCODE", "", False)
        await bench.broker.admit(late)  # returns when the next mosquitto has answered
        async with raw_client(bench) as device:
            await device.connect()
            while bench.messages.empty():
                device.send(publish_packet("dev2app/" + DID, b"report"))
                await asyncio.sleep(0.05)  # the cloud's session is on its way back


@pytest.mark.mosquitto
@in_loop
async def test_files_are_private_and_hold_no_passcode(tmp_path):
    async with running_broker("mosquitto", tmp_path, LOGIN) as bench:
        await bench.broker.admit(DeviceLogin("Late", "PASSCODE", "", False))
        files = list((tmp_path / "mosquitto").iterdir())
        assert files
        for path in files:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert not {PASSCODE, "PASSCODE", bench.broker.cloud_password} & set(path.read_text().split('"'))


@pytest.mark.mosquitto
@in_loop
async def test_adopted_device_is_refused_until_its_passcode_is_known(tmp_path):
    stub = DeviceLogin(DID, "", "", False)
    async with running_broker("mosquitto", tmp_path, stub) as bench:
        async with raw_client(bench) as device:
            assert await device.connect(password=PASSCODE) == 5
        bench.store.put(LOGIN)
        await bench.broker.admit(LOGIN)
        async with raw_client(bench) as device:
            assert await device.connect() == 0


@pytest.mark.mosquitto
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_mosquitto_ends_with_a_killed_cloud(tmp_path):
    tests, root = Path(__file__).parents[1], Path(__file__).parents[2]
    paths = os.pathsep.join(map(str, (tests, root, root / "tools")))
    cloud = subprocess.Popen(
        [sys.executable, "-c", _CLOUD, tmp_path], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        assert cloud.stdout.readline() == b"up\n"
        mosquitto = os.pidfd_open(_mosquitto_of(cloud.pid))
    finally:
        cloud.kill()
        cloud.communicate()
    assert select.select([mosquitto], [], [], PATIENCE_S)[0], "mosquitto is still running"
    os.close(mosquitto)


def test_missing_mosquitto_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="apt-get install mosquitto"):
        find_binary(folders=())
    with pytest.raises(BrokerError, match=r"version 2\.0 and later.*apt-get install mosquitto"):
        find_plugin(folders=[str(tmp_path)])


def _mosquitto_of(pid):
    children = Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()
    (mosquitto,) = (int(child) for child in children if Path("/proc/%s/comm" % child).read_text() == "mosquitto\n")
    return mosquitto
