"""What a user or a cloud gets wrong: one clear line on stderr with what to do, and nothing stored is lost."""

import http.client
import json
import subprocess

import pytest
from testkit.chain_running import PRODUCT_KEY
from testkit.device_api_stub import did_of
from testkit.heard import in_loop
from testkit.heard import until as loop_until
from testkit.mcu_on_pty import McuOnPty
from testkit.patience import PATIENCE_S
from testkit.raw_server import http_answer, read_request, serving


def test_a_product_the_cloud_does_not_know_is_named_and_taken_once_it_is_added(chain):
    chain.start_cloud()
    chain.start_mcu()
    chain.start_agent()
    line = chain.agent.says("ERROR")
    assert "the cloud refused: registration: HTTP 400" in line
    assert "product_key invalid" in line
    assert line.endswith("; check `api` and that the cloud knows product key " + PRODUCT_KEY)
    line = chain.cloud.says("which is unknown")
    assert PRODUCT_KEY in line
    assert line.endswith("see `localcloud product add`")
    passcode = chain.identity["passcode"]
    chain.add_product()
    chain.agent.says("online, did")
    assert chain.identity["passcode"] == passcode
    assert chain.agent.is_running()


def test_a_login_that_is_refused_is_told_and_tried_again_with_the_identity_as_it_is(chain_of_each_broker):
    chain = chain_of_each_broker
    did = chain.start()
    chain.agent.stop()
    good = chain.identity_path.read_text()
    bad = good.replace(chain.identity["passcode"], "x" * 10)
    chain.identity_path.write_text(bad)
    chain.start_agent()
    line = chain.agent.says("WARNING agent: offline: the broker says")
    assert line.endswith(("check that the cloud knows this device", "check the device in the cloud"))
    chain.agent.says("next try in")
    assert chain.identity_path.read_text() == bad
    chain.agent.stop()
    chain.identity_path.write_text(good)
    chain.start_agent()
    chain.agent.says("online, did " + did)
    chain.shows_online(did)


def test_a_device_the_cloud_has_disabled_is_told_so_and_registers_anew(chain):
    did = chain.start()
    chain.agent.stop()
    connection = http.client.HTTPConnection("127.0.0.1", chain.http_port, timeout=PATIENCE_S)
    connection.request("DELETE", "/dev/devices", "did=%s&passcode=%s" % (did, chain.identity["passcode"]))
    assert connection.getresponse().status == 200
    connection.close()
    chain.start_agent()
    line = chain.agent.says("ERROR")
    assert "the cloud refused: provisioning: HTTP 403" in line
    assert "device is disabled" in line
    chain.agent.says("registered, did")
    chain.agent.says("online, did")
    assert chain.identity["did"] != did
    assert chain.bind() == chain.identity["did"]


def test_a_port_in_use_is_told_with_the_program_that_has_it_and_taken_when_it_is_free(chain):
    chain.add_product()
    chain.start_cloud()
    chain.start_mcu()
    chain.start_agent()
    chain.agent.says("online, did")
    arguments = ("run", "--port", chain.mcu_path, "--api", chain.api, "--state", "state-of-second")
    second = chain.processes.start("gagent_linux", *arguments, name="second agent", stdin=subprocess.DEVNULL)
    line = second.says("ERROR")
    assert "%s is in use by" % chain.mcu_path in line
    # The simulated MCU holds its end open as well, as no real one does.
    assert "(pid %d)" % chain.agent.pid in line
    assert line.endswith(": stop it; waiting for the port")
    assert chain.agent.stop() == 0
    second.says("online, did")
    # Told once of this one; while it ends, the port may be seen in use by the simulated MCU alone.
    assert second.stderr.count("(pid %d)" % chain.agent.pid) == 1


BAD_ANSWERS = {
    b"HTTP/1.1 404 Not Found\r\n\r\nno such thing": "the cloud refused: registration: HTTP 404",
    b"HTTP/1.1 503 Busy\r\n\r\n": "the cloud refused: registration: HTTP 503, did expected, got: nothing",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n": "the cloud refused: registration: HTTP 302",
    b"HTTP/1.1 201 Created\r\nContent-Length: 26\r\n\r\ndid=WCWG": "the cloud cannot be reached: the answer of",
    b"HTTP/1.1 201 Created\r\n\r\n<html>\x00\xff": "the cloud refused: registration: HTTP 201, did expected, got",
    b"\x16\x03\x01\x02\x00garbage\r\n": "the cloud cannot be reached: what 127.0.0.1:",
    b"": "the cloud cannot be reached: 127.0.0.1:",
}


def test_every_bad_answer_of_a_cloud_is_one_line_on_stderr_and_tried_again(processes):
    """One agent per bad answer, in one process: the cloud knows them apart by their mac."""
    folder = processes.folder
    answers = {"AA000000000%d" % n: answer for n, answer in enumerate(BAD_ANSWERS)}
    good: list[str] = []

    async def cloud(reader, writer):
        head, body = await read_request(reader)
        mac = body.decode().partition("mac=")[2].partition("&")[0]
        if head.startswith("POST /dev/devices") and mac not in good:
            writer.write(answers[mac])
        elif head.startswith("POST /dev/devices"):
            writer.write(http_answer("201 Created", b"did=" + did_of(mac).encode()))
        else:
            writer.write(http_answer("404 Not Found", b""))
        await writer.drain()

    async def scene():
        async with serving(cloud) as port:
            text = 'api = "http://127.0.0.1:%d"\nstate = "state"\n' % port
            for mac in answers:
                mcu = McuOnPty(folder, mac)
                mcu.power_on()
                text += "[[port]]\nport = '%s'\nname = '%s'\nmac = '%s'\n" % (mcu.path, mac, mac)
            (folder / "gagent.toml").write_text(text)
            agent = processes.start("gagent_linux", "run", "--config", "gagent.toml", stdin=subprocess.DEVNULL)

            def lines_of(mac, words):
                return [line for line in agent.stderr.splitlines() if mac in line and words in line]

            for mac, words in zip(answers, BAD_ANSWERS.values(), strict=True):
                await loop_until(lambda m=mac: lines_of(m, "ERROR"), "%s hears %r" % (mac, words), lambda: agent.stderr)
                line = lines_of(mac, "ERROR")[0]
                assert words in line
                assert "; check `api` and that the cloud " in line
                await loop_until(lambda m=mac: lines_of(m, "next try in"), mac + " waits", lambda: agent.stderr)
                stored = json.loads((folder / "state" / (mac + ".json")).read_text())["identity"]
                assert (stored["mac"], stored["did"]) == (mac, "")
                good.append(mac)
            for mac in answers:
                await loop_until(lambda m=mac: lines_of(m, "registered, did"), mac, lambda: agent.stderr)
            assert "Traceback" not in agent.stderr

    in_loop(scene())


# Command, settings file (None: there is none), what the line says.
BAD_SETTINGS = [
    ("gagent_linux", None, "gagent: settings.toml: cannot be read: No such file or directory"),
    ("gagent_linux", b"\xff\xfe", "gagent: settings.toml: cannot be read: "),
    ("gagent_linux", b"\napi = = 1\n", "gagent: settings.toml: not TOML: Invalid value (at line 2, "),
    ("gagent_linux", b"", "gagent: settings.toml: no [[port]] table, expected one for each serial port"),
    ("gagent_linux", b"\nbaud = 9600\n", "gagent: settings.toml:2: baud: unknown key, expected one of: api, state"),
    ("gagent_linux", b"[[port]]\nport = 3\n", "gagent: settings.toml:2: port = 3: expected a text: a device such as"),
    ("localcloud", None, "localcloud: settings settings.toml cannot be read: No such file or directory"),
    ("localcloud", b"\xff\xfe", "localcloud: settings settings.toml cannot be read: "),
    ("localcloud", b"\nbroker = = 1\n", "localcloud: settings settings.toml: Invalid value (at line 2, "),
    (
        "localcloud",
        b"\nport = 80\n",
        'localcloud: settings settings.toml, line 2: no such key: "port"; there are adopt, ',
    ),
    (
        "localcloud",
        b"\nproducts = 1\n",
        "localcloud: settings settings.toml, line 2: products is 1, expected one of any",
    ),
]


@pytest.mark.parametrize(("command", "content", "words"), BAD_SETTINGS)
def test_settings_that_cannot_be_used_are_one_line_and_exit_code_2(processes, command, content, words):
    if content is not None:
        (processes.folder / "settings.toml").write_bytes(content)
    process = processes.run(command, "run", "--config", "settings.toml")
    assert process.wait() == 2
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith(words)


def test_a_cloud_that_cannot_keep_its_data_says_so_and_ends(processes):
    (processes.folder / "file").write_text("mine")
    cloud = processes.run("localcloud", "run", "--data", processes.folder / "file" / "data")
    assert cloud.wait() == 1
    (line,) = cloud.stderr.splitlines()
    assert line.startswith("localcloud: data directory %s" % processes.folder)
    assert line.endswith("; see --data")
    assert (processes.folder / "file").read_text() == "mine"


def test_a_database_that_is_none_is_told_and_kept(processes):
    (processes.folder / "cloud.db").write_bytes(b"my diary" * 1000)
    ports = ("--http-port", 0, "--mqtt-port", 0, "--ws-port", 0, "--wss-port", 0)
    cloud = processes.run("localcloud", "run", "--data", processes.folder, *ports)
    assert cloud.wait() == 1
    (line,) = cloud.stderr.splitlines()
    assert "cloud.db" in line
    assert (processes.folder / "cloud.db").read_bytes() == b"my diary" * 1000
