"""The chip's files with their constants folded: the same program with fewer names."""

import pytest
from steps import fold

CONST = """
try:
    from micropython import const
except ImportError:
    def const(x):
        return x
CMD = const(0x0B)
NEXT = const(CMD + 1)
TABLE = bytes((CMD, NEXT))
HEADER = b"x"
"""
USER = """
from .const import CMD, HEADER, NEXT, const
_MINE = const(CMD * 2)
PUBLIC = const(5)
lower = const(6)

def f(x, limit=PUBLIC):
    if x == CMD:
        return bytes((NEXT,)), _MINE
    return {CMD: HEADER}, lower
"""
OTHER = """
from p import user
from p.const import NEXT as n
from p import const as c

def g():
    return user.PUBLIC + n + c.CMD, user.f
"""
MODULES = {"p.const": CONST, "p.user": USER, "p.other": OTHER}


@pytest.fixture
def folded():
    return fold.fold(MODULES)


def test_constants_go_and_their_values_stay(folded):
    assert "CMD" not in folded["p.const"] and "micropython" not in folded["p.const"]
    assert "TABLE = b'\\x0b\\x0c'" in folded["p.const"]
    assert "import HEADER\n" in folded["p.user"]
    assert "_MINE" not in folded["p.user"] and "PUBLIC" not in folded["p.user"]
    assert "return (b'\\x0c', 22)" in folded["p.user"] and "limit=5" in folded["p.user"]
    assert "return (5 + 12 + 11, user.f)" in folded["p.other"]


def test_what_is_no_constant_stays(folded):
    assert "HEADER = b'x'" in folded["p.const"]
    assert "{11: HEADER}" in folded["p.user"]
    # Only names in capitals are constants by the house's rules.
    assert "lower = 6" in folded["p.user"] and "lower)" in folded["p.user"]


def test_folding_twice_changes_nothing(folded):
    assert fold.fold(folded) == folded
