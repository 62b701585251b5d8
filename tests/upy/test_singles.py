"""Classes of which there is one object, as functions: the same program, and what stays a class."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import places, settle, singles

# `m` is bundled, `start` puts it together, `rare` is loaded when first needed, `main` is apart.
BUNDLE = """
class Book:
    def __init__(self, title, pages=None):
        self.title = title
        if pages is None:
            self.pages = []
            return
        self.pages = pages
    def write(self, text, times=1):
        for _ in range(times):
            self.pages.append(text)
        return len(self.pages)
class Writer:
    def __init__(self, book, tell):
        self.book = book
        self._tell = tell
        self._rare = None
        self.written = self.counted = 0
        self.seen = 0
    def write(self, text):
        self.written += 1
        self.counted += len(text)
        self.seen += 1
        self._tell(self.book.write(text, times=2), self._mood())
        if self._rare is None and len(text) > 3:
            from rare import Rare
            self._rare = Rare(self, self.book)
        if self._rare is not None:
            self._rare.look()
    def has_book(self):
        return self.book is not None
    def _mood(self):
        return "tired" if self.written > 2 else "fresh"
class Log:
    lines: list
    def __init__(self):
        self.lines = []
    def tell(self, count, mood):
        self.lines.append((count, mood))
def shown(writer):
    return "%s: %d" % (writer.book.title, writer.written)
"""
BUNDLE = BUNDLE.replace("    lines: list\n", "")
START = """
def make():
    from m import Book, Log
    from m import Writer, shown
    log = Log()
    writer = Writer(Book("days", pages=["first"]), log.tell)
    def run(texts):
        for text in texts:
            writer.write(text)
        writer.book.title += "."
        return shown(writer), log.lines, writer.book.pages, writer.has_book()
    return run
"""
RARE = """
import m as whole
class Rare:
    def __init__(self, writer, book):
        self._writer, self._book = writer, book
    def look(self):
        self._book.pages.append(self._writer._mood() + whole.shown(self._writer))
"""
MAIN = "import start\nrun = start.make()\n"
PROGRAM = {"m": BUNDLE, "start": START, "rare": RARE, "main": MAIN}


def flat(sources, bundle="m", apart=frozenset({"main"})):
    return singles.flatten(sources, bundle, apart)


FLAT = flat(PROGRAM)
SMALL = places.place(settle.settle(FLAT, "m"), "m")


def ran(sources, texts, monkeypatch):
    """What main's `run` gives; the modules are what imports find."""
    import sys
    import types

    for name in sources:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for name in sources:
        exec(sources[name], sys.modules[name].__dict__)
    return sys.modules["main"].run(texts)


@given(st.lists(st.sampled_from(["a", "on", "rain", "sunshine"]), max_size=6))
@pytest.mark.parametrize("sources", [FLAT, SMALL])
def test_the_program_does_what_it_did(sources, texts):
    with pytest.MonkeyPatch.context() as monkeypatch:
        before = ran(PROGRAM, texts, monkeypatch)
        assert ran(sources, texts, monkeypatch) == before


def test_no_class_is_left_of_what_there_is_one_of():
    assert "class" not in FLAT["m"]
    assert "self" not in FLAT["m"]


def test_an_attribute_that_nobody_reads_has_no_place():
    # book, _tell, _rare, written of one, title and pages of another, lines of the third; `_tell` is called.
    assert FLAT["m"].startswith("_here = [None] * 7\n")


def once(
    more="",
    start="A()",
    cls="class A:\n    def __init__(self):\n        self.x = 1\n    def f(self):\n        return self.x\n",
):
    return {"m": "%sclass Other:\n    pass\n%s" % (cls, more), "start": "from m import *\n", "main": "import m\n"} | {
        "start": "from m import A, Other\na = %s\n" % start
    }


def is_class(sources, name="A"):
    return "class %s" % name in flat(sources)["m"]


def test_what_is_made_once_at_the_top_of_a_file_goes():
    assert not is_class(once())


@pytest.mark.parametrize(
    ("why", "sources"),
    [
        ("made at two places", once("a = A()\n")),
        ("made in a loop", once(start="None\nfor i in (1, 2):\n    b = A()")),
        ("made in a comprehension", once(start="[A() for _ in (1, 2)]")),
        ("made by what is called twice", once(start="None\ndef f():\n    b = A()\nf()\nf()")),
        ("made by what is handed on", once(start="None\ndef f():\n    b = A()\nprint(f)")),
        ("made by what calls itself", once(start="None\ndef f():\n    b = A()\n    f()")),
        (
            "made by what is made twice",
            once("class B:\n    def __init__(self):\n        self.a = A()\nB()\nB()\n", "None"),
        ),
        ("handed to code that is not here", once(start="A()\nprint(a)")),
        ("put into a list", once(start="A()\nlist_ = [a]")),
        ("asked for its attributes by name", once(start="A()\ngetattr(a, 'x')")),
        ("one of two", once(start="A() if input else Other()")),
        ("compared", once(start="A()\nb = a == 1")),
        ("asked for what is made on the way", once(start="A().f()")),
        ("in what stays when the rest is upgraded", once() | {"main": "import start\nprint(start.a)\n"}),
        ("a child", once(cls="class B:\n    pass\nclass A(B):\n    pass\n")),
        ("a parent", once("class B(A):\n    pass\n")),
        ("with attributes of its own", once(cls="class A:\n    x = 1\n    def f(self):\n        return self.x\n")),
        ("with a property", once(cls="class A:\n    @property\n    def f(self):\n        return 1\n")),
        ("called itself", once(cls="class A:\n    def __call__(self):\n        return 1\n")),
    ],
)
def test_what_must_stay_a_class_stays(why, sources):
    assert is_class(sources), why
