"""Constant tuples in cheaper forms: the same answers, and what is not known well enough to be changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import simplify

PROGRAM = """
class Session:
    def __init__(self):
        self.state = 0
    def legal(self, x):
        return [self._may(x) for x in (0,)] + [self._may(0), self._may(5), self._may(7)]
    def enter(self, i):
        self.state = i
        return [self._enter(0), self._enter(1), self._enter(5), self._enter(7)]
    def _may(self, x):
        return x in ((0, 5), (7,))[0]
    def _enter(self, state):
        if state not in ((1, 2), (0, 2, 5), (7, 0, 1))[self.state]:
            return "not"
        return state in ((1, 2), (0, 2, 5), (7, 0, 1))[self.state]
def levels(percent):
    level = 0
    for floor in (1, 20, 40, 70):
        if percent >= floor:
            level += 1
    return level
def run(n):
    s = Session()
    text = bytes((n,))
    found = [n in (3, 4), n not in (3, 4, 5), n in (7,), s.state in (0, 2), str(n)[:1] in ("1", "2"), levels(n)]
    found += [text[:1] in (b"\\x03", b"\\x13"), s.legal(n)]
    return found + [s.enter(i) for i in (-3, -1, 0, 1, 2)]
"""
SIMPLE = simplify.simplify({"m": PROGRAM})["m"]


def ran(source, n):
    scope = {}
    exec(source, scope)
    return scope["run"](n)


@given(st.integers(0, 255))
def test_the_simple_program_answers_as_the_other_did(n):
    assert ran(SIMPLE, n) == ran(PROGRAM, n)


def test_tables_tests_and_loops_have_no_tuples():
    for text in ("(3, 4)", "(1, 20,", "(b'", "((1, 2),"):
        assert text in PROGRAM.replace('"', "'") + "\n" and text not in SIMPLE, text
    assert "n == 3 or n == 4" in SIMPLE and "n != 3 and n != 4 and (n != 5)" in SIMPLE
    # A bit for each number that goes with another.
    assert "b'\\x06%\\x83'[self.state] >> state & 1 == 0" in SIMPLE
    # Once it is called with what may be anything.
    assert "x in ((0, 5), (7,))[0]" in SIMPLE


def test_a_state_that_is_not_there_is_an_error_as_it_was():
    for source in (PROGRAM, SIMPLE):
        scope = {}
        exec(source, scope)
        with pytest.raises(IndexError):
            scope["Session"]().enter(3)


TABLE = "def f(a):\n    return a._g(%s)\ndef h(a):\n    return a._g(1)\nclass A:\n    def _g(self, x):\n        %s\n"
LOOKED_UP = "return x in ((1, 2), (3,))[self.i]"


@pytest.mark.parametrize(
    ("why", "source"),
    [
        ("computed twice", "def f(g):\n    return g() in (1, 2)\n"),
        ("an item that is computed", "def f(a, i):\n    return a[i()] in (1, 2)\n"),
        ("many", "def f(x):\n    return x in (1, 2, 3, 4, 5)\n"),
        ("not constant", "def f(x, y):\n    return x in (1, y)\n"),
        ("None is no number", "def f(x):\n    return x in (1, None)\n"),
        (
            "objects that say themselves what they equal",
            "class A:\n    def __eq__(self, x): return 1\nx = A() in (1, 2)\n",
        ),
        ("large numbers", "def f():\n    for i in (1, 2, 300):\n        print(i)\n"),
        ("negative numbers", "def f():\n    for i in (1, 2, -3):\n        print(i)\n"),
        ("pairs", "def f():\n    for a, b in ((1, 2), (3, 4), (5, 6)):\n        print(a, b)\n"),
        ("any argument", TABLE % ("a.n", LOOKED_UP)),
        ("a large argument", TABLE % ("8", LOOKED_UP)),
        ("arguments from a list", TABLE % ("*a", LOOKED_UP)),
        ("rebound", TABLE % ("2", "x += 9\n        " + LOOKED_UP)),
        ("handed around", TABLE % ("2", LOOKED_UP) + "def i(a):\n    return a._g\n"),
        ("named in a text", TABLE % ("2", LOOKED_UP) + "WORD = '_g'\n"),
        ("a row of large numbers", TABLE % ("2", "return x in ((1, 2), (8,))[self.i]")),
        ("a row that is none", TABLE % ("2", "return x in ((1, 2), 3)[self.i]")),
        ("rows", TABLE % ("2", "return x in ((1, 2), (3,))[1:]")),
    ],
)
def test_what_might_not_be_the_same_stays(why, source):
    before = simplify.ast.unparse(simplify.ast.parse(source))
    assert simplify.simplify({"m": source})["m"] == before, why
