"""Every file that runs on a chip compiles for one, within its budget of bytes."""

import warnings

import chip_tree
import mpy_size
import profiles
import pytest

pytestmark = pytest.mark.micropython


@pytest.fixture(scope="module")
def sizes(tmp_path_factory):
    return mpy_size.measured(tmp_path_factory.mktemp("mpy"))


def test_no_file_and_no_profile_is_over_its_budget(sizes):
    budget = mpy_size.read_budget()
    assert mpy_size.over(sizes, budget) == [], "\n" + mpy_size.table(sizes, budget)
    if mpy_size.lowered(sizes, budget) != budget:
        warnings.warn("files are below their budgets or gone: `make size` lowers them", stacklevel=1)


def test_what_a_profile_keeps_free_is_there_for_the_lan_protocol(sizes):
    """In the flash that the code runs from; the heap that it will need is another matter."""
    for name, profile in profiles.PROFILES.items():
        if profile.romfs_bytes:
            assert sizes[mpy_size.PROFILE % name] + profile.room <= profile.romfs_bytes


def test_what_the_chip_has_no_syntax_for_does_not_compile(tmp_path):
    source = tmp_path / "bad.py"
    source.write_text("def f(a, /):\n    pass\n")
    with pytest.raises(chip_tree.FirmwareError, match="does not compile"):
        chip_tree.compile_file(source, tmp_path / "bad.mpy")


def test_a_file_over_its_budget_or_without_one_is_named():
    assert mpy_size.over({"a.py": 11, "b.py": 5, "c.py": 4}, {"a.py": 10, "c.py": 4}) == [
        "a.py compiles to 11 bytes, its budget is 10",
        "b.py has no budget: `make size` gives it one of 5 bytes",
    ]


def test_a_budget_is_lowered_and_never_raised():
    budget = {"smaller.py": 10, "larger.py": 10, "gone.py": 10}
    assert mpy_size.lowered({"smaller.py": 8, "larger.py": 12, "new.py": 7}, budget) == {
        "smaller.py": 8,
        "larger.py": 10,
        "new.py": 7,
    }
