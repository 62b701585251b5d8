"""What a chip must not lose: two files in turn, of which one is good at any byte of a write."""

import json

import pytest
from gagent_upy.storage import Slots

FIRST = {"mac": "A0B1C2D3E4F5", "did": ""}
SECOND = {"mac": "A0B1C2D3E4F5", "did": "d" * 22, "subdevices": {"k/m": ["did", "passcode"]}}


@pytest.fixture
def slots(tmp_path):
    return Slots(str(tmp_path / "identity"))


@pytest.fixture
def again(tmp_path):
    """What a chip that starts anew finds."""
    return lambda: Slots(str(tmp_path / "identity")).load()


def test_nothing_is_stored_at_first(slots):
    assert slots.load() is None
    assert slots.damaged == 0


def test_what_was_stored_last_is_found(slots, again):
    for n in range(12):
        slots.save({"n": n})
        assert again() == {"n": n}


def test_storing_goes_on_after_a_start(slots, again, tmp_path):
    for n in range(5):
        slots = Slots(str(tmp_path / "identity"))
        slots.load()
        slots.save({"n": n})
        assert again() == {"n": n}


@pytest.mark.parametrize("older", [[], [{"before": "that"}, FIRST]])
def test_a_write_cut_at_any_byte_leaves_the_old_record_or_the_new(slots, again, tmp_path, older):
    for record in [*older, SECOND]:
        slots.save(record)
    newest = tmp_path / "identity.0"
    whole = newest.read_bytes()
    for cut in range(len(whole)):
        newest.write_bytes(whole[:cut])
        assert again() == (FIRST if older else None)
    newest.write_bytes(whole)
    assert again() == SECOND


def test_a_write_that_was_cut_is_made_up_for_by_the_next(slots, tmp_path, again):
    slots.save(FIRST)
    slots.save(SECOND)
    newest = tmp_path / "identity.1"
    newest.write_bytes(newest.read_bytes()[:-1])
    slots = Slots(str(tmp_path / "identity"))
    assert slots.load() == FIRST
    assert slots.damaged == 1
    slots.save(SECOND)
    assert again() == SECOND
    assert Slots(str(tmp_path / "identity")).load() == SECOND


@pytest.mark.parametrize("at", range(0, 60, 3))
def test_a_changed_byte_is_noticed(slots, again, tmp_path, at):
    slots.save(FIRST)
    slots.save(SECOND)
    newest = tmp_path / "identity.1"
    data = bytearray(newest.read_bytes())
    data[at] ^= 1
    newest.write_bytes(data)
    assert again() == FIRST


def test_two_damaged_files_are_nothing_and_are_told_of(slots, tmp_path):
    for n in (0, 1):
        (tmp_path / ("identity.%d" % n)).write_bytes(b"garbage")
    assert slots.load() is None
    assert slots.damaged == 2


def test_a_full_flash_is_an_error_and_what_was_stored_stays(tmp_path, again):
    slots = Slots(str(tmp_path / "identity"))
    slots.save(FIRST)
    (tmp_path / "identity.1").mkdir()
    with pytest.raises(OSError):
        slots.save(SECOND)
    assert again() == FIRST


def test_a_person_can_read_the_record(slots, tmp_path):
    slots.save(SECOND)
    lines = (tmp_path / "identity.0").read_text().split("\n")
    assert json.loads(lines[1]) == SECOND
