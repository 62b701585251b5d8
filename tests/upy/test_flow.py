"""What an expression may be an object of: everything that arrives there, and nothing that does not."""

import ast

import pytest
from steps.flow import Flow

HEAD = """
from collections import namedtuple
Point = namedtuple("Point", ("x", "owner"))
class Lamp:
    def __init__(self, power=None):
        self.power = power
    def lit(self):
        return self
    def twin(self):
        return Lamp(self.power)
class Power:
    pass
class Small(Lamp):
    pass
"""


# A function that hands on what it is given, to what it is given.
HANDED = """
def one(lamp, n):
    found = lamp
def two(power, n):
    pass
def call(what, *rest):
    what(*rest, 1)
"""


def kinds(body, others=()):
    """Of what `found` is set to last in module m."""
    flow, value = asked(body, others)
    return flow.kinds(value)


def asked(body, others=()):
    """(flow, what `found` is set to last in module m)."""
    sources = {"m": HEAD + body, **dict(others)}
    trees = {module: ast.parse(text) for module, text in sources.items()}
    flow = Flow(trees)
    values = [node.value for node in ast.walk(trees["m"]) if isinstance(node, ast.Assign) and is_found(node)]
    return flow, values[-1]


def is_found(node):
    return isinstance(node.targets[0], ast.Name) and node.targets[0].id == "found"


LAMP, POWER, SMALL, POINT, OTHER = "object:m.Lamp", "object:m.Power", "object:m.Small", "tuple:m.Point", "other"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("found = Lamp()", {LAMP}),
        ("found = 3", {OTHER}),
        ("found = None", set()),
        ("lamp = None\nlamp = Lamp()\nfound = lamp", {LAMP}),
        ("lamp = Lamp() if input() else Power()\nfound = lamp", {LAMP, POWER}),
        ("found = input() or Power()", {OTHER, POWER}),
        ("found = Lamp(Power()).power", {POWER}),
        ("lamp = Lamp()\nlamp.power = Power()\nfound = lamp.power", {POWER}),
        ("found = Lamp().lit()", {LAMP}),
        ("found = Small().lit()", {LAMP, SMALL}),
        ("found = Small(Power()).power", {POWER}),
        ("def f(lamp, n=1):\n    return lamp\nfound = f(Lamp())", {LAMP}),
        ("def f(n, lamp=None):\n    return lamp\nfound = f(1, lamp=Lamp())", {LAMP}),
        ("def f(lamp=Lamp()):\n    return lamp\nfound = f()", {LAMP}),
        ("def f(*lamps):\n    return lamps\nfound = f(Lamp(), Power())[0]", {LAMP, POWER}),
        ("def f(n, lamp):\n    return lamp\nfound = f(*(1, Lamp()))", {LAMP}),
        ("def f(n, lamp):\n    return lamp\nfound = f(*[1, Lamp()])", {LAMP, OTHER}),
        ("def f(n, *lamps):\n    return lamps\nfound = f(*(1, Lamp()))[0]", {LAMP}),
        ("def call(what, *given):\n    return what(*given)\nfound = call(Lamp, Power()).power", {POWER}),
        (HANDED + "call(one, Lamp())\ncall(two, Power())", {LAMP}),
        (HANDED + "call(one, Lamp())\ncall(one, Power())", {LAMP, POWER}),
        (HANDED + "call(one, *[Lamp()])\ncall(two, Power())", {LAMP, OTHER}),
        (HANDED + "call(*(one, Lamp()))\ncall(*(two, Power()))", {LAMP}),
        (HANDED.replace("what(*", "len(rest); what(*") + "call(one, Lamp())\ncall(two, Power())", {LAMP, POWER, OTHER}),
        ("lamps = [Lamp()]\nlamps.append(Power())\nfound = lamps.pop()", {LAMP, POWER}),
        ("lamps = []\nlamps.insert(0, Lamp())\nfound = lamps[0]", {LAMP}),
        ("lamps = []\nlamps.extend([Lamp()])\nfound = lamps[-1]", {LAMP}),
        ("lamps = []\nlamps += [Lamp()]\nfound = lamps[0]", {LAMP}),
        ("lamps = (Lamp(),)\nlamps += (Power(),)\nfound = lamps[1]", {LAMP, POWER}),
        ("n = 1\nn += 2\nfound = n", {OTHER}),
        ("lamps = [Lamp()]\nothers = [Power()]\nfound = lamps[0]", {LAMP}),
        ("lamps = [Lamp()]\nfound = lamps[1:]", {OTHER}),
        ("lamps = [Lamp()]\nfound = (lamps[1:] + [Power()])[0]", {LAMP, POWER}),
        ("for found_ in (Lamp(), Power()):\n    found = found_", {LAMP, POWER}),
        ("found = [lamp for lamp in [Lamp()]][0]", {LAMP}),
        ("found = {1: Lamp()}.get(1, Power())", {LAMP, POWER}),
        ("found = max([Lamp()])", {LAMP, OTHER}),
        ("found = list((Lamp(),))[0]", {LAMP}),
        ("def f():\n    yield Lamp()\nfor found_ in f():\n    found = found_", {LAMP}),
        ("lamp, found_ = Lamp(), Power()\nfound = found_", {POWER}),
        ("pair = Lamp(), Power()\nlamp, found_ = pair\nfound = found_", {POWER}),
        ("for n, found_ in enumerate([Lamp()]):\n    found = found_", {LAMP}),
        ("for n, found_ in enumerate([Lamp()]):\n    found = n", {OTHER}),
        ("for found_, n in zip([Lamp()], [Power()]):\n    found = found_", {LAMP}),
        ("for found_, n in zip(*[[Lamp()], [Power()]]):\n    found = found_", {LAMP, POWER}),
        ("for key, found_ in {1: Lamp()}.items():\n    found = found_", {LAMP}),
        ("found = dict(zip((1, 2), (Lamp(), Lamp())))[1]", {LAMP, OTHER}),
        ("for n, (p, found_) in enumerate([Point(1, Lamp())]):\n    found = found_", {LAMP}),
        ("pair = Lamp(), Power()\nfound = pair[-2]", {LAMP}),
        ("pair = Lamp(), Power()\nfound = pair[len(input())]", {LAMP, POWER}),
        ("pair = Lamp(), Power()\nlamp, *found_ = pair\nfound = found_[0]", {LAMP, POWER}),
        ("found = Point(1, Lamp())[1]", {LAMP}),
        ("found = Point(1, 2)", {POINT}),
        ("found = Point(1, Lamp()).owner", {LAMP}),
        ("found = Point(x=1, owner=Lamp()).owner", {LAMP}),
        ("found = Point(1, Lamp()).x", {OTHER}),
        ("found = Lamp", {"class:m.Lamp"}),
        ("found = Lamp().lit", {"method:m.Lamp.lit"}),
        ("make = lambda: Lamp()\nfound = make()", {LAMP}),
        ("def f():\n    def inner():\n        return Lamp()\n    return inner()\nfound = f()", {LAMP}),
        ("import os\nfound = os.getcwd()", {OTHER}),
        ("def f(lamp):\n    return lamp\nsorted([1], key=f)\nfound = f(Lamp())", {LAMP, OTHER}),
        ("try:\n    pass\nexcept ValueError as error:\n    found = error", {OTHER}),
        ("with open('x') as file:\n    found = file", {OTHER}),
    ],
)
def test_what_arrives_is_named(body, expected):
    assert kinds(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("found = Lamp()", False),
        ("found = None", True),
        ("lamp = None\nlamp = Lamp()\nfound = lamp", True),
        ("found = Lamp().power", True),
        ("found = {1: Lamp()}.get(1)", True),
        ("found = {1: Lamp()}.get(1, Power())", False),
        ("found = {1: Lamp()}[1]", False),
        ("found = [Lamp(), None].pop()", True),
        ("def f():\n    if input():\n        return Lamp()\nfound = f()", True),
        ("def f():\n    return Lamp()\nfound = f()", False),
        ("def f():\n    return\nfound = f()", True),
        ("for found_ in (Lamp(), Power()):\n    found = found_", False),
    ],
)
def test_whether_nothing_may_come_is_told(body, expected):
    flow, value = asked(body)
    assert flow.may_be_none(value) is expected


def test_what_is_in_a_container_is_told():
    flow, value = asked("found = [Lamp(), Point(1, Power())]")
    assert flow.parts(value) == {LAMP, POINT}
    flow, value = asked("found = Point(1, Power())")
    assert flow.parts(value) == {OTHER, POWER}


def test_what_others_define_is_followed_through_imports():
    others = {"p.far": "from m import Lamp as Other\nclass Far:\n    pass\nthing = Other(Far())\n", "p": ""}
    assert kinds("from p.far import thing as t\nfound = t.power", others) == {"object:p.far.Far"}
    assert kinds("from p import far\nfound = far.thing", others) == {LAMP}
    assert kinds("import p.far\nfound = p.far.Far()", others) == {"object:p.far.Far"}


def test_what_a_profile_does_without_never_arrives():
    others = {"p": "", "p.near": ""}
    assert kinds("from p.gone import thing\nfound = thing()", others) == set()
    assert kinds("from elsewhere import thing\nfound = thing()", others) == {OTHER}
