"""The whole cloud in one file, and back: nothing missing, nothing half, from any database to any other."""

import stat
import zipfile

import pytest
from localcloud.__main__ import main
from localcloud.store import backup, tables
from localcloud.store.database import StoreError
from localcloud.store.history import APP2DEV, Message, Span
from localcloud.store.store import open_store
from sqlalchemy import insert, select
from testkit import databases, device_state
from testkit.postgresql_running import postgresql_running

ALL = Span(0, 10**12, True, 0, 1000)
# Enough for more than one portion.
MESSAGES = 2500


@pytest.fixture
def filled(tmp_path):
    """A store with something in it, and its certificate beside it."""
    store = open_store(databases.url_of(tmp_path))
    user = store.users.add(username="anna", password_hash="hash", remark='{"hex": "text"}')
    did = store.devices.add("a1" * 16, "AA", "PASSCODE")
    # The first of the messages.
    device_state.report(store, did, {"a": "摄氏"}, 1.5)
    with store._engine.begin() as connection:
        rows = [
            {"did": did, "at": 1.5 + n, "type": APP2DEV, "ip": "::1", "payload": b"\x00\xff"}
            for n in range(1, MESSAGES)
        ]
        connection.execute(insert(tables.messages), rows)
        connection.execute(
            insert(tables.bindings).values(uid=user.uid, did=did, role="special", remark="", dev_alias="")
        )
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "ca.key").write_text("key")
    (tmp_path / "firmware-signing.key").write_text("signing key")
    yield store
    store.close()


def _rows(store):
    with store._engine.begin() as connection:
        return {
            table.name: sorted(map(str, connection.execute(select(table)))) for table in tables.metadata.sorted_tables
        }


def test_a_key_that_is_there_is_never_replaced_by_another(filled, tmp_path):
    filled.write_backup(tmp_path, tmp_path / "cloud.zip")
    (tmp_path / "other").mkdir()
    key = tmp_path / "other" / "firmware-signing.key"
    key.write_text("another key")
    other = open_store(databases.url_of(tmp_path / "other"))
    with pytest.raises(StoreError, match="is there already and is another one"):
        other.restore_backup(tmp_path / "other", tmp_path / "cloud.zip")
    assert key.read_text() == "another key"
    assert not any(_rows(other)["users"])
    other.close()


def test_a_restored_cloud_has_every_row_and_the_certificate(filled, tmp_path):
    counts = filled.write_backup(tmp_path, tmp_path / "cloud.zip")
    assert (counts["users"], counts["messages"]) == (1, MESSAGES)
    (tmp_path / "other").mkdir()
    other = open_store(databases.url_of(tmp_path / "other"))
    assert other.restore_backup(tmp_path / "other", tmp_path / "cloud.zip") == counts
    assert _rows(other) == _rows(filled)
    key = tmp_path / "other" / "tls" / "ca.key"
    assert (key.read_text(), stat.S_IMODE(key.stat().st_mode)) == ("key", 0o600)
    # Without it devices would refuse all firmware from here.
    key = tmp_path / "other" / "firmware-signing.key"
    assert (key.read_text(), stat.S_IMODE(key.stat().st_mode)) == ("signing key", 0o600)
    # The next row must not take a number that came along.
    other.history.add_message(Message("x", 1.0, APP2DEV, "ip", b"x"))
    assert other.history.messages("x", ALL)[0] == 1
    other.close()


def test_a_backup_is_for_its_owner_only(filled, tmp_path):
    filled.write_backup(tmp_path, tmp_path / "cloud.zip")
    assert stat.S_IMODE((tmp_path / "cloud.zip").stat().st_mode) == 0o600


def test_a_backup_shows_one_moment_of_a_cloud_that_goes_on(filled, tmp_path, monkeypatch):
    """Rows that come while it is read, and that rows read later point to, are not in it."""
    as_json = backup.as_json
    written = []

    def write_and_add(row):
        if not written and "username" in row:
            written.append(row)
            late = filled.users.add(username="late")
            filled.users.issue_token(late.uid, 2**31 - 1)
        return as_json(row)

    monkeypatch.setattr(backup, "as_json", write_and_add)
    assert filled.write_backup(tmp_path, tmp_path / "cloud.zip")["tokens"] == 0
    assert filled.users.by_name("late") is not None


def test_a_database_with_something_in_it_is_not_overwritten(filled, tmp_path):
    filled.write_backup(tmp_path, tmp_path / "cloud.zip")
    before = _rows(filled)
    with pytest.raises(StoreError, match="database is not empty: restore into a new data directory"):
        filled.restore_backup(tmp_path, tmp_path / "cloud.zip")
    assert _rows(filled) == before


def _change(path, name, change):
    """The same zip with one member changed."""
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members[name] = change(members.get(name, b""))
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("backup.json", lambda content: b"{}", "is no backup of a localcloud"),
        ("backup.json", lambda content: content.replace(b'"version": ', b'"version": 9'), "tables of version 9"),
        ("tables/bindings.jsonl", lambda content: content[:-10], "cannot be restored"),
        ("tables/bindings.jsonl", lambda content: content.replace(b'"uid": "', b'"uid": "x'), "cannot be restored"),
        ("tables/users.jsonl", lambda content: content.replace(b'"lang"', b'"tongue"'), "cannot be restored"),
    ],
)
def test_a_file_that_is_not_whole_restores_nothing(filled, tmp_path, name, change, said):
    path = tmp_path / "cloud.zip"
    filled.write_backup(tmp_path, path)
    _change(path, name, change)
    (tmp_path / "other").mkdir()
    other = open_store(databases.url_of(tmp_path / "other"))
    with pytest.raises(StoreError, match=said) as refused:
        other.restore_backup(tmp_path / "other", path)
    assert "\n" not in str(refused.value)
    assert other.users.by_name("anna") is None
    other.close()


@pytest.mark.parametrize("name", ["files/../../evil", "files/tls/../../evil", "files/cloud.db", "/etc/evil"])
def test_a_file_of_somebody_elses_making_reaches_no_other_place(filled, tmp_path, name):
    path = tmp_path / "cloud.zip"
    filled.write_backup(tmp_path, path)
    _change(path, name, lambda content: b"evil")
    target = tmp_path / "deep" / "other"
    target.mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    other = open_store(databases.url_of(tmp_path / "empty"))
    other.restore_backup(target, path)
    other.close()
    written = {found for found in (tmp_path / "deep").rglob("*") if found.is_file()}
    assert written == {target / "tls" / "ca.key", target / "firmware-signing.key"}


def test_a_backup_that_cannot_be_written_is_told_and_leaves_nothing(filled, tmp_path):
    with pytest.raises(StoreError, match=r"backup .*nowhere/cloud\.zip: No such file"):
        filled.write_backup(tmp_path, tmp_path / "nowhere" / "cloud.zip")


def test_a_backup_that_is_not_there_is_told(filled, tmp_path):
    with pytest.raises(StoreError, match="No such file"):
        filled.restore_backup(tmp_path, tmp_path / "nothing.zip")


@pytest.mark.postgresql
@pytest.mark.sqlite
def test_a_cloud_moves_from_sqlite_to_postgresql_and_back(filled, tmp_path):
    filled.write_backup(tmp_path, tmp_path / "1.zip")
    with postgresql_running() as server:
        there = open_store(server.url(tmp_path))
        there.restore_backup(tmp_path, tmp_path / "1.zip")
        assert there.history.messages(there.devices.all()[0].did, ALL)[0] == MESSAGES
        there.write_backup(tmp_path, tmp_path / "2.zip")
        there.close()
    (tmp_path / "back").mkdir()
    back = open_store("sqlite:///%s" % (tmp_path / "back" / "cloud.db"))
    back.restore_backup(tmp_path / "back", tmp_path / "2.zip")
    assert _rows(back) == _rows(filled)
    back.close()


@pytest.mark.sqlite
def test_the_commands_back_up_and_restore(filled, tmp_path, capsys):
    def run(name, data):
        status = main([name, str(tmp_path / "cloud.zip"), "--data", str(data)])
        return status, *capsys.readouterr()

    made = run("backup", tmp_path)
    assert (made[0], "users 1\n" in made[1]) == (0, True)
    assert run("restore", tmp_path / "new")[:2] == made[:2]
    status, out, err = run("restore", tmp_path / "new")
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith("localcloud: the database is not empty")
