"""`gagent identity`: shown without secrets, taken out and brought back, forgotten with proof."""

import json
import os
import stat

import pytest
from gagent_linux import identity
from gagent_linux.announcements import Announcement, Announcements
from gagent_linux.identity import IdentityError
from testkit.broker_stub import BrokerStub
from testkit.device_api_stub import DeviceApiStub
from testkit.gagent_running import gagent, gagent_running
from testkit.heard import in_loop
from testkit.mcu_on_pty import McuOnPty

MAC = "A0B1C2D3E4F5"
RECORD = {
    "mac": MAC,
    "product_key": "6f" * 16,
    "did": "DidOfTheDevice00000001",
    "passcode": "ABCDEFGHIJ",
    "old_did": "DidOfTheDevice00000000",
    "old_passcode": "KLMNOPQRST",
    "subdevices": {"7e7e/A1": ["DidOfTheDevice00000002", "UVWXYZABCD"]},
}
SECRETS = ("ABCDEFGHIJ", "KLMNOPQRST", "UVWXYZABCD")


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    put(folder, "pump", RECORD)
    return folder


def put(folder, name, record):
    (folder / (name + ".json")).write_text(json.dumps({"version": 1, "identity": record}))


def test_show_tells_who_a_device_is_and_no_secret(state):
    async def run():
        result = await gagent("identity", "show", "--state", state)
        assert result.returncode == 0
        assert result.stdout.startswith("pump\n  mac          %s\n" % MAC)
        assert RECORD["did"] in result.stdout
        assert "7e7e/A1, did DidOfTheDevice00000002" in result.stdout
        assert "kept, not shown" in result.stdout
        assert not [secret for secret in SECRETS if secret in result.stdout + result.stderr]
        assert (await gagent("identity", "show", "other", "--state", state)).returncode == 1

    in_loop(run())


def test_what_is_exported_can_be_imported_elsewhere(state, tmp_path):
    async def run():
        backup = tmp_path / "backup"
        result = await gagent("identity", "export", "pump", backup, "--state", state)
        assert (result.returncode, result.stdout) == (0, "")
        assert "holds the passcode" in result.stderr
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        there = tmp_path / "there"
        result = await gagent("identity", "import", "pool", backup, "--state", there)
        assert result.returncode == 0, result
        assert identity.load(str(there), "pool") == RECORD
        assert stat.S_IMODE((there / "pool.json").stat().st_mode) == 0o600

    in_loop(run())


def test_an_export_replaces_no_file(state, tmp_path):
    (tmp_path / "precious").write_text("x")
    with pytest.raises(IdentityError, match="precious exists"):
        identity.export_to(RECORD, str(tmp_path / "precious"))
    assert (tmp_path / "precious").read_text() == "x"


def test_an_import_replaces_an_identity_only_when_forced(state, tmp_path):
    async def run():
        other = {**RECORD, "mac": "FFFFFFFFFFFF"}
        put(tmp_path, "other", other)
        arguments = ("identity", "import", "pump", tmp_path / "other.json", "--state", state)
        result = await gagent(*arguments)
        assert result.returncode == 1
        assert "with --force it is replaced" in result.stderr
        assert identity.load(str(state), "pump") == RECORD
        assert (await gagent(*arguments, "--force")).returncode == 0
        assert identity.load(str(state), "pump") == other

    in_loop(run())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is damaged"),
        ('{"version": 2}', "has version 2"),
        ('{"version": 1, "identity": {"mac": ""}}', "mac"),
        ('{"version": 1, "identity": {"mac": "A", "passcode": "a&b"}}', "passcode"),
    ],
)
def test_a_file_that_is_no_identity_is_not_imported(tmp_path, content, why):
    (tmp_path / "file").write_text(content)
    with pytest.raises(IdentityError, match=why):
        identity.load_export(str(tmp_path / "file"))


def test_forget_removes_all_of_a_port_and_nothing_of_others(state):
    for name in ("pump.outbox", "pump.outbox-wal", "pump.delivered", ".new-half"):
        (state / name).write_bytes(b"x dev2app/" + RECORD["did"].encode())
    put(state, "pump.2", {"mac": "A", "did": "other", "passcode": "other"})
    put(state, "pumpkin", {"mac": "B"})
    (state / "definitions").mkdir()
    (state / "definitions" / "pump.json").write_text("{}")

    removed = identity.forget(str(state), "pump")

    assert sorted(removed) == [".new-half", "pump.delivered", "pump.json", "pump.outbox", "pump.outbox-wal"]
    assert sorted(os.listdir(state)) == ["definitions", "pump.2.json", "pumpkin.json"]
    found = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    assert not [secret for secret in (*SECRETS, RECORD["did"]) if secret.encode() in found]


@pytest.mark.parametrize("spelling", [str, lambda text: text.encode().hex()])
def test_forget_fails_and_says_where_when_a_secret_is_left(state, spelling):
    (state / "notes.txt").write_text("the passcode was " + spelling("ABCDEFGHIJ"))
    with pytest.raises(IdentityError, match=r"secrets of pump are still in: .*notes\.txt"):
        identity.forget(str(state), "pump")


def test_a_damaged_identity_can_be_forgotten(state):
    (state / "pump.json").write_text("{")
    assert identity.forget(str(state), "pump") == ["pump.json"]


def test_nothing_to_forget_is_a_failure(state):
    with pytest.raises(IdentityError, match="nothing is kept for pool"):
        identity.forget(str(state), "pool")


def test_forget_with_cloud_disables_every_did_first(state):
    async def run():
        async with DeviceApiStub(1).running() as api:
            result = await gagent("identity", "forget", "pump", "--cloud", "--api", api.url, "--state", state)
            assert result.returncode == 0, result
            assert [(method, form["did"], form["passcode"]) for method, _, form in api.asked] == [
                ("DELETE", RECORD["did"], "ABCDEFGHIJ"),
                ("DELETE", RECORD["old_did"], "KLMNOPQRST"),
                ("DELETE", "DidOfTheDevice00000002", "UVWXYZABCD"),
            ]
            assert "removed: pump.json" in result.stdout
            assert "nothing of pump is left" in result.stdout
            assert os.listdir(state) == []

    in_loop(run())


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", b""])
def test_when_the_cloud_does_not_do_it_nothing_is_removed(state, answer):
    async def run():
        async with DeviceApiStub(1).running() as api:
            api.broken = answer
            result = await gagent("identity", "forget", "pump", "--cloud", "--api", api.url, "--state", state)
            assert result.returncode == 1
            assert "nothing was removed here" in result.stderr
            assert identity.load(str(state), "pump") == RECORD

    in_loop(run())


def test_what_a_running_process_serves_is_left_alone(tmp_path):
    async def run():
        state = tmp_path / "state"
        mcu = McuOnPty(tmp_path)
        mcu.power_on()
        async with BrokerStub().running() as broker, DeviceApiStub(broker.port).running() as api:
            flags = ("--port", mcu.path, "--name", "pump", "--api", api.url, "--state", state)
            with gagent_running(tmp_path, *flags) as process:
                await process.says("online, did")
                before = (state / "pump.json").read_bytes()
                for arguments in (("forget", "pump"), ("import", "pump", state / "pump.json", "--force")):
                    result = await gagent("identity", *arguments, "--state", state)
                    assert result.returncode == 1
                    assert "pump is served by process %d: stop that" % process.pid in result.stderr
                assert (state / "pump.json").read_bytes() == before
                assert await process.stops() == 0
            result = await gagent("identity", "forget", "pump", "--state", state)
            assert result.returncode == 0, result
            left = [path.name for path in state.rglob("*") if path.is_file()]
            assert left == []

    in_loop(run())


def test_forget_says_what_the_home_broker_still_has(state):
    async def run():
        announcements = Announcements(str(state))
        announcements.note("pump", Announcement("0" * 32, ("gagent/pump/state",)))
        result = await gagent("identity", "forget", "pump", "--state", state)
        assert result.returncode == 0, result
        assert "but the list of what the bridge announced" in result.stdout

    in_loop(run())
