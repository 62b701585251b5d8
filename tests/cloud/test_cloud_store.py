import stat

import pytest
from localcloud.app import open_cloud_store
from localcloud.catalog import CatalogError, add_app, add_product, add_user
from localcloud.settings import Settings
from localcloud.store.database import StoreError, open_database
from localcloud.store.history import APP2DEV, Message, Presence, Span
from localcloud.store.retention import EXPIRED_TOKENS_S
from localcloud.store.store import open_store
from localcloud.store.tables import SCHEMA_VERSION
from sqlalchemy import text
from testkit import databases, device_state
from testkit.cloud_running import LAMP

ALL = Span(0, 10**12, True, 0, 1000)


@pytest.fixture
def store(tmp_path):
    store = open_store(databases.url_of(tmp_path))
    yield store
    store.close()


def test_what_was_stored_is_there_after_opening_again(tmp_path):
    settings = Settings(tmp_path / "data", database_url=databases.url_of(tmp_path))
    store = open_cloud_store(settings)
    did = store.devices.add("aa" * 16, "mac", "PASSCODE")
    store.close()
    again = open_cloud_store(settings)
    assert again.devices.get(did).passcode == "PASSCODE"
    again.close()


@pytest.mark.sqlite
def test_only_the_owner_can_read_the_data(tmp_path):
    store = open_cloud_store(Settings(tmp_path / "data"))
    store.devices.add("aa" * 16, "mac", "PASSCODE")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    store.close()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert modes
    assert set(modes.values()) == {0o600}


@pytest.mark.sqlite
def test_a_data_directory_may_have_any_name(tmp_path):
    open_cloud_store(Settings(tmp_path / "50% off? #1 &c")).close()
    assert (tmp_path / "50% off? #1 &c" / "cloud.db").exists()


@pytest.mark.sqlite
def test_a_directory_with_other_things_in_it_keeps_its_mode(tmp_path):
    (tmp_path / "letter").touch()
    tmp_path.chmod(0o755)
    open_cloud_store(Settings(tmp_path)).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "cloud.db").stat().st_mode) == 0o600


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"data directory .*/file/data: Not a directory"):
        open_cloud_store(Settings(tmp_path / "file" / "data"))


@pytest.mark.parametrize("url", ["nonsense", "nosuchdb://h/x", "sqlite:////nowhere/at/all/cloud.db"])
def test_a_database_that_cannot_be_opened_is_told_in_one_line(url):
    with pytest.raises(StoreError) as refused:
        open_database(url)
    assert "\n" not in str(refused.value)


def test_the_password_of_a_database_is_not_told():
    with pytest.raises(StoreError) as refused:
        open_database("nosuchdb://user:hunter2@host/name")
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_no_database_is_told_and_kept(tmp_path):
    path = tmp_path / "cloud.db"
    path.write_bytes(b"my diary, not a database " * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_database("sqlite:///%s" % path)
    assert path.read_bytes().startswith(b"my diary")


def test_a_database_of_a_newer_version_is_refused(tmp_path):
    url = databases.url_of(tmp_path)
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE schema_info SET version = 99"))
    engine.dispose()
    with pytest.raises(
        StoreError, match="tables of version 99, this localcloud knows them up to version %d" % SCHEMA_VERSION
    ):
        open_database(url)


def test_old_records_and_tokens_are_dropped_and_new_ones_kept(store):
    for at in (100.0, 200.0):
        store.history.add_message(Message("did", at, APP2DEV, "ip", b"x"))
        store.history.add_presence(Presence("did", at, "dev_online", "ip"))
    store.retention.apply(150 + 86400, 1, 24)
    assert [message.at for message in store.history.messages("did", ALL)[1]] == [200.0]
    assert [change.at for change in store.history.presence("did", ALL)[1]] == [200.0]
    uid = store.users.add(username="anna").uid
    old, new = (store.users.issue_token(uid, expire_at) for expire_at in (100, 200))
    store.retention.apply(150 + EXPIRED_TOKENS_S, 10000, 24)
    assert store.users.by_token(old) is None
    assert store.users.by_token(new)[0].uid == uid


def test_a_span_leaves_out_its_start_and_takes_in_its_end(store):
    for at in (100.0, 150.5, 200.0):
        store.history.add_message(Message("did", at, APP2DEV, "ip", b"x"))
    total, found = store.history.messages("did", Span(100, 200, False, 0, 10))
    assert (total, [message.at for message in found]) == (2, [150.5, 200.0])


def test_a_report_of_some_attributes_leaves_the_others_as_they_were(store):
    did = store.devices.add("aa" * 16, "mac", "PASSCODE")
    device_state.report(store, did, {"a": 1, "b": "摄氏"}, 1.0)
    device_state.report(store, did, {"a": 2}, 2.0)
    assert (store.devices.get(did).attrs, store.devices.get(did).attrs_at) == ({"a": 2, "b": "摄氏"}, 2.0)


def test_a_product_can_be_replaced(store):
    assert add_product(store, LAMP, "5e" * 16)[1] is True
    product, is_new = add_product(store, LAMP, "5F" * 16, "night lamp", "literal")
    assert not is_new
    assert store.products.all() == [product]
    assert (product.name, product.secret, product.bools) == ("night lamp", "5f" * 16, "literal")


@pytest.mark.parametrize(
    ("definition", "secret", "said"),
    [
        ([], "5e" * 16, "JSON object"),
        ({}, "5e" * 16, "product_key"),
        ({**LAMP, "product_key": "xyz"}, "5e" * 16, "product_key"),
        (LAMP, "short", "product secret: expected 32 hex digits"),
        ({**LAMP, "entities": [{"attrs": [{"id": 0, "name": "power"}]}]}, "5e" * 16, "attribute power"),
    ],
)
def test_a_product_that_cannot_be_is_refused(store, definition, secret, said):
    with pytest.raises(CatalogError, match=said) as refused:
        add_product(store, definition, secret)
    assert secret not in str(refused.value)
    assert store.products.all() == []


def test_an_app_is_given_an_id_when_it_brings_none(store):
    made = add_app(store, "phone")
    named = add_app(store, "tablet", "AB" * 16)
    assert len(made.app_id) == 32
    assert store.products.has_app("ab" * 16)
    assert store.products.all_apps() == [made, named]
    with pytest.raises(CatalogError, match="32 hex digits"):
        add_app(store, "x", "nonsense")


def test_a_user_name_is_given_once_and_a_weak_password_never(store):
    add_user(store, "anna", "Secret-word1")
    with pytest.raises(CatalogError, match="anna is taken"):
        add_user(store, "anna", "Secret-word1")
    with pytest.raises(CatalogError, match="at least three kinds") as refused:
        add_user(store, "bert", "weakpassword")
    assert "weakpassword" not in str(refused.value)
