"""Comprehensions as loops: the same program without functions within functions, and what is not computed first."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import unfold
from testkit.ran import ran

PROGRAM = """
class Box:
    def __init__(self, items):
        self.items = items
    def keep(self, low):
        self.items = [item for item in self.items if item > low if item % 2]
        return self.items
def pairs(xs, ys):
    return sorted([(x, y) for x in xs for y in ys if x != y])
def same(x):
    return [x for x in x], x
def nested(xs):
    return [[y + x for y in range(x % 4)] for x in xs]
def named(xs):
    made = 3
    table = {x: made for x in xs}
    if not all(x > 0 for x in xs) and made:
        return "not all", table
    elif any(x > 50 for x in xs):
        return "any", table
    for x in [x * 2 for x in xs]:
        made += x
    made += sum([x for x in xs])
    return "-".join([str(x) for x in xs]), made, table
def run(numbers):
    box = Box(numbers)
    return box.keep(3), box.items, pairs(numbers, numbers[:2]), same(numbers), nested(numbers), named(numbers)
"""
UNFOLDED = unfold.unfold({"m": PROGRAM})["m"]


@given(st.lists(st.integers(-5, 100), max_size=8))
def test_the_loops_do_what_the_comprehensions_did(numbers):
    assert ran(UNFOLDED, numbers) == ran(PROGRAM, numbers)


def inner(source):
    kinds = (ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)
    return [ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]


def test_none_is_left():
    assert inner(UNFOLDED) == []


@pytest.mark.parametrize(
    ("why", "body"),
    [
        ("something is called before it", "return f(), [i for i in x]"),
        ("something is read before it that a call may change", "x.a = 1; return x.a, [i for i in x]"),
        ("an item is read before it", "return x[0], [i for i in x]"),
        ("it may not be computed at all", "return x and [i for i in x]"),
        ("it may not be computed at all", "return 1 if x else [i for i in x]"),
        ("it may not be computed at all", "return 1 < x < [i for i in x]"),
        ("it is computed again and again", "while [i for i in x]:\n        x.pop()"),
        ("it is added to what it may change", "x.a += [i for i in x]"),
        ("an item of a dict is stored after its key is known", "return {f(i): i for i in x}"),
        ("the rest is not asked for", "return next(i for i in x)"),
        ("all is another", "all = f; return all(i for i in x)"),
        ("it has a function within", "return [lambda: i for i in x]"),
        ("it is a function's own", "return lambda: [i for i in x]"),
    ],
)
def test_what_would_not_be_the_same_stays(why, body):
    source = "def f(x):\n    %s\n" % body
    assert inner(unfold.unfold({"m": source})["m"]) == inner(source) != [], why
