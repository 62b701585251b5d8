"""What a chip must not lose: two files in turn, of which one is good at any byte of a write."""

import json

import pytest
from gagent_upy import storage

FIRST = {"mac": "A0B1C2D3E4F5", "did": ""}
SECOND = {"mac": "A0B1C2D3E4F5", "did": "d" * 22, "subdevices": {"k/m": ["did", "passcode"]}}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "identity")


def test_nothing_is_stored_at_first(path):
    assert storage.load(path) == (None, 0)


def test_what_was_stored_last_is_found(path):
    for n in range(12):
        storage.save(path, {"n": n})
        assert storage.load(path) == ({"n": n}, 0)


@pytest.mark.parametrize("older", [[], [{"before": "that"}, FIRST]])
def test_a_write_cut_at_any_byte_leaves_the_old_record_or_the_new(path, tmp_path, older):
    for record in [*older, SECOND]:
        storage.save(path, record)
    newest = tmp_path / "identity.0"
    whole = newest.read_bytes()
    for cut in range(len(whole)):
        newest.write_bytes(whole[:cut])
        assert storage.load(path) == (FIRST if older else None, 1)
    newest.write_bytes(whole)
    assert storage.load(path) == (SECOND, 0)


def test_a_write_that_was_cut_is_made_up_for_by_the_next(path, tmp_path):
    storage.save(path, FIRST)
    storage.save(path, SECOND)
    newest = tmp_path / "identity.1"
    newest.write_bytes(newest.read_bytes()[:-1])
    assert storage.load(path) == (FIRST, 1)
    storage.save(path, SECOND)
    assert storage.load(path) == (SECOND, 0)


@pytest.mark.parametrize("at", range(0, 60, 3))
def test_a_changed_byte_is_noticed(path, tmp_path, at):
    storage.save(path, FIRST)
    storage.save(path, SECOND)
    newest = tmp_path / "identity.1"
    data = bytearray(newest.read_bytes())
    data[at] ^= 1
    newest.write_bytes(data)
    assert storage.load(path) == (FIRST, 1)


def test_two_damaged_files_are_nothing_and_are_told_of(path, tmp_path):
    for n in (0, 1):
        (tmp_path / ("identity.%d" % n)).write_bytes(b"garbage")
    assert storage.load(path) == (None, 2)


def test_a_full_flash_is_an_error_and_what_was_stored_stays(path, tmp_path):
    storage.save(path, FIRST)
    (tmp_path / "identity.1").mkdir()
    with pytest.raises(OSError):
        storage.save(path, SECOND)
    assert storage.load(path) == (FIRST, 0)


def test_a_person_can_read_the_record(path, tmp_path):
    storage.save(path, SECOND)
    lines = (tmp_path / "identity.0").read_text().split("\n")
    assert json.loads(lines[1]) == SECOND
