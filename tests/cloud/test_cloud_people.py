"""Everything that is stored about a person: out, and gone; and what goes by itself when it is too old."""

import json
import re
import time

import pytest
from localcloud.__main__ import main
from localcloud.store import tables
from localcloud.store.history import APP2DEV, ONLINE, Message, Presence, Span
from localcloud.store.retention import PORTION
from localcloud.store.store import open_store
from sqlalchemy import select
from testkit import databases, device_state

ALL = Span(0, 10**12, True, 0, 1000)
PRODUCT = "a1" * 16
PAYLOAD = b"what the person did with it"


@pytest.fixture
def store(tmp_path):
    store = open_store(databases.url_of(tmp_path))
    yield store
    store.close()


def _person(store, name, *dids):
    """Somebody with a row in every table that is about people, and the devices given."""
    user = store.users.add(username=name, phone="+49" + name, email=name + "@x", address="Street of " + name)
    store.users.issue_token(user.uid, 2**31 - 1)
    store.codes.put("sms", user.phone, "123456", 2**31 - 1)
    store.codes.make_link("reset", user.uid, 2**31 - 1)
    with store._engine.begin() as connection:
        connection.execute(tables.third_parties.insert().values(src="qq", third_uid=name, uid=user.uid))
        row = {
            "at": 1.0,
            "kind": "sms",
            "address": user.phone,
            "code": "123456",
            "text": "123456",
            "expire_at": 2**31 - 1,
        }
        connection.execute(tables.sent_codes.insert().values(**row))
        for did in dids:
            row = {"uid": user.uid, "did": did, "role": "normal", "remark": "", "dev_alias": "of " + name}
            connection.execute(tables.bindings.insert().values(**row))
            store_message = {"did": did, "at": 1.0, "type": APP2DEV, "ip": "::1", "payload": PAYLOAD, "uid": user.uid}
            connection.execute(tables.messages.insert().values(**store_message))
    return user


def _device(store, mac):
    did = store.devices.add(PRODUCT, mac, "PASSCODE")
    device_state.report(store, did, {"heat": 1}, 5.0)
    store.history.add_presence(Presence(did, 2.0, ONLINE, "192.0.2.7"))
    return did


@pytest.fixture
def two(store):
    """anna, who has a device alone and one with bert."""
    alone, shared = _device(store, "AA"), _device(store, "BB")
    return _person(store, "anna", alone, shared), _person(store, "bert", shared), alone, shared


def test_an_export_has_every_row_about_the_person_and_none_of_another(store, two):
    anna, bert, alone, shared = two
    rows = list(store.people.export(anna))
    found = {table for table, _ in rows}
    assert found >= {
        "users",
        "third_parties",
        "tokens",
        "bindings",
        "codes",
        "sent_codes",
        "messages",
        "presence",
        "devices",
    }
    text = str(rows)
    assert bert.uid not in text
    assert "of bert" not in text
    assert sorted(row["did"] for table, row in rows if table == "messages") == sorted([alone, alone, shared])
    assert [row["did"] for table, row in rows if table == "presence"] == [alone]


def test_an_export_holds_no_secret(store, two):
    names = {name for _, row in store.people.export(two[0]) for name in row}
    assert names & {"password_hash", "token_hash", "code_hash", "code", "text", "passcode"} == set()


def test_after_erasing_no_row_in_any_table_is_about_the_person(store, two):
    anna, _bert, alone, _shared = two
    store.people.erase(anna)
    with store._engine.begin() as connection:
        for table in tables.metadata.sorted_tables:
            rows = [str(row) for row in connection.execute(select(table))]
            assert not [row for row in rows if re.search(r"%s|anna|\+49anna" % anna.uid, row)], table.name
    assert store.history.messages(alone, ALL)[0] == store.history.presence(alone, ALL)[0] == 0
    assert (store.devices.get(alone).attrs, store.devices.get(alone).passcode) == ({}, "PASSCODE")


def test_erasing_leaves_other_people_and_their_devices_alone(store, two):
    anna, bert, _alone, shared = two
    store.people.erase(anna)
    assert store.users.get(bert.uid) == bert
    assert store.bindings.get(bert.uid, shared).dev_alias == "of bert"
    assert store.devices.get(shared).attrs == {"heat": 1}
    assert [message.payload for message in store.history.messages(shared, ALL)[1]] == [b"report", PAYLOAD]


@pytest.mark.sqlite
def test_what_was_erased_is_not_in_the_file_either(store, two, tmp_path):
    def data():
        return b"".join(path.read_bytes() for path in tmp_path.glob("cloud.db*"))

    assert b"Street of anna" in data()
    store.people.erase(two[0])
    store._engine.dispose()
    assert b"Street of anna" not in data()
    assert b"Street of bert" in data()


@pytest.fixture
def command(tmp_path, capsys):
    """Runs a subcommand on the store's data: (status, stdout, stderr)."""
    settings = tmp_path / "localcloud.toml"
    settings.write_text('data_dir = "%s"\ndatabase_url = "%s"\n' % (tmp_path, databases.url_of(tmp_path)))

    def run(*args):
        status = main([*args, "--config", str(settings)])
        return status, *capsys.readouterr()

    return run


def test_the_command_exports_a_person_as_lines_of_json(store, command):
    anna = _person(store, "anna")
    status, out, _ = command("user", "export", "+49anna")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [row["uid"] for row in rows if row["table"] == "users"] == [anna.uid]


def test_the_command_erases_only_when_told_twice(store, command):
    anna = _person(store, "anna")
    status, out, err = command("user", "erase", anna.uid)
    assert (status, "users 1\n" in out, "add --yes" in err) == (0, True, True)
    assert store.users.get(anna.uid) == anna
    assert command("user", "erase", "anna", "--yes") == (0, out, "erased\n")
    assert store.users.get(anna.uid) is None
    said = "localcloud: there is no user with the name, phone, address or uid anna\n"
    assert command("user", "export", "anna") == (1, "", said)


def test_the_operator_reads_codes_on_the_command_line(store, command):
    _person(store, "anna")
    assert re.fullmatch(r"1970-01-0\d \S+ sms \+49anna 123456\n", command("code", "list")[1])


def _sweep(store, now, history_days=7, latest_hours=24):
    while store.retention.apply(now, history_days, latest_hours):
        pass


def test_more_old_records_than_a_portion_all_go(store):
    rows = [{"did": "x", "at": float(n), "type": APP2DEV, "ip": "", "payload": b""} for n in range(2 * PORTION + 10)]
    with store._engine.begin() as connection:
        connection.execute(tables.messages.insert(), rows)
    _sweep(store, 2 * PORTION + 7 * 86400)
    assert [message.at for message in store.history.messages("x", ALL)[1]] == [
        2.0 * PORTION + n for n in range(9, -1, -1)
    ]


def test_the_latest_values_of_a_device_are_forgotten_after_their_hours(store):
    did = _device(store, "AA")
    _sweep(store, 5.0 + 24 * 3600)
    assert store.devices.get(did).attrs == {"heat": 1}
    _sweep(store, 5.1 + 24 * 3600)
    assert (store.devices.get(did).attrs, store.devices.get(did).attrs_at) == ({}, 0)


def test_codes_and_the_outbox_go_when_they_are_of_no_use_any_more(store):
    now = time.time()
    for phone, expire_at in (("1", now - 3601), ("2", now + 10)):
        store.codes.put("sms", phone, "123456", int(expire_at))
        with store._engine.begin() as connection:
            row = {"at": now, "kind": "sms", "address": phone, "code": "1", "text": "1", "expire_at": int(expire_at)}
            connection.execute(tables.sent_codes.insert().values(**row))
    _sweep(store, now)
    with store._engine.begin() as connection:
        assert connection.execute(select(tables.sent_codes.c.address)).scalars().all() == ["2"]
        assert connection.execute(select(tables.codes.c.subject)).scalars().all() == ["2"]


@pytest.mark.sqlite
def test_what_went_by_itself_is_not_in_the_file_either(store, tmp_path):
    store.history.add_message(Message("x", 1.0, APP2DEV, "ip", b"remember me"))
    store.history.add_message(Message("x", 9e9, APP2DEV, "ip", b"remember that"))
    _sweep(store, 8e9)
    store._engine.dispose()
    data = b"".join(path.read_bytes() for path in tmp_path.glob("cloud.db*"))
    assert b"remember me" not in data
    assert b"remember that" in data
