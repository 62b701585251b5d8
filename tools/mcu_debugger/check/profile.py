"""A test profile: a TOML file of steps, checked before anything is tried.

    name = "Heat pump, end of line"
    product = "heatpump.json"            beside the profile; --product wins
    stop_at_failure = true               false: go on

    [[step]]
    name = "Heats"                       what the report calls it
    tell = "Close the cover"             said to the person first
    set = { power = true, mode = "heat" }
    expect = { pump = true }             read until it is so
    between = { water_in = [5, 40] }
    within = "10s"                       for expect, between and request; 5s unless given

A step does at most one of: `set` (control, must be acked), `rules` (ids of conformance rules), `status` (a module
status word in hex, must be acked), `request` (wait until the MCU sends this command, by name), `ask` (a question that
the person answers by yes or no), `wait` (a time). `expect` and `between` come after it, or stand alone.
"""

import re
import tomllib
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcu_proto import const as c

from ..codes import CodeError, parse_status
from ..duration import DurationError, parse_duration
from .rules import RULES

Profile = namedtuple("Profile", ("name", "product", "stop_at_failure", "steps"))
# `kind` is one of KINDS, `value` its argument; `within` in ms.
Step = namedtuple("Step", ("name", "tell", "kind", "value", "expect", "between", "within"))

# What a request of the MCU is called in a profile.
REQUESTS = {
    "config": c.CMD_CONFIG_MODE,
    "reset": c.CMD_RESET_MODULE,
    "test": c.CMD_PRODUCTION_TEST,
    "bindable": c.CMD_BINDABLE,
    "time": c.CMD_GET_TIME,
    "info": c.CMD_GET_MODULE_INFO,
    "restart": c.CMD_RESTART_MODULE,
    "report": c.CMD_P0_UP,
}

_WITHIN = 5000
_PROFILE_KEYS = {"name", "product", "stop_at_failure", "step"}


class ProfileError(Exception):
    """A profile that cannot be run; the text names the step and says what was expected."""


def load_profile(path: Path) -> Profile:
    """The profile in the file; ProfileError when there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise ProfileError("profile %s cannot be read: %s" % (path, e.strerror)) from None
    except UnicodeDecodeError:
        raise ProfileError("profile %s is not text: expected TOML" % path) from None
    try:
        return parse_profile(text, path.parent)
    except ProfileError as e:
        raise ProfileError("profile %s: %s" % (path, e)) from None


def parse_profile(text: str, folder: Path) -> Profile:
    """The profile of TOML text; a product it names is looked for in `folder`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ProfileError("not TOML: %s" % e) from None
    _only(data, _PROFILE_KEYS, "the profile")
    rows = data.get("step")
    if not isinstance(rows, list) or not rows:
        raise ProfileError("no steps: expected [[step]] tables")
    product = data.get("product")
    if product is not None and not isinstance(product, str):
        raise ProfileError("product is %r, expected a file name" % (product,))
    name = data.get("name", "test")
    if not isinstance(name, str):
        raise ProfileError("name is %r, expected text" % (name,))
    steps: list[Step] = []
    for number, row in enumerate(rows, 1):
        try:
            steps += _parse_step(row)
        except (ProfileError, CodeError, DurationError) as e:
            raise ProfileError("step %d: %s" % (number, e)) from None
    return Profile(name, folder / product if product else None, bool(data.get("stop_at_failure", False)), steps)


def _parse_step(row: dict) -> list[Step]:
    _only(row, {"name", "tell", "expect", "between", "within", *_KINDS}, "a step")
    kinds = [kind for kind in _KINDS if kind in row]
    if len(kinds) > 1:
        raise ProfileError("does %s: expected one of them" % " and ".join(kinds))
    kind = kinds[0] if kinds else "check"
    value: Any = _KINDS[kind](row[kind]) if kinds else None
    expect = _table(row, "expect")
    between = _table(row, "between")
    for name, pair in between.items():
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(n, int | float) for n in pair):
            raise ProfileError("between %s is %r, expected [least, greatest]" % (name, pair))
    if kind == "check" and not expect and not between:
        raise ProfileError("nothing to do: expected one of %s, expect or between" % ", ".join(_KINDS))
    within = parse_duration(str(row["within"])) if "within" in row else _WITHIN
    tell = str(row.get("tell", ""))
    if kind == "rules":
        # Each rule is a step of its own in the report.
        return [Step("", tell, "rule", rule, {}, {}, within) for rule in value]
    name = str(row.get("name") or _default_name(kind, value, expect, between))
    return [Step(name, tell, kind, value, expect, between, within)]


def _default_name(kind: str, value: object, expect: dict, between: dict) -> str:
    words = [kind] if kind != "check" else []
    words += ["%s %s" % pair for pair in (value.items() if isinstance(value, dict) else [])]
    words += ["expect %s %s" % pair for pair in expect.items()]
    words += ["%s between %s and %s" % (name, low, high) for name, (low, high) in between.items()]
    return " ".join(words) if isinstance(value, dict) or value is None else "%s %s" % (kind, value)


def _table(row: dict, key: str) -> dict:
    value = row.get(key, {})
    if not isinstance(value, dict):
        raise ProfileError("%s is %r, expected { name = value }" % (key, value))
    return value


def _parse_set(value: object) -> dict:
    if not isinstance(value, dict) or not value:
        raise ProfileError("set is %r, expected { name = value }" % (value,))
    return value


def _parse_rules(value: object) -> list[str]:
    ids = [str(each) for each in (value if isinstance(value, list) else [value])]
    unknown = [each for each in ids if each not in RULES]
    if unknown or not ids:
        raise ProfileError("rules names %s, `check --list` has them all" % (unknown[0] if unknown else "nothing"))
    return ids


def _parse_request(value: object) -> str:
    if value not in REQUESTS:
        raise ProfileError("request is %r, expected one of %s" % (value, ", ".join(REQUESTS)))
    return str(value)


def _parse_ask(value: object) -> str:
    if not isinstance(value, str) or not re.search(r"\S", value):
        raise ProfileError("ask is %r, expected a question" % (value,))
    return value


_KINDS: dict[str, Callable[[Any], Any]] = {
    "set": _parse_set,
    "rules": _parse_rules,
    "status": lambda value: parse_status(str(value)),
    "request": _parse_request,
    "ask": _parse_ask,
    "wait": lambda value: parse_duration(str(value)),
}


def _only(row: dict, known: set[str], what: str) -> None:
    unknown = sorted(set(row) - known)
    if unknown:
        raise ProfileError("%s has %s, expected only %s" % (what, unknown[0], ", ".join(sorted(known))))
