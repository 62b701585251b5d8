"""SIGHUP and SIGTERM on a running process: what changes, what stays, and what has left when it ends."""

import contextlib
import os
import signal

import pytest
from testkit.broker_stub import GOODBYE, BrokerStub
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.gagent_running import gagent_running, status_of, write_settings
from testkit.heard import in_loop, until
from testkit.mcu_on_pty import McuOnPty

NAMES = ("kept", "changed", "removed", "added")


class Scene:
    """Four MCUs, a cloud, a settings file."""

    def __init__(self, folder):
        self.folder = folder
        self.state = folder / "state"
        self.file = folder / "gagent.toml"
        self.broker = BrokerStub()
        self.mcus = {name: McuOnPty(folder, name) for name in NAMES}
        for mcu in self.mcus.values():
            mcu.power_on()

    @contextlib.asynccontextmanager
    async def running(self):
        async with self.broker.running(), DeviceApiStub(self.broker.port).running() as api:
            self.head = 'api = "%s"\nstate = "%s"\n' % (api.url, self.state)
            self.write(kept=self.port("kept"), changed=self.port("changed"), removed=self.port("removed"))
            with gagent_running(self.folder, "--config", self.file) as self.process:
                await self.process.says("online, did", 3)
                yield

    def port(self, name, more=""):
        mac = "A0B1C2D3E4%02X" % NAMES.index(name)
        return 'port = "%s"\nmac = "%s"\n%s' % (self.mcus[name].path, mac, more)

    def write(self, head="", **ports):
        write_settings(self.file, self.head + head, **ports)

    def logins(self, name):
        return self.broker.logins.get(did_of("A0B1C2D3E4%02X" % NAMES.index(name)), 0)


def test_sighup_starts_stops_and_restarts_what_changed_and_nothing_else(tmp_path):
    async def run():
        scene = Scene(tmp_path)
        async with scene.running():
            scene.write(
                kept=scene.port("kept"), changed=scene.port("changed", "baud = 19200\n"), added=scene.port("added")
            )
            scene.process.signal(signal.SIGHUP)
            await scene.process.says("settings reloaded, 3 ports")
            await until(lambda: scene.logins("added") == 1, "the new port is on line", lambda: scene.process.said)
            await until(lambda: scene.logins("changed") == 2, "the changed port is back", lambda: scene.process.said)
            assert sorted(await status_of(scene.state)) == ["added", "changed", "kept"]
            assert (await status_of(scene.state))["changed"]["baud"] == 19200
            assert scene.logins("kept") == 1
            assert scene.logins("removed") == 1
            goodbye = (did_of("A0B1C2D3E402"), GOODBYE)
            await until(lambda: goodbye in scene.broker.published, "the removed port has said goodbye")
            assert "in use by" not in scene.process.said
            # The port that was not touched still works.
            scene.mcus["kept"].set(power=True)
            topic = "dev2app/" + did_of("A0B1C2D3E400")
            await until(lambda: any(t == topic for t, _ in scene.broker.published), "a report of the kept port")

    in_loop(run())


@pytest.mark.parametrize(
    ("text", "why"), [("baud = 0", "baud = 0: expected"), ("[[[", "not TOML"), (None, "cannot be read")]
)
def test_a_settings_file_that_is_wrong_changes_nothing_and_says_why(tmp_path, text, why):
    async def run():
        scene = Scene(tmp_path)
        async with scene.running():
            if text is None:
                os.unlink(scene.file)
            else:
                scene.write(kept=scene.port("kept", text))
            scene.process.signal(signal.SIGHUP)
            await scene.process.says("not reloaded, everything goes on as before: ")
            assert why in scene.process.said
            assert [scene.logins(name) for name in NAMES] == [1, 1, 1, 0]
            assert sorted(await status_of(scene.state)) == ["changed", "kept", "removed"]
            assert await scene.process.stops() == 0

    in_loop(run())


def test_settings_for_all_restart_all(tmp_path):
    async def run():
        scene = Scene(tmp_path)
        async with scene.running():
            scene.write("tz_minutes = 60\n", kept=scene.port("kept"), changed=scene.port("changed"))
            scene.process.signal(signal.SIGHUP)
            await until(lambda: [scene.logins(n) for n in NAMES[:2]] == [2, 2], "both are back")

    in_loop(run())


def test_the_format_of_the_log_and_the_metrics_change_without_a_restart(tmp_path):
    async def run():
        scene = Scene(tmp_path)
        async with scene.running():
            ports = {name: scene.port(name) for name in NAMES[:3]}
            head = 'log_format = "json"\n[metrics]\nlisten = "127.0.0.1:0"\n'
            scene.write(head, **ports)
            scene.process.signal(signal.SIGHUP)
            await scene.process.says('"message": "settings reloaded, 3 ports"')
            assert "metrics on http://127.0.0.1:" in scene.process.said
            assert [scene.logins(name) for name in NAMES[:3]] == [1, 1, 1]

    in_loop(run())


def test_two_reloads_at_once_end_with_the_newest_settings(tmp_path):
    async def run():
        scene = Scene(tmp_path)
        async with scene.running():
            scene.write(kept=scene.port("kept"))
            scene.process.signal(signal.SIGHUP)
            await scene.process.says("settings reloaded, 1 ports")
            scene.write(kept=scene.port("kept"), added=scene.port("added"))
            scene.process.signal(signal.SIGHUP)
            scene.process.signal(signal.SIGHUP)
            await until(lambda: scene.logins("added") == 1, "the new port is on line")
            assert scene.logins("kept") == 1

    in_loop(run())


def test_sigterm_publishes_what_waits_says_goodbye_and_leaves(tmp_path):
    async def run():
        scene = Scene(tmp_path)
        async with scene.running():
            scene.mcus["kept"].set(power=True)
            await until(lambda: scene.mcus["kept"].simulator.values["power"], "it is set")
            assert await scene.process.stops() == 0
            assert scene.process.said.endswith("stopped\n")
            dids = [did_of("A0B1C2D3E4%02X" % number) for number in range(3)]
            # The process has ended; its last bytes may still be on their way to us.
            await until(
                lambda: sorted(did for did, payload in scene.broker.published if payload == GOODBYE) == dids,
                "each port has said goodbye",
            )
            assert not list(scene.state.glob("control-*.sock"))

    in_loop(run())


def test_sigterm_does_not_wait_for_a_broker_that_acknowledges_nothing(tmp_path):
    async def run():
        scene = Scene(tmp_path)
        async with scene.running():
            scene.broker.is_deaf = True
            scene.mcus["kept"].set(power=True)
            await until(lambda: scene.broker.published, "the report is out")
            assert await scene.process.stops() == 0
            assert "not everything could be sent in time" in scene.process.said

    in_loop(run())


def test_sigterm_in_the_middle_of_a_reload_ends_it_all_the_same(tmp_path):
    async def run():
        scene = Scene(tmp_path)
        async with scene.running():
            scene.write(added=scene.port("added"))
            scene.process.signal(signal.SIGHUP)
            assert await scene.process.stops() == 0

    in_loop(run())
