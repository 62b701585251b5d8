"""Where the functions of the bundle are: in the list that files share, or in the one file that needs them."""

import ast
import sys
import types

import pytest
from steps import places, settle

BUNDLE = """
_here = [None] * 2
import os
from binascii import hexlify as hexed
LIMIT = [3]
class Kept:
    def look(self):
        return often(1)
def often(n):
    return n + LIMIT[0]
def seldom(n):
    return often(n) + deep(n)
def deep(n):
    return len(os.sep) + len(hexed(b"a" * n))
def handed(n):
    return n
def by_default(n=2):
    return n
def both(n):
    return -n
"""
START = """
def make():
    from m import seldom, handed, often, both, by_default, _here
    _here[0] = seldom(2) + both(1) + by_default()
    return handed
"""
RARE = """
import m as whole
from m import both as other
LIMIT = 1
def run():
    return whole.often(1), other(2), [whole.Kept().look() for _ in range(LIMIT)], (lambda: whole.both(4))()
"""
PROGRAM = {"m": BUNDLE, "start": START, "rare": RARE}
SETTLED = settle.settle(PROGRAM, "m")
PLACED = places.place(SETTLED, "m")


def defined(source):
    return [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("sources", [PROGRAM, SETTLED, PLACED, places.place(PROGRAM, "m")])
def test_the_program_does_what_it_did(sources, monkeypatch):
    for name in sources:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for name in sources:
        exec(sources[name], sys.modules[name].__dict__)
    assert sys.modules["start"].make()(7) == 7
    assert sys.modules["m"]._here[0] == (2 + 3 + 1 + 4) - 1 + 2
    assert sys.modules["rare"].run() == (4, -2, [4], -4)


def test_what_one_file_alone_calls_goes_there_and_takes_what_it_alone_calls():
    assert defined(SETTLED["start"]) == ["make", "seldom", "deep"]
    assert {"seldom", "deep"}.isdisjoint(defined(SETTLED["m"]))


@pytest.mark.parametrize(
    ("why", "name"),
    [
        ("the bundle needs it, too", "often"),
        ("it is handed on", "handed"),
        ("its default is made with the bundle", "by_default"),
        ("two files need it", "both"),
    ],
)
def test_what_stays_in_the_bundle(why, name):
    assert name in defined(SETTLED["m"]), why


def test_a_function_does_not_go_where_its_name_means_something_else():
    sources = {"m": BUNDLE, "start": START + "def seldom():\n    pass\n"}
    assert "seldom" in defined(settle.settle(sources, "m")["m"])


def test_a_file_that_has_loaded_the_bundle_names_what_came_at_its_top():
    rare = "from m import often\ndef run():\n    return often(1)\n"
    settled = settle.settle({"m": "LIMIT = [3]\ndef often(n):\n    return n + LIMIT[0]\n", "rare": rare}, "m")
    assert settled["rare"].startswith("from m import LIMIT\n")


def test_functions_of_the_bundle_have_one_name_and_a_place_each():
    top = [node for node in ast.parse(PLACED["m"]).body if isinstance(node, ast.FunctionDef)]
    assert {node.name for node in top} == {"_function"}
    assert PLACED["m"].startswith("_here = [None] * %d\n" % (2 + len(top)))


def test_a_placed_function_says_in_the_source_what_it_was():
    assert [ast.get_docstring(node) for node in ast.parse(PLACED["m"]).body if isinstance(node, ast.FunctionDef)] == [
        "often()",
        "handed()",
        "by_default()",
        "both()",
    ]
    flat = places.place({"m": "_here = [None] * 0\ndef _Book__write():\n    return 1\n"}, "m")
    assert '"""Book.write()"""' in flat["m"]


def test_a_bundle_without_a_list_stays():
    assert places.place({"m": "def f():\n    return 1\n"}, "m") == {"m": "def f():\n    return 1\n"}
