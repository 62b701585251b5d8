"""Namedtuples as plain tuples: the same program, and what cannot be one is refused where it is built."""

import contextlib
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import tuples
from steps.fields import places_of
from steps.flow import Flow

SOURCES = {
    "p.kinds": """
from collections import namedtuple
_Frame = namedtuple('Frame', ('cmd', 'sn', 'payload'))
BadFrame_ = namedtuple('BadFrame', ('reason', 'sn'))
Idle = namedtuple('Idle', ())
Wish = namedtuple('Wish', ('what',))
def parse(n):
    if n % 3 == 0:
        return BadFrame_(n, sn=-1)
    return _Frame(n & 7, n, bytes((n % 256,)) * 2)
""",
    "p.link": """
from collections import namedtuple
from p.kinds import BadFrame_ as BadFrame, Idle, parse
Sent = namedtuple('Sent', ('at', 'frame'))
Told = namedtuple('Told', ('frame', 'text', 'wish'))
DEFAULT = Idle()
class Link:
    def __init__(self, hear):
        self._hear = hear
        self._queue = []
        self._last = None
        self._answer = None
        self.sn = 5
    def feed(self, numbers):
        out = [DEFAULT]
        for n in numbers:
            frame = parse(n)
            if isinstance(frame, BadFrame):
                out.append(Told(frame, 'bad %d' % frame.reason, None))
                continue
            if frame == self._last:
                continue
            self._last = frame
            self._answer = (self._hear, frame)
            out.extend(self._said(n))
            self._queue.append(Sent(frame=frame, at=n))
        return out + self._drained()
    def _said(self, n):
        from p.kinds import Wish as _W
        answer, self._answer = self._answer, None
        method, frame = answer
        out = []
        self.hand_on(*answer)
        out.append(_W('none') if n > 50 else _W(frame.payload[0]))
        return out
    def hand_on(self, what, *rest):
        what(*rest, self.sn)
    def _drained(self):
        out = []
        while self._queue:
            out.append(self._queue.pop(0))
        return out
""",
    "p.main": """
import p.link
from p import kinds
import p.link as link
from p.link import Sent, Told, Link
class Heard:
    def __init__(self):
        self.sum = 0
        self.last = None
        self.info = kinds.Wish(1)
    def hear(self, frame, sn):
        self.sum += frame.sn + sn
        self.last = frame
    def latest(self):
        return self.last
def words(effect):
    if isinstance(effect, (Sent, link.Told)):
        return "about"
    elif not isinstance(effect, kinds.Wish):
        return type(0).__name__ + " idle"
    return effect.what
def run(numbers):
    heard = Heard()
    out = []
    for effect in Link(heard.hear).feed(numbers):
        out.append(words(effect))
        if isinstance(effect, link.Told):
            out.append((effect.frame.sn, effect.text))
        elif isinstance(effect, p.link.Sent):
            out.append([effect.at, effect.frame.cmd, effect.frame.payload])
    if isinstance(heard.last, (kinds._Frame, kinds.BadFrame_)):
        told = Told(heard.last, 'a text', len(out))
        out.append([part for part in told[1:]])
        out.append(told[-1])
    first = heard.latest().cmd if heard.latest() else 0
    return out, heard.sum, first, heard.info.what
""",
    "p": "",
}


def ran(sources, *arguments):
    """What `run` of the last module gives."""
    with imported(sources) as modules:
        return modules["p.main"].run(*arguments)


@contextlib.contextmanager
def imported(sources):
    """The sources as modules, by name, while they run."""
    modules = {name: types.ModuleType(name) for name in sources}
    before = {name: sys.modules.get(name) for name in sources}
    sys.modules.update(modules)
    try:
        for name, source in sources.items():
            parent, _, last = name.rpartition(".")
            if parent in modules:
                setattr(modules[parent], last, modules[name])
            exec(source, modules[name].__dict__)
        yield modules
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


PLAIN = tuples.plain(SOURCES)


@given(st.lists(st.integers(0, 60), max_size=12))
def test_plain_tuples_do_what_the_namedtuples_did(numbers):
    assert ran(PLAIN, numbers) == ran(SOURCES, numbers)


def test_nothing_of_namedtuples_is_left():
    whole = "\n".join(PLAIN.values())
    for word in ("namedtuple", "_Frame", "BadFrame", "Sent", "Told", "Wish", "Idle", ".frame", ".payload", ".cmd"):
        assert word not in whole, word
    # What objects have of the same name stays, and so does what else is imported.
    assert "self.sn" in whole and ".info" in whole and "from p.kinds import parse" in whole


def test_building_again_gives_the_same():
    assert tuples.plain(dict(reversed(SOURCES.items()))) == PLAIN


def one(body, *more):
    """A module with two namedtuples, as it becomes; `more` are further modules."""
    return tuples.plain(sources_of(body, *more))["m"]


HEAD = """from collections import namedtuple
A = namedtuple('A', ('x', 'y'))
B = namedtuple('B', ('x', 'z', 'w'))
N = namedtuple('N', ())
"""


def sources_of(body, *more):
    return {"m": HEAD + body, **{"n%d" % number: text for number, text in enumerate(more)}}


def test_a_tuple_of_constants_is_made_when_it_is_needed():
    # MicroPython would keep it on the heap from the start.
    assert "tuple([3])" in one("def f():\n    return N()\n")
    assert "tuple([1, 1, 2])" in one("f = lambda: A(1, 2)\n")
    assert "tuple(" not in one("def f(n):\n    return A(1, n)\n")
    assert "a = (1, 1, 2)" in one("a = A(1, 2)\n")
    assert "tuple([" not in one("def f(tuple):\n    return N()\n")


def test_what_is_asked_for_is_evaluated_once():
    source = "def f():\n    return A(1, 2) if input() else B(1, 2, 3)\n"
    assert "f()[0] == 1" in one(source + "t = isinstance(f(), A)\n")
    assert "f()[0] in b'\\x01\\x02'" in one(source + "t = isinstance(f(), (A, B))\n")
    assert "a[0] == 1 or a[0] == 2" in one(source + "a = f()\nt = isinstance(a, (A, B))\n")


def test_what_may_be_none_is_asked_first():
    source = "def f():\n    if input():\n        return A(1, 2)\na = f()\n"
    assert "a is not None and a[0] == 1" in one(source + "t = isinstance(a, A)\n")
    assert "is not None and (a[0] == 1 or a[0] == 2)" in one(source + "t = isinstance(a, (A, B))\n")


def test_arguments_are_evaluated_in_their_order():
    # By keywords, against the order of the fields: y before x, which both are calls.
    made = one("def f(n):\n    return n\na = A(y=f(1), x=f(2))\nb = B(f(1), f(2), f(3))\n")
    assert "a = (1, f(1), f(2))" in made
    # Names of the function itself are what they are; those of the file a call may change.
    free = one("n = 1\ndef g(k):\n    return A(y=g(1), x=k)\n")
    assert "(1, k, g(1))" in free
    assert "(1, g(1), n)" in one("n = 1\ndef g(k):\n    return A(y=g(1), x=n)\n")


def test_of_what_nothing_is_known_the_name_of_the_attribute_tells():
    assert "return a[2]" in one("b = B(1, 2, 3)\ndef never(a):\n    return a.z\n")


def test_what_is_left_out_of_a_profile_is_no_hindrance():
    # Nobody makes a B: what comes after the question is never run.
    assert "a[0] == 2" in one("def f(a):\n    if isinstance(a, B):\n        return a.w\nf(A(1, 2))\n")


LAMP = "class Lamp:\n    def __init__(self):\n        self.y = 1\n"


@pytest.mark.parametrize(
    ("why", "body"),
    [
        ("one or the other", LAMP + "a = A(1, 2) if input() else Lamp()\nb = a.y\n"),
        ("or something else", "a = A(1, 2) if input() else input()\nb = a.y\n"),
        ("not known, and objects have such", LAMP + "def never(a):\n    return a.y\n"),
        ("not known, and code that is not here has such", "import os\nos.y\ndef never(a):\n    return a.y\n"),
        ("asked of what is not always one", "a = A(1, 2) if input() else (1, 2)\nb = isinstance(a, A)\n"),
        ("asked of what nobody hands on", "def never(a):\n    return isinstance(a, A)\n"),
        ("asked for with others", "a = A(1, 2)\nb = isinstance(a, (A, int))\n"),
        ("a call that may give None", "def f():\n    if input():\n        return A(1, 2)\nb = isinstance(f(), A)\n"),
        ("in a table", "TABLE = {1: A}\n"),
        ("handed on", "def f(kind):\n    return kind(1, 2)\nf(A)\n"),
        ("a parent", "class C(A):\n    pass\n"),
        ("one of two kinds", "K = A if input() else B\nk = K(1, 2)\n"),
        ("in a decorator", "@A\ndef f():\n    pass\n"),
        ("unpacked", "x, y = A(1, 2)\n"),
        ("unpacked by a loop", "for x, y in [A(1, 2)]:\n    pass\n"),
        ("unpacked by a comprehension", "a = [x for x, y in [A(1, 2)]]\n"),
        ("unpacked, of pairs", "for n, (x, y) in enumerate([A(1, 2)]):\n    pass\n"),
        ("unpacked, of a list", "a = [A(1, 2), 3]\n(x, y), n = a\n"),
        ("gone over", "a = A(1, 2)\nfor x in a:\n    pass\n"),
        ("gone over by a comprehension", "a = A(1, 2)\nb = [x for x in a]\n"),
        ("spread", "a = A(1, 2)\nb = [*a]\n"),
        ("spread in a call", "def f(x, y):\n    pass\na = A(1, 2)\nf(*a)\n"),
        ("made of what is spread", "a = A(*[1, 2])\n"),
        ("made of keywords that are spread", "a = A(**{'x': 1, 'y': 2})\n"),
        ("too little", "a = A(1)\n"),
        ("too much", "a = A(1, 2, 3)\n"),
        ("twice", "a = A(1, x=2)\n"),
        ("counted", "n = len(A(1, 2))\n"),
        ("printed", "print(A(1, 2))\n"),
        ("printed in a list", "a = [A(1, 2)]\nprint(a)\n"),
        ("printed one by one", "a = [A(1, 2)]\nprint(*a)\n"),
        ("told", "t = '%s' % A(1, 2)\n"),
        ("told among others", "a = A(1, 2)\nt = '%s %s' % (1, a)\n"),
        ("told in a text", "a = A(1, 2)\nt = f'{a}'\n"),
        ("formatted", "a = A(1, 2)\nt = '{}'.format(a)\n"),
        ("written by other code", "import json\nt = json.dumps(A(1, 2))\n"),
        ("got by name", "a = A(1, 2)\nx = getattr(a, 'x')\n"),
        ("an exception's", "class E(Exception):\n    pass\nraise E(A(1, 2))\n"),
        ("added", "a = A(1, 2) + (3,)\n"),
        ("ordered", "a = A(1, 2) < A(3, 4)\n"),
        ("sorted", "a = sorted([A(1, 2)])\n"),
        ("the largest", "a = max([A(1, 2)])\n"),
        ("looked for", "a = [A(1, 2)]\nb = A(1, 2) in a\n"),
        ("compared in a list", "a = [A(1, 2)] == [A(1, 2)]\n"),
        ("looked into", "a = 1 in A(1, 2)\n"),
        ("taken out by its value", "a = [A(1, 2)]\na.remove(A(1, 2))\n"),
        ("a key", "a = {A(1, 2): 1}\n"),
        ("a key that is looked up", "a = {}\nb = a[A(1, 2)]\n"),
        ("in a set", "a = {A(1, 2)}\n"),
        ("compared with a tuple", "a = A(1, 2) == (1, 2)\n"),
        ("compared, of kinds of one size", "C = namedtuple('C', ('p', 'q'))\na = A(1, 2) == C(1, 2)\n"),
        ("false because it has no fields", "a = N() if input() else None\nif a:\n    pass\n"),
        ("false, not", "a = N() if input() else None\nb = not a\n"),
        ("replaced", "a = A(1, 2)._replace(x=3)\n"),
        ("its fields", "a = A(1, 2)._fields\n"),
        ("no field", "a = A(1, 2).q\n"),
        ("set", "a = A(1, 2)\na.x = 3\n"),
        ("by a number that is not written there", "a = A(1, 2)\nb = a[len(input())]\n"),
        ("by a number that is too large", "a = A(1, 2)[2]\n"),
        ("by a number that means two things", "a = A(1, 2) if input() else B(1, 2, 3)\nb = a[1]\n"),
        ("by a number, or not one", "a = A(1, 2) if input() else (1, 2)\nb = a[0]\n"),
        ("a part of what has no name", "a = A(1, 2)[:1]\n"),
        ("set by number", "a = A(1, 2)\na[0] = 1\n"),
        ("defined in a function", "def f():\n    return namedtuple('C', ('x',))\n"),
        ("defined if need be", "if input():\n    C = namedtuple('C', ('x',))\n"),
        ("defined by a text", "C = namedtuple('C', 'x y')\n"),
        ("defined with defaults", "C = namedtuple('C', ('x',), defaults=(1,))\n"),
        ("defined twice", "A = namedtuple('A', ('x',))\n"),
        ("defined anew", "def f():\n    global A\n    A = 1\n"),
        ("defined by another name", "from collections import namedtuple as nt\n"),
        ("defined through the module", "import collections\nC = collections.namedtuple('C', ('x',))\n"),
        ("named twice at once", "C = D = namedtuple('C', ('x',))\n"),
        (
            "in contrary orders",
            "def f(n):\n    return n\na = A(x=f(1), y=f(2))\nb = A(y=f(1), x=f(2))\n",
        ),
    ],
)
def test_what_would_not_be_the_same_is_refused(why, body):
    compile(HEAD + body, "m", "exec")
    with pytest.raises(ValueError):
        one(body)


def test_a_refusal_names_the_file_the_line_and_what_to_do():
    with pytest.raises(ValueError, match=r"^m: for x in a:: .*use its fields$"):
        one("a = A(1, 2)\nfor x in a:\n    pass\n")
    with pytest.raises(
        ValueError, match=r"^n0: b = a\.y: a is object:m\.Lamp or tuple:m\.A: use one variable for each$"
    ):
        one(LAMP + "a = A(1, 2) if input() else Lamp()\n", "from m import a\nb = a.y\n")
    with pytest.raises(ValueError, match=r"^n0: Other is named in a decorator .* leave it out there$"):
        one("", "from m import A as Other\n@Other\ndef f():\n    pass\n")
    with pytest.raises(ValueError, match=r"^n0: import \* "):
        one("", "from m import *\n")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = A(1, 2)[1]\n", "a = (1, 1, 2)[2]"),
        ("a = A(1, 2)\nb = a[-2]\n", "b = a[1]"),
        ("a = A(1, 2)\nb = a[:1]\n", "b = (a[1],)"),
        ("a = A(1, 2)\nb = a == A(1, 2)\n", "b = a == (1, 1, 2)"),
        ("a = A(1, 2) if input() else B(1, 2, 3)\nb = a == a\n", "b = a == a"),
        ("a = A(1, 2)\nb = a is not None and bool(a.x)\n", "b = a is not None and bool(a[1])"),
        ("a = A(1, 2)\nb = isinstance(a, tuple)\n", "isinstance(a, tuple)"),
        ("a = [A(1, 2)]\nb = len(a)\n", "len(a)"),
        ("a = [A(1, 2)]\nfor b in reversed(a):\n    c = b.y\n", "c = b[2]"),
        ("a = {}\na.setdefault(1, A(1, 2))\nb = a.get(2, A(3, 4)).x\n", "b = a.get(2, (1, 3, 4))[1]"),
        ("for n, a in enumerate([A(1, 2)]):\n    b = a.x + n\n", "b = a[1] + n"),
        ("a = [A(1, 2), A(3, 4)]\nb, c = a\nd = c.y\n", "d = c[2]"),
        ("a = [n for n in [A(1, 2)] if n.x]\n", "if n[1]"),
        ("def f(a=A(1, 2)):\n    A = a\n    return A.y\nf()\n", "return A[2]"),
        ("def f(A):\n    return A\nb = f(1)\n", "return A"),
        ("def f():\n    from collections import namedtuple\n", "    pass"),
        ("from collections import deque, namedtuple\nd = deque\n", "from collections import deque\n"),
    ],
)
def test_what_stays_the_same_is_done(body, expected):
    assert expected in one(body)


def test_what_flows_is_told_by_whoever_is_asked():
    asked = []

    def flow_of(trees):
        asked.append(sorted(trees))
        return Flow(trees)

    tuples.plain(SOURCES, flow_of)
    assert asked == [sorted(SOURCES)]


# Places.

FIELDS = st.lists(st.sampled_from("abcdefghijkl"), unique=True, max_size=8)


@given(st.lists(FIELDS, max_size=12))
def test_no_two_fields_of_a_kind_share_a_place(kinds):
    places = places_of(kinds)
    assert set(places) == {name for fields in kinds for name in fields}
    for fields in kinds:
        assert len({places[name] for name in fields}) == len(fields)
    assert all(place >= 1 for place in places.values())


@given(st.lists(FIELDS, max_size=12), st.data())
def test_what_is_evaluated_first_has_the_lower_place(kinds, data):
    # Orders that do not contradict one another: all taken from one.
    order = {name: number for number, name in enumerate(data.draw(st.permutations("abcdefghijkl")))}
    before = {
        (first, second)
        for fields in kinds
        for first in fields
        for second in fields
        if order[first] < order[second] and data.draw(st.booleans())
    }
    places = places_of(kinds, before)
    assert all(places[first] < places[second] for first, second in before)
    for fields in kinds:
        assert len({places[name] for name in fields}) == len(fields)


@given(FIELDS)
def test_a_kind_that_shares_no_fields_has_no_holes(fields):
    assert sorted(places_of([fields]).values()) == list(range(1, len(fields) + 1))


def test_small_kinds_stay_small():
    # Of a block each, though the large one names their fields last.
    places = places_of([["a", "b", "c", "d", "e", "f", "g"], ["g"], ["x", "g"], ["x"]])
    assert places["g"] == 1 and places["x"] == 2


def test_who_gains_by_a_low_place_has_it():
    # "d" cannot have the first place, whatever it is offered: a small kind of one field can.
    places = places_of([["a", "d", "f"], ["d"], ["f"]], [("a", "d")])
    assert places == {"f": 1, "a": 2, "d": 3}


def test_contrary_orders_name_the_fields():
    with pytest.raises(ValueError, match="contrary orders, a, b"):
        places_of([["a", "b"]], [("a", "b"), ("b", "a")])
