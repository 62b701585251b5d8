"""What is called at one place, in that place: the same program with fewer functions, and what stays a function."""

import ast
import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import inline, literals, pool, shorten
from testkit.ran import ran

PROGRAM = """
LIMIT = 3
class Meter:
    def __init__(self, seen):
        self.seen = seen
        self.total = 0
    def add(self, n, out):
        item = n
        if self._is_wrong(n):
            out.append("wrong %d" % n)
            return
        for step in range(2):
            self._count(item + step, out)
        scale = self._scale(item)
        first, second = self._both(n)
        self._end(n, second, out)
        out.append((item, scale, first, second))
        return self._last(n)
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
    def _scale(self, n, by=LIMIT and 2):
        if n > 50:
            return "high"
        elif n > 20:
            return self._word(n, "mid")
        return "low" * by
    def _word(self, n, word):
        return [word for _ in range(n % LIMIT)]
    def _both(self, item):
        scale = item * 2
        item = scale + 1
        return (scale, item)
    def _end(self, n, item, out):
        for scale in range(3):
            out.append(scale + item)
        self._tell(out, n)
    def _tell(self, out, n):
        if n == 4:
            out.append(_marked("four"))
            return
        out.append(self.total)
    def _last(self, n):
        for i in range(10):
            if i == n:
                return "found %d" % i
def _marked(text):
    return "<" + text + ">"
def run(numbers):
    out = []
    meter = Meter(0)
    for n in numbers:
        out.append(meter.add(n, out))
    return out
"""


@given(st.lists(st.integers(-5, 100), max_size=20))
def test_what_was_taken_in_does_what_it_did(numbers):
    assert ran(INLINED, numbers) == ran(PROGRAM, numbers)
    assert ran(SHORT, numbers) == ran(PROGRAM, numbers)


# A default that is no constant is evaluated once.
INLINED = inline.inline({"m": PROGRAM})["m"]
SHORT = shorten.shorten({"m": pool.pool(INLINED)})["m"]


def test_every_way_of_calling_is_taken_in():
    # In a test, as a statement, as a value that is unpacked, as what is returned, and within one another.
    for name in ("_is_wrong", "_count", "_both", "_end", "_tell", "_last", "_word"):
        assert name not in INLINED, name


def once(body, call="self._taken(n)", more="", head="self, n"):
    """A class whose method `_taken` is called by `use`."""
    return "class A:\n    def use(self, n):\n        %s\n    def _taken(%s):\n        %s\n%s" % (call, head, body, more)


def stays(source, name="_taken", **others):
    return "def %s(" % name in inline.inline({"m": source, **others})["m"]


def test_a_method_with_one_call_goes():
    assert not stays(once("self.x = n"))


@pytest.mark.parametrize(
    ("why", "source"),
    [
        ("called at many places", once("self.x = n", "self._taken(1); self._taken(2); self._taken(3); self._taken(4)")),
        ("large, called twice", once("self.x = [%s]" % ", ".join("n" * 60), "self._taken(1); self._taken(2)")),
        ("never called", once("self.x = n", "pass")),
        ("handed around", once("self.x = n", "return self._taken")),
        ("in a table", once("self.x = n", more="    TABLE = {1: _taken}\n")),
        ("calls itself", once("self._taken(n - 1)", "pass")),
        ("a generator", once("yield n", "return self._taken(n)")),
        ("a function within", once("return lambda: n", "return self._taken(n)")),
        ("any number of arguments", once("self.x = n", head="self, *n")),
        ("any keywords", once("self.x = n", head="self, **n", call="self._taken(n=n)")),
        ("arguments from a list", once("self.x = n", "self._taken(*n)")),
        ("a default that is made once", once("n.append(1)", "self._taken()", head="self, n=[]")),
        ("too few arguments", once("self.x = n", "self._taken()")),
        ("within an expression", once("return n", "return 1 + self._taken(n)")),
        ("returns out of a loop", once("for i in n:\n            return i", "x = self._taken(n); return x")),
        ("decorated", once("self.x = 1").replace("    def _taken", "    @property\n    def _taken")),
        ("a method of a parent", once("self.x = n", more="class B(A):\n    pass\n")),
        ("a method of a child", "class B:\n    pass\n" + once("self.x = n").replace("class A", "class A(B)")),
        ("named in a text", once("self.x = n", more="WORD = '_taken'\n")),
        ("called from another object", once("self.x = n", more="def f(a):\n    a._taken(1)\n")),
        ("deletes its own", once("del n")),
        ("writes to the file's names", once("global G\n        G = n")),
        ("reads a name that is local to the caller", once("self.x = size", "size = 1; self._taken(n)")),
        ("the caller has a function within", once("self.x = n", "self._taken(n); return lambda: n")),
        ("public", once("self.x = n").replace("_taken", "taken")),
    ],
)
def test_what_would_not_be_the_same_stays_a_function(why, source):
    assert stays(source, "taken" if why == "public" else "_taken"), why


def test_what_is_called_from_outside_stays():
    source = "def _taken(n):\n    print(n)\ndef use(n):\n    _taken(n)\n"
    assert not stays(source)
    assert stays(source, other="from m import _taken\n_taken(1)\n")
    assert "def _taken" in inline.inline({"m": source}, frozenset(["_taken"]))["m"]
    child = "from m import A as Parent\nclass B(Parent):\n    pass\n"
    assert stays(once("self.x = n"), other=child)


def test_a_method_with_too_many_locals_takes_no_more():
    many = "; ".join("v%d = n" % i for i in range(30))
    assert stays(once("a = n; b = a; c = b; self.x = c", many + "; self._taken(n)"))


def test_arguments_are_evaluated_in_their_order_and_once():
    source = """
def said(x):
    print(x)
    return x
class A:
    def use(self, n):
        self._taken(said(1), b=said(2), a=said(3))
        print(n)
    def _taken(self, n, a, b, c=4):
        n += 1
        print(n, n, a, b, c)
A().use(9)
"""
    inlined = inline.inline({"m": source})["m"]
    assert "_taken" not in inlined
    assert printed(inlined) == printed(source) == "1\n2\n3\n2 2 3 2 4\n9\n"


def test_two_that_are_taken_in_do_not_take_each_others_names():
    source = """
size = 5
class A:
    def use(self, n):
        self._first(n)
        self._second(n)
    def _first(self, n):
        size_ = n
        print(size_)
    def _second(self, n):
        print(size, n)
class B:
    def use(self, n):
        self._first(n)
        self._second(n)
    def _first(self, n):
        size = n
        print(size)
    def _second(self, n):
        print(size, n)
A().use(1)
B().use(2)
"""
    assert printed(inline.inline({"m": source})["m"]) == printed(source) == "1\n5 1\n2\n5 2\n"


def test_what_is_over_gives_its_names_to_what_comes_after_it():
    source = """
def use(n):
    for i in range(3):
        _first(n + i)
        print(_second(n * i))
def _first(n):
    a = n + 1
    b = a * 2
    print(a, b)
def _second(n):
    c = n + 3
    d = c - n
    return c * d
use(5)
"""
    inlined = inline.inline({"m": source.replace("print(_second(n * i))", "x = _second(n * i); print(x)")})["m"]
    assert "_first" not in inlined and "_second" not in inlined
    assert printed(inlined) == printed(source)
    names = {node.id for node in ast.walk(ast.parse(inlined)) if isinstance(node, ast.Name)}
    assert len(names - {"print", "range", "use"}) == len({"n", "i", "x", "n_", "a", "b"})


# Arguments, and texts.


def test_arguments_that_calls_name_keep_their_names():
    source = (
        "def f(size, limit):\n    return size - limit\ndef g(limit):\n    return f(3, limit=limit)\nresult = g(1)\n"
    )
    short = shorten.shorten({"m": source})["m"]
    assert "size" not in short and "limit" in short
    assert "size" in shorten.shorten({"m": source}, frozenset(["size"]))["m"]


def test_a_short_argument_is_no_name_that_the_function_reads():
    source = "_a = 5\ndef f(x, y):\n    import sys as _c\n    return [x + y + _a for _b in (1,)], _c.maxsize > 0\n"
    scope = {}
    exec(shorten.shorten({"m": source})["m"], scope)
    assert scope["f"](1, 2) == ([8], True)


def test_texts_lie_in_one_text_and_bytes_in_one_row():
    values = "'there are %d of them' % n, 'a word', 'not_a_short_word', b'ab', b'b', b''"
    body = "    'A remark, not kept.'\n    return " + values
    source = "TABLE = 'not in a function'\ndef f(n):\n" + body
    pooled = pool.pool(source)
    assert "remark" not in pooled and "'a word'" in pooled and "[0:20] % n" in pooled
    assert "_all_bytes = b'ab'" in pooled and "_all_bytes[1:2]" in pooled
    scope = {}
    exec(pooled, scope)
    assert scope["f"](2) == ("there are 2 of them", "a word", "not_a_short_word", b"ab", b"b", b"")


def test_what_is_needed_often_is_not_cut_out_each_time():
    loop = "    for i in b'abc':\n        n += b'in a loop' in n, 'in_a_loop_as_well', 'said to people'\n"
    pooled = pool.pool("def f(n):\n%s    return n.split(b'often')" % loop, frozenset([b"often"]))
    for text in ("b'in a loop'", "'in_a_loop_as_well'", "b'often'"):
        assert text in pooled, text
    assert "_all_texts = 'said to people'" in pooled and "_all_bytes = b'abc'" in pooled


CONSTANTS = """
_MARK = b"\\xff"
_ROWS = ((1, "one"), (2, "two"))
_changed = "once"
_MADE = [1]
_shared = "x y"
PUBLIC = "p"
__version__ = "1"
def f(n, _inner=2):
    global _changed
    _changed = "twice"
    return _MARK * n, _ROWS[n], _MADE, _shared, _inner
_inner = 5
"""


def test_constants_of_one_file_are_put_where_they_are_read():
    put = literals.put({"m": CONSTANTS, "n": "from m import _shared\n"})["m"]
    assert "_MARK" not in put and "_ROWS" not in put
    # Changed; no constant; somebody else's too; public; the name of something else besides.
    for name in ("_changed = 'once'", "_MADE = ", "_shared = ", "PUBLIC = ", "__version__ = ", "_inner = 5"):
        assert name in put, name
    scope = {}
    exec(put, scope)
    assert scope["f"](1) == (b"\xff", (2, "two"), [1], "x y", 2)


def printed(source):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(source, {})
    return out.getvalue()
