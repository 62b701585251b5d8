"""Exceptions that nobody tells apart: what goes, what stays, and that what is used of them means the same."""

import pytest
from steps import shake

ERRORS = "class Root(Exception):\n    'Not told.'\nclass Seen(Root):\n    pass\nclass Raised(Root):\n    pass\n"
USER = """
from e import Raised, Seen
def run(n):
    try:
        if n:
            raise Raised("raised %d" % n)
        raise Seen("seen")
    except Seen as error:
        return [type(error).__name__, str(error)]
    except Exception as error:
        return [error.args, n]
result = [run(0), run(1)]
"""


def ran(sources):
    scope = {}
    exec(sources["e"] + "\n".join(line for line in sources["u"].splitlines() if "from e" not in line), scope)
    return scope["result"]


def test_what_is_only_raised_or_derived_from_goes():
    shaken = shake.shake({"e": ERRORS, "u": USER})
    assert "Root" not in shaken["e"] and "Raised" not in shaken["e"] + shaken["u"]
    assert "class Seen(Exception)" in shaken["e"] and "import Seen\n" in shaken["u"]
    assert ran(shaken) == ran({"e": ERRORS, "u": USER}) == [["Seen", "seen"], [("raised 1",), 1]]


@pytest.mark.parametrize(
    ("why", "more"),
    [
        ("caught", "try:\n    f()\nexcept Raised:\n    pass\n"),
        ("caught in a row", "try:\n    f()\nexcept (ValueError, Raised):\n    pass\n"),
        ("asked for", "print(isinstance(f(), Raised))\n"),
        ("made and kept", "error = Raised('x')\n"),
        ("named in a text", "print('Raised')\n"),
        ("named through a module", "print(f.Raised)\n"),
        ("imported under another name", "from e import Raised as Other\nraise Other\n"),
        ("its parent is another", "Exception = f\n"),
    ],
)
def test_what_somebody_tells_apart_stays(why, more):
    assert "class Raised" in shake.shake({"e": ERRORS, "u": USER + more})["e"], why


def test_what_has_something_of_its_own_stays():
    for body in ("code = 1", "def f(self):\n        return 1"):
        errors = ERRORS.replace("class Raised(Root):\n    pass", "class Raised(Root):\n    " + body)
        assert "class Raised" in shake.shake({"e": errors, "u": USER + "print(f().code, f().f)\n"})["e"]


def test_what_is_used_from_outside_stays():
    assert "class Raised" in shake.shake({"e": ERRORS, "u": USER}, frozenset(["Raised"]))["e"]
