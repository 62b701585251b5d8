"""The identity file: private, whole, never lost."""

import json
import os
import stat

import pytest
from gagent_linux.storage import IdentityFile, StorageError, new_record

RECORD = {"mac": "A0B1C2D3E4F5", "did": "", "passcode": "ABCDEFGHIJ"}


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_what_was_saved_is_loaded(tmp_path):
    IdentityFile(str(tmp_path / "a" / "b"), "n").save(RECORD)
    assert IdentityFile(str(tmp_path / "a" / "b"), "n").load() == RECORD


def test_nothing_saved_is_no_record(tmp_path):
    assert IdentityFile(str(tmp_path), "n").load() is None


def test_only_the_owner_may_read(tmp_path):
    umask = os.umask(0)
    try:
        identity = IdentityFile(str(tmp_path / "state"), "n")
        identity.save(RECORD)
        identity.save(RECORD)
    finally:
        os.umask(umask)
    assert (mode(identity.path), mode(tmp_path / "state")) == (0o600, 0o700)


def test_each_port_has_its_own_file(tmp_path):
    for name in ("a", "b"):
        IdentityFile(str(tmp_path), name).save({"mac": name})
    assert IdentityFile(str(tmp_path), "a").load() == {"mac": "a"}
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.json"]


def test_a_save_that_fails_leaves_the_old_record_and_no_rubbish(tmp_path, monkeypatch):
    identity = IdentityFile(str(tmp_path), "n")
    identity.save(RECORD)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"No space left on device; what was stored before is unchanged"):
        identity.save({"mac": "other"})
    assert identity.load() == RECORD
    assert os.listdir(tmp_path) == ["n.json"]


def test_the_old_record_is_there_until_the_new_one_is_on_the_disk(tmp_path, monkeypatch):
    identity = IdentityFile(str(tmp_path), "n")
    identity.save(RECORD)
    seen = []
    real = os.fsync

    def watching(descriptor):
        seen.append(identity.load())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watching)
    identity.save({"mac": "new"})
    # First the content, still under another name; then the directory with the new name.
    assert seen == [RECORD, {"mac": "new"}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00\xff\xfe",
        b"[]",
        b"null",
        b'{"version": 2, "identity": {"mac": "A"}}',
        b'{"identity": {"mac": "A"}}',
        b'{"version": 1}',
        b'{"version": 1, "identity": {"mac": 5}}',
    ],
)
def test_a_damaged_file_is_named_with_advice_and_left_alone(tmp_path, content):
    identity = IdentityFile(str(tmp_path), "n")
    (tmp_path / "n.json").write_bytes(content)
    with pytest.raises(StorageError) as caught:
        identity.load()
    assert identity.path in str(caught.value)
    assert "restore it from a backup, or remove it" in str(caught.value)
    assert (tmp_path / "n.json").read_bytes() == content


def test_a_file_that_cannot_be_read_is_no_first_start(tmp_path):
    (tmp_path / "n.json").mkdir()
    with pytest.raises(StorageError, match=r"cannot be read"):
        IdentityFile(str(tmp_path), "n").load()


def test_a_message_about_a_damaged_file_shows_nothing_of_it(tmp_path):
    (tmp_path / "n.json").write_text(json.dumps({"version": 9, "identity": RECORD}) + "}")
    with pytest.raises(StorageError) as caught:
        IdentityFile(str(tmp_path), "n").load()
    assert RECORD["passcode"] not in str(caught.value)


def test_a_new_record_takes_the_mac_it_is_given():
    assert new_record("AABBCCDDEEFF") == {"mac": "AABBCCDDEEFF"}


def test_a_new_record_without_a_mac_gets_a_random_local_one():
    macs = {new_record()["mac"] for _ in range(50)}
    assert len(macs) == 50
    for mac in macs:
        assert len(mac) == 12
        assert mac == mac.upper()
        assert bytes.fromhex(mac)[0] & 3 == 2
