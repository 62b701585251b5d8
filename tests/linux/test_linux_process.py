"""`gagent run` as a process: what a service manager does to it, exit codes, and what is on stderr."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest
from testkit import mqtt_script as script
from testkit.device_api_stub import DeviceApiStub
from testkit.heard import in_loop, until
from testkit.mcu_on_pty import McuOnPty
from testkit.patience import PATIENCE_S
from testkit.raw_server import serving

# Longer than a stop takes, shorter than the cloud may keep a request waiting.
STOP_S = 9


@contextlib.contextmanager
def gagent(folder, *arguments, stdin=subprocess.DEVNULL, preexec_fn=None):
    """The running process; its stderr is in the file `stderr`."""
    command = [sys.executable, "-m", "gagent_linux", "run", "--state", str(folder / "state"), *arguments]
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, preexec_fn=preexec_fn, cwd=folder
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(folder):
    return (folder / "stderr").read_text()


async def saying(folder, words):
    await until(lambda: words in said(folder), "stderr says %r" % words, lambda: said(folder))


def with_cloud(scene):
    """Run `scene(api URL, list of what brokers saw at the end of each session)`."""

    async def run():
        ends = []

        async def talk(reader, writer):
            await script.accept(reader, writer)
            ends.append(await reader.read())

        async with serving(talk) as port, DeviceApiStub(port).running() as api:
            await scene(api, ends)

    in_loop(run())


@pytest.mark.parametrize("stdin", ["/dev/null", "closed"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_without_stdin_and_stops_in_good_order(tmp_path, stdin, number):
    async def scene(api, ends):
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        close = (lambda: os.close(0)) if stdin == "closed" else None
        with gagent(tmp_path, "--port", mcu.path, "--api", api.url, preexec_fn=close) as process:
            await saying(tmp_path, "online, did")
            process.send_signal(number)
            assert process.wait(PATIENCE_S) == 0
            assert process.stdout.read() == b""
        await until(lambda: ends, "the session ends")
        assert ends == [b"\xe0\x00"]
        assert said(tmp_path).endswith("stopped\n")

    with_cloud(scene)


def test_it_stops_while_the_cloud_keeps_it_waiting(tmp_path):
    async def scene():
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        asked = []

        async def talk(reader, writer):
            asked.append(await reader.readline())
            await reader.read()

        async with serving(talk) as port:
            with gagent(tmp_path, "--port", mcu.path, "--api", "http://127.0.0.1:%d" % port) as process:
                await until(lambda: asked, "it asks")
                process.terminate()
                assert process.wait(STOP_S) == 0

    in_loop(scene())


def test_it_waits_for_a_port_that_is_not_there(tmp_path):
    async def scene():
        with gagent(tmp_path, "--port", str(tmp_path / "nosuch")) as process:
            await saying(tmp_path, "nosuch does not exist: plug the adapter in")
            assert process.poll() is None
            process.terminate()
            assert process.wait(PATIENCE_S) == 0

    in_loop(scene())


def test_an_identity_that_cannot_be_read_is_a_failure_and_stays(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "x.json").write_text("{")
    with gagent(tmp_path, "--port", "/dev/null", "--name", "x") as process:
        assert process.wait(PATIENCE_S) == 1
    assert "x.json is damaged" in said(tmp_path)
    assert (tmp_path / "state" / "x.json").read_text() == "{"


def test_a_state_folder_that_cannot_be_made_is_a_failure_in_one_line(tmp_path):
    (tmp_path / "state").write_text("a file")
    with gagent(tmp_path, "--port", "/dev/null") as process:
        assert process.wait(PATIENCE_S) == 1
    assert "state/null.json" in said(tmp_path)
    assert "Traceback" not in said(tmp_path)


def test_bad_settings_exit_with_2_before_anything_is_touched(tmp_path):
    (tmp_path / "gagent.toml").write_text("[[port]]\nport = '/dev/null'\nbaud = 0\n")
    with gagent(tmp_path, "--config", "gagent.toml") as process:
        assert process.wait(PATIENCE_S) == 2
    assert said(tmp_path).startswith("gagent: gagent.toml:3: baud = 0: expected")
    assert not (tmp_path / "state").exists()


def test_a_settings_file_runs_many_ports(tmp_path):
    async def scene(api, ends):
        mcus = [McuOnPty(tmp_path, name) for name in ("one", "two", "three")]
        text = 'api = "%s"\n' % api.url
        for mcu in mcus:
            mcu.power_on()
            text += "[[port]]\nport = '%s'\nname = '%s'\n" % (mcu.path, os.path.basename(mcu.path))
        (tmp_path / "gagent.toml").write_text(text)
        with gagent(tmp_path, "--config", "gagent.toml") as process:
            await until(lambda: said(tmp_path).count("online, did") == 3, "all are on line", lambda: said(tmp_path))
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
        await until(lambda: len(ends) == 3, "all sessions end")
        assert ends == [b"\xe0\x00"] * 3
        assert sorted(os.listdir(tmp_path / "state")) == ["one.json", "three.json", "two.json"]

    with_cloud(scene)
