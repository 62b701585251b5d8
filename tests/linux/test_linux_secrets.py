"""A whole life at the most talkative level: no passcode, product secret or session leaves the process in clear."""

import asyncio
import json
import re
import signal
import urllib.request

import pytest
from mcu_debugger.mcu_events import Controlled
from testkit.broker_stub import BrokerStub
from testkit.device_api_stub import DeviceApiStub, did_of
from testkit.gagent_running import gagent, gagent_running, write_settings
from testkit.heard import in_loop, until
from testkit.mcu_on_pty import McuOnPty

from mcu_proto.const import CMD_CONFIG_MODE, CMD_RESET_MODULE, STATUS_CLOUD

MAC = "A0B1C2D3E4F5"
DID = did_of(MAC)
PRODUCT_SECRET = "fedcba9876543210fedcba9876543210"
WIFI_KEY = b"the key of the house"


class Life:
    """One appliance from its registration to its last day; `told` collects all that the process told anybody."""

    def __init__(self, folder, head):
        self.folder = folder
        self.state = folder / "state"
        self.head = head
        self.told = []
        self.secrets = {PRODUCT_SECRET, WIFI_KEY.decode()}

    async def live(self):
        self.mcu = McuOnPty(self.folder, product_secret=PRODUCT_SECRET)
        self.mcu.power_on()
        async with BrokerStub().running() as self.broker, DeviceApiStub(self.broker.port).running() as self.api:
            head = 'api = "%s"\nstate = "%s"\n%s\n[metrics]\nlisten = "127.0.0.1:0"' % (
                self.api.url,
                self.state,
                self.head,
            )
            table = 'port = "%s"\nmac = "%s"\nlog_level = "hex"\n' % (self.mcu.path, MAC)
            write_settings(self.folder / "gagent.toml", head, pump=table)
            with gagent_running(self.folder, "--config", "gagent.toml", "-vv") as process:
                await self.days(process)
                assert await process.stops() == 0
                self.told.append(process.said)
                self.log = process.said

    async def days(self, process):
        await process.says("online, did")
        self.note_secrets()
        self.mcu.set(power=True)
        control = self.mcu.simulator.schema.encode_control({"power": False})
        envelope = b"\x00\x00\x00\x03" + bytes((len(control) + 7,)) + b"\x00\x00\x93\x00\x00\x00\x2a" + control
        self.broker.send(DID, "app2dev/%s/usr1" % DID, envelope)
        await self.mcu.sees(Controlled)
        # An MCU that hands over the house's network.
        self.mcu.request(CMD_CONFIG_MODE, b"\x04\x05house" + bytes((len(WIFI_KEY),)) + WIFI_KEY + b"\x00")
        await process.says("asked for network configuration")
        # A cloud that quotes what it must not.
        self.broker.send(DID, "ser2cli_res/" + DID, self.passcode().encode())
        await process.says("message on ser2cli_res")
        # A reset: another passcode.
        self.mcu.request(CMD_RESET_MODULE)
        await process.says("factory reset")
        await until(lambda: self.broker.logins.get(DID) == 2, "it is on line again", lambda: process.said)
        self.note_secrets()
        # A refused login, and back.
        self.broker.refuse = 4
        self.broker.writers[DID].close()
        await process.says("did or passcode are wrong")
        self.broker.refuse = 0
        await until(lambda: self.mcu.simulator.status & STATUS_CLOUD, "the MCU is told", lambda: process.said)
        await until(lambda: self.broker.logins.get(DID) == 3, "it is back", lambda: process.said)
        process.signal(signal.SIGHUP)
        await process.says("settings reloaded")
        await self.look_on(process)

    async def look_on(self, process):
        where = ("--config", self.folder / "gagent.toml")
        for command in (
            ("status", *where),
            ("status", "--json", *where),
            ("doctor", *where),
            ("check", *where),
            ("identity", "show", *where),
            ("identity", "export", "pump", self.folder / "export", *where),
        ):
            result = await gagent(*command)
            self.told += [result.stdout, result.stderr]
        url = re.search(r"http://127.0.0.1:\d+/metrics", process.said)[0]
        self.told.append(await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode()))

    def passcode(self):
        return json.loads((self.state / "pump.json").read_text())["identity"]["passcode"]

    def note_secrets(self):
        self.secrets.add(self.passcode())


@pytest.fixture(scope="module", params=["text", "json"])
def life(request, tmp_path_factory):
    """A life that is over, logged in either format."""
    lived = Life(tmp_path_factory.mktemp("life"), 'log_format = "%s"' % request.param)
    in_loop(lived.live())
    return lived


def test_a_full_life_tells_no_secret(life):
    assert len(life.secrets) == 4
    told = "\n".join(life.told)
    for secret in life.secrets:
        for spelling in (secret, secret.encode().hex(), secret.encode().hex(" "), secret.lower(), secret.upper()):
            assert spelling not in told
    # What is searched is worth searching.
    assert "to MCU: ff ff" in life.log
    assert "bytes not shown" in life.log
    assert "HTTP POST" in life.log
    assert "gagent_reports_total" in told
    assert "[passcode]" in life.log
    # The one place where it belongs.
    assert life.passcode() in (life.folder / "export").read_text()


def test_a_json_log_is_one_object_a_line_and_a_text_is_none(life):
    if "json" not in life.head:
        assert not [line for line in life.log.splitlines() if line.startswith("{")]
        return
    lines = [json.loads(line) for line in life.log.splitlines()]
    assert {"time", "level", "port", "message"} <= set(lines[0])
    assert {line["port"] for line in lines} == {"gagent", "pump"}
    assert {"debug", "info", "warning"} <= {line["level"] for line in lines}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines)


def test_the_level_of_a_port_is_its_own(tmp_path):
    async def run():
        tables = {
            "loud": 'port = "/nosuch/a"\nlog_level = "debug"\n',
            "quiet": 'port = "/nosuch/b"\nlog_level = "warning"\n',
        }
        mcus = {name: McuOnPty(tmp_path, name) for name in tables}
        for name, mcu in mcus.items():
            mcu.power_on()
            tables[name] = tables[name].replace("/nosuch/" + ("a" if name == "loud" else "b"), mcu.path)
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            head = 'api = "%s"\nstate = "%s"' % (api.url, tmp_path / "state")
            write_settings(tmp_path / "gagent.toml", head, **tables)
            with gagent_running(tmp_path, "--config", "gagent.toml") as process:
                await until(lambda: len(broker.logins) == 2, "both are on line", lambda: process.said)
                await process.stops()
                assert "DEBUG loud: to MCU: get device info" in process.said
                assert " quiet: " not in process.said

    in_loop(run())
