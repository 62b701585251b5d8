"""Functions that are put into few: the same program with fewer functions, and what stays one of its own."""

import ast
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import frames, merge
from testkit.ran import ran

PROGRAM = """
LIMIT = 3
class Meter:
    def __init__(self):
        self.total = 0
    def add(self, n, out):
        if self._is_wrong(n):
            out.append("wrong %d" % n)
            return None
        self._count(n, out)
        return self._scale(n), _both(n), _named(n, word="x"), _named(n), _fifth(1, 2, 3, 4, n), _nothing(), _found(n)
    def _is_wrong(self, n):
        if n < 0:
            return True
        n += 1
        return n > 90
    def _count(self, item, out):
        if item % 7 == 0:
            return
        try:
            self.total += 10 // (item % 5)
        except ZeroDivisionError as error:
            out.append(type(error).__name__)
    def _scale(self, n, by=2):
        return "low" * by if n < 50 else self._word(n)
    def _word(self, n):
        return [n] * (n % LIMIT)
def _both(item):
    scale = item * 2
    item = scale + 1
    return (scale, item)
def _named(n, by=1, word="y"):
    return word * (n % LIMIT) * by
def _fifth(a, b, c, d, e):
    return [a, b, c, d, e][e % 5]
def _nothing():
    for i in (1, 2):
        pass
def _found(n):
    from math import gcd as divisor
    for i in range(10):
        if i == n:
            return "found %d" % divisor(i, 4)
def run(numbers):
    out = []
    meter = Meter()
    for n in numbers:
        out.append(meter.add(n, out))
    return out, meter.total
"""
MERGED = merge.merge({"m": PROGRAM})["m"]


@given(st.lists(st.integers(-5, 100), max_size=20))
def test_the_menu_does_what_the_functions_did(numbers):
    assert ran(MERGED, numbers) == ran(PROGRAM, numbers)


def test_functions_and_private_methods_that_are_only_called_go():
    for name in ("_is_wrong", "_count", "_scale", "_word", "_both", "_named", "_fifth", "_nothing", "_found"):
        assert "def %s" % name not in MERGED, name
    # One for each size of frame and number of arguments.
    assert MERGED.count("def _menu") < 5


def two(body="print(n)", call="_taken(n)", more="", head="n"):
    """A file whose function `_taken` can go with another."""
    return "def use(n):\n    _other(n)\n    %s\ndef _other(n):\n    print(-n)\ndef _taken(%s):\n    %s\n%s" % (
        call,
        head,
        body,
        more,
    )


def stays(source, **others):
    return "def _taken(" in merge.merge({"m": source, **others})["m"]


def test_of_two_one_is_made():
    assert not stays(two())


@pytest.mark.parametrize(
    ("why", "source"),
    [
        ("handed around", two(call="return _taken")),
        ("handed around besides", two(call="_taken(n); return _taken")),
        ("never called", two(call="pass")),
        ("rebound", two(more="_taken = print\n")),
        ("defined twice", two(more="def _taken(n):\n    pass\n")),
        ("the name of a local elsewhere", two(more="def f(_taken):\n    _taken(1)\n")),
        ("a generator", two("yield n")),
        ("a function within", two("return lambda: n")),
        ("a list made by a function within", two("return [i for i in range(n)]")),
        ("any number of arguments", two(head="*n")),
        ("arguments from a list", two(call="_taken(*n)")),
        ("keywords from a dict", two(call="_taken(**n)")),
        ("too few arguments", two(call="_taken()")),
        ("too many arguments", two(call="_taken(n, n)")),
        ("a default that is made once", two(call="_taken()", head="n=[]")),
        ("another order of evaluation", two(call="_taken(b=print(n), n=print(2))", head="n, b")),
        ("decorated", two().replace("def _taken", "@print\ndef _taken")),
        ("named in a text", two(more="WORD = '_taken'\n")),
        ("writes to the file's names", two("global G; G = n")),
        ("asks what is bound", two("try:\n        print(x)\n    except NameError:\n        x = 1")),
        ("many locals", two("; ".join("v%d = n" % i for i in range(60)))),
        ("alone of its size", two("a = 1; b = 2; c = 3; d = 4; e = 5; f = 6; g = 7; h = 8; i = 9; j = 10; k = 11")),
    ],
)
def test_what_would_not_be_the_same_stays_a_function(why, source):
    assert stays(source), why


def method(body="print(n)", call="self._taken(n)", more="", head="class A:"):
    text = "%s\n    def use(self, n):\n        self._other(n)\n        %s\n    def _other(self, n):\n        print(n)\n"
    return (text + "    def _taken(self, n):\n        %s\n%s") % (head, call, body, more)


def test_of_two_methods_one_function_is_made():
    assert not stays(method())


@pytest.mark.parametrize(
    ("why", "source"),
    [
        ("called from another object", method(more="def f(a):\n    a._taken(1)\n")),
        ("handed around", method(call="return self._taken")),
        ("replaced", method(more="    def other(self):\n        self._taken = 1\n")),
        ("in a table", method(more="    TABLE = {1: _taken}\n")),
        ("self is another", method(more="    def other(self, x):\n        self = x\n        self._taken(1)\n")),
        ("a method of a parent", method(more="class B(A):\n    pass\n")),
        ("a method of a child", "class B:\n    pass\n" + method(head="class A(B):")),
    ],
)
def test_a_method_that_others_may_mean_stays(why, source):
    assert stays(source), why


def test_methods_of_different_sizes_call_one_another():
    large = "".join("        v%d = n + %d\n" % (i, i) for i in range(12))
    source = (
        "class A:\n    def run(self, n):\n        return self._a(n), self._b(n), self._c(n), self._d(n), self._e(n)\n"
        "    def _a(self, n):\n        return self._c(n) + 1\n    def _b(self, n):\n        return self._a(n) + 1\n"
        "    def _c(self, n):\n%s        return self._e(v3)\n    def _d(self, n):\n%s        return self._c(v1)\n"
        "    def _e(self, n):\n        return n\nresult = A().run(1)\n" % (large, large)
    )
    before, after = {}, {}
    exec(source, before)
    merged = merge.merge({"m": source})["m"]
    exec(merged, after)
    assert merged.count("def _menu") == 2
    assert after["result"] == before["result"] == (5, 6, 4, 5, 1)


def test_what_is_called_from_outside_stays():
    assert stays(two(), other="from m import _taken\n_taken(1)\n")
    assert "def _taken(" in merge.merge({"m": two()}, keep=frozenset(["_taken"]))["m"]


BUNDLE = """
def first(n, by=2):
    return n * by
def second(n):
    return n + 1
def third(n):
    return first(n) + second(n)
def unclear(n):
    return n - 1
def value(n):
    return third(n) - unclear(n)
"""
USER = """
import b as alias
from b import value
from b import unclear as odd
def f(n):
    from b import first, second as add
    return first(n), first(n, by=4), add(n), alias.third(n), [value(n), list(map(value, (n,)))]
def g(odd):
    return odd(3)
result = f(5), g(odd)
"""


def test_others_call_what_the_bundle_has_by_its_number(tmp_path):
    merged = merge.merge({"b": BUNDLE, "user": USER}, "b")
    for name in ("first", "second", "third"):
        assert "def " + name not in merged["b"] and name + "(" not in merged["user"]
    assert "def value" in merged["b"] and "def unclear" in merged["b"]
    for name, sources in (("before", {"b": BUNDLE, "user": USER}), ("after", merged)):
        folder = tmp_path / name
        folder.mkdir()
        for module, text in sources.items():
            (folder / (module + ".py")).write_text(text)
    command = [sys.executable, "-c", "import user; print(user.result)"]
    before, after = [
        subprocess.run(command, cwd=tmp_path / name, env={"PYTHONPATH": "."}, capture_output=True, text=True)
        for name in ("before", "after")
    ]
    assert after.stdout == before.stdout == "((10, 20, 6, 16, [12, [12]]), 2)\n", after.stderr


def test_what_imports_from_the_bundle_when_it_runs_stays():
    user = "def _f():\n    from b import value\n    return value\ndef _g():\n    return value\nx = _f(), _g()\n"
    assert "def _f(" in merge.merge({"b": BUNDLE, "user": user}, "b")["user"]


def test_a_menu_is_there_when_the_file_itself_calls_it():
    source = "def _one(n):\n    return n\nA = _one(1)\ndef _two(n):\n    return _one(n) + 1\nB = _two(A)\n"
    merged = merge.merge({"m": source})["m"]
    scope = {}
    exec(merged, scope)
    assert "_two" not in merged and scope["B"] == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (1, "return 1"),
        (2, "x = a + b"),
        (3, "x[a] = b"),
        (4, "f(a, b, c)"),
        (5, "x.f(a, b, c)"),
        (5, "f(k=a, w=b)"),
        (6, "for x in y:\n    a = x + 1"),
        (7, "for x in y:\n    f(x, 1)"),
        (7, "try:\n    f(x, 1)\nexcept OSError:\n    pass"),
    ],
)
def test_the_stack_of_a_frame_is_reckoned_as_the_compiler_does(words, text):
    assert frames.stack_of(ast.parse(text).body) == words
