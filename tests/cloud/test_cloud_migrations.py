"""A database that another version of localcloud left: upgraded, with what is in it, or refused with words."""

import threading

import pytest
from localcloud.store import database, migrations, tables
from localcloud.store.database import open_database
from localcloud.store.history import Span
from localcloud.store.store import open_store
from localcloud.store.users import hash_of
from sqlalchemy import create_engine, inspect, text
from testkit import cloud_tables_1 as first
from testkit import databases
from testkit.patience import PATIENCE_S

ALL = Span(0, 10**12, True, 0, 1000)
DID, UID, PRODUCT = "D" * 22, "0d" * 16, "a1" * 16


@pytest.fixture
def url(tmp_path):
    """A database of version 1 with a row in every table."""
    url = databases.url_of(tmp_path)
    engine = create_engine(url)
    with engine.begin() as connection:
        first.metadata.create_all(connection)
        for table, row in _ROWS:
            connection.execute(table.insert().values(**row))
    engine.dispose()
    return url


_ROWS = (
    (first.schema_info, {"version": 1}),
    (
        first.products,
        {"product_key": PRODUCT, "name": "lamp", "secret": "5e" * 16, "definition": "{}", "bools": "number"},
    ),
    (first.apps, {"app_id": "0a" * 16, "name": "phone"}),
    (first.users, {"uid": UID, "username": "anna", "password_hash": "hash", "lang": "zh-cn"}),
    (first.users, {"uid": "0e" * 16, "app_id": "0a" * 16, "phone_id": "p", "lang": "en"}),
    (first.tokens, {"token_hash": hash_of("token"), "uid": UID, "expire_at": 2**31 - 1}),
    (
        first.devices,
        {
            "did": DID,
            "product_key": PRODUCT,
            "mac": "AA",
            "mac_key": "aa",
            "passcode": "P",
            "is_disabled": False,
            "attrs": '{"a": 1}',
            "attrs_at": 1.5,
        },
    ),
    (first.bindings, {"uid": UID, "did": DID, "role": "special", "remark": "r", "dev_alias": "a"}),
    (first.messages, {"did": DID, "at": 1.5, "type": "dev2app", "ip": "::1", "payload": b"\x00\xff"}),
    (first.presence, {"did": DID, "at": 1.5, "type": "dev_online", "ip": "::1", "keep_alive": 120}),
)


def test_a_database_of_version_1_keeps_all_that_is_in_it(url):
    store = open_store(url)
    anna = store.users.by_name("anna")
    assert (anna.uid, anna.lang, anna.phone, anna.gender, anna.is_anonymous) == (UID, "zh-cn", None, "N", False)
    assert store.users.anonymous("0a" * 16, "p", "en").uid == "0e" * 16
    assert store.users.by_token("token")[0] == anna
    assert store.products.get(PRODUCT).name == "lamp"
    assert store.products.app_secret("0a" * 16) is None
    assert store.bindings.get(UID, DID).dev_alias == "a"
    assert store.devices.get(DID).attrs == {"a": 1}
    assert store.history.messages(DID, ALL)[1][0].payload == b"\x00\xff"
    assert store.history.presence(DID, ALL)[1][0].keep_alive == 120
    store.close()


def test_an_upgraded_database_has_the_tables_of_a_new_one(url, tmp_path):
    (tmp_path / "new").mkdir()
    upgraded, new = (_shape(open_database(at)) for at in (url, databases.url_of(tmp_path / "new")))
    assert upgraded == new


def _shape(engine):
    """Everything that the database says of its tables."""
    look = inspect(engine)
    shape = {
        table: (
            {column["name"]: (str(column["type"]), column["nullable"], column["default"]) for column in columns},
            sorted(_index(index) for index in look.get_indexes(table)),
            sorted(map(str, look.get_foreign_keys(table))),
            sorted(map(str, look.get_unique_constraints(table))),
            look.get_pk_constraint(table)["constrained_columns"],
        )
        for table in look.get_table_names()
        for columns in [look.get_columns(table)]
    }
    with engine.begin() as connection:
        shape["version"] = connection.execute(text("SELECT version FROM schema_info")).scalar()
    engine.dispose()
    return shape


def _index(index):
    where = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return str((index["name"], index["column_names"], bool(index["unique"]), where))


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(url, monkeypatch):
    def fail(op):
        migrations_2(op)
        raise OSError("no space left on device")

    migrations_2 = migrations.STEPS[2]
    monkeypatch.setitem(migrations.STEPS, 2, fail)
    with pytest.raises(Exception, match="no space left"):
        open_database(url)
    engine = create_engine(url)
    assert set(inspect(engine).get_table_names()) == set(first.metadata.tables)
    engine.dispose()
    monkeypatch.undo()
    open_database(url).dispose()


def test_of_workers_that_start_together_one_upgrades(url, monkeypatch):
    # Who holds the lock may be held up itself, longer than a cloud would wait.
    monkeypatch.setattr(database, "BUSY_TIMEOUT", PATIENCE_S * 1000)
    failed = []

    def start():
        try:
            open_database(url).dispose()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_every_version_has_its_step():
    assert set(migrations.STEPS) == set(range(2, tables.SCHEMA_VERSION + 1))
