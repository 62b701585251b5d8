"""The namedtuples of a program: their numbers, the places of their fields, and what has to do with them."""

import ast
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from . import fold, scopes
from .fields import places_of
from .flow import Flow
from .flow_program import CLASS, OTHER, TUPLE, fields_of
from .tuple_uses import Uses

Node = TypeVar("Node", bound=ast.AST)
# The number of a kind is one byte.
_MOST_KINDS = 256
# What may see or change what another expression sees.
_EFFECTS = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
_BINDS = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
_OF_ALL_TUPLES = ("_replace", "_fields", "_asdict", "_make", "count", "index")
_DEFINE = 'write NAME = namedtuple("Name", ("field", ...)) at the top of a file, once, and nothing else'


def check_definitions(module: str, tree: ast.Module) -> None:
    """ValueError for a namedtuple that is not defined in the one way that is understood."""
    known = [node for node in tree.body if fields_of(node) is not None]
    names = [node.targets[0].id for node in known]  # type: ignore[attr-defined]
    said = [node for node in ast.walk(tree) if _says_namedtuple(node)]
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)):
        raise ValueError("%s: import * hides what is imported: name it" % module)
    stored = Counter(
        node.id for node in scopes.nodes_of(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    stored.update(name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names)
    wrong = [name for name in names if stored[name] > 1]
    if wrong or len(said) > len(known):
        raise ValueError("%s: %s: %s" % (module, ", ".join(wrong) or ast.unparse(said[-1]), _DEFINE))


class Given(NamedTuple):
    """What a call gives a field."""

    field: str
    value: ast.expr


class Kinds:
    """The namedtuples of the program, and what expressions have to do with them."""

    def __init__(self, trees: "dict[str, ast.Module]", flow: Flow) -> None:
        self.flow = flow
        self.uses = Uses(trees, flow)
        self._trees = trees
        self.numbers = {key: number for number, key in enumerate(sorted(flow.tuples), 1)}
        if len(self.numbers) >= _MOST_KINDS:
            raise ValueError("%d namedtuples, at most %d expected" % (len(self.numbers), _MOST_KINDS - 1))
        self._of_objects = set(_attributes_of_objects(trees, flow))
        self.all_fields = {name for fields in flow.tuples.values() for name in fields}
        self._of_others = {
            node.attr for node in _nodes(trees, ast.Attribute) if self.sorts(node.value) == {OTHER}
        } & self.all_fields
        self.places = places_of((flow.tuples[key] for key in self.numbers), self._orders())

    def named(self, node: ast.expr) -> str:
        """The namedtuple that an expression names, or ""."""
        kinds = self.flow.kinds(node)
        found = [kind.partition(":")[2] for kind in kinds if kind.startswith(CLASS)]
        found = [key for key in found if key in self.numbers]
        if found and len(kinds) > 1:
            raise self.uses.error(node, "%s may be one of several things: name the namedtuple" % ast.unparse(node))
        return found[0] if found else ""

    def home(self, module: str, name: str) -> str:
        """The namedtuple that `name` of a module is, wherever the module has it from, or ""."""
        while module in self._trees:
            if "%s.%s" % (module, name) in self.numbers:
                return "%s.%s" % (module, name)
            imports = (node for node in self._trees[module].body if isinstance(node, ast.ImportFrom))
            found = [
                (fold.source_of(module, node), alias.name)
                for node in imports
                for alias in node.names
                if (alias.asname or alias.name) == name
            ]
            module, name = found[0] if found else ("", "")
        return ""

    def sorts(self, node: ast.expr) -> "set[str]":
        """Kinds without their names."""
        return {kind.partition(":")[0] for kind in self.flow.kinds(node)}

    def told(self, node: ast.expr) -> str:
        """The kinds of an expression, for an error."""
        return " or ".join(sorted(self.flow.kinds(node))) or "not known"

    def is_field(self, node: ast.Attribute) -> bool:
        """Whether an attribute is a field of a namedtuple; ValueError when that is not known."""
        sorts = self.sorts(node.value)
        if TUPLE not in sorts:
            return not sorts and node.attr in self.all_fields and self._is_nobody_elses(node)
        # One of another namedtuple is what comes after an isinstance that nobody passes.
        if node.attr not in self.all_fields:
            what = "no field" if node.attr not in _OF_ALL_TUPLES else "gone with the namedtuples"
            raise self.uses.error(node, "%s is %s of %s" % (node.attr, what, self.told(node.value)))
        if sorts != {TUPLE}:
            raise self.uses.error(
                node, "%s is %s: use one variable for each" % (ast.unparse(node.value), self.told(node.value))
            )
        return True

    def given(self, call: ast.Call, key: str) -> "list[Given]":
        """What a call gives the fields of a namedtuple, in the order in which it is evaluated."""
        fields = self.flow.tuples[key]
        words = [word.arg or "**" for word in call.keywords]
        names = [*fields[: len(call.args)], *words]
        values = [*call.args, *(word.value for word in call.keywords)]
        is_starred = any(isinstance(item, ast.Starred) for item in call.args)
        if is_starred or len(values) != len(names) or sorted(names) != sorted(fields):
            raise self.uses.error(call, "every field of %s is expected once: %s" % (key, ", ".join(fields) or "none"))
        return [Given(name, value) for name, value in zip(names, values, strict=True)]

    def _orders(self) -> "Iterator[tuple[str, str]]":
        """Pairs of fields of which some call must evaluate the first before the second."""
        for call in _nodes(self._trees, ast.Call):
            key = self.named(call.func)
            given = self.given(call, key) if key else []
            own = _own_names(self.uses.function_of(call)) if given else set()
            for n, first in enumerate(given):
                for second in given[n + 1 :]:
                    if not _may_change_places(first.value, second.value, own):
                        yield first.field, second.field

    def _is_nobody_elses(self, node: ast.Attribute) -> bool:
        """Of what nothing is known: by the name of the attribute."""
        if node.attr not in self._of_objects and node.attr not in self._of_others:
            return True
        raise self.uses.error(
            node,
            "nothing tells whether %s is a namedtuple, or something else with a %s: give the field another name"
            % (ast.unparse(node.value), node.attr),
        )


def _says_namedtuple(node: ast.AST) -> bool:
    if isinstance(node, ast.alias):
        return node.name == "namedtuple" and node.asname is not None
    return (isinstance(node, ast.Name) and node.id == "namedtuple") or (
        isinstance(node, ast.Attribute) and node.attr == "namedtuple"
    )


def _own_names(function: "ast.AST | None") -> "set[str]":
    """Names of a function that no call in it can change."""
    if function is None or any(isinstance(node, ast.Nonlocal) for node in ast.walk(function)):
        return set()
    return scopes.bound_in(function)


def _may_change_places(first: ast.expr, second: ast.expr, own: "set[str]") -> bool:
    """Whether it does not matter which of two expressions is evaluated first."""
    nodes = [*ast.walk(first), *ast.walk(second)]
    if any(isinstance(node, _BINDS) for node in nodes):
        return False
    for value in (first, second):
        if isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id in own):
            return True
    return not any(isinstance(node, _EFFECTS) for node in nodes)


def _nodes(trees: "dict[str, ast.Module]", sort: "type[Node]") -> "Iterator[Node]":
    return (node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, sort))


def _attributes_of_objects(trees: "dict[str, ast.Module]", flow: Flow) -> "Iterator[str]":
    """What objects of our classes may have: methods, what is set, and what setattr may set."""
    for key in flow.functions:
        yield key.rpartition(".")[2]
    for node in _nodes(trees, ast.Attribute):
        if isinstance(node.ctx, ast.Store):
            yield node.attr
    for _, owner in flow.classes.values():
        yield from scopes.bound_in(owner)
    for tree in trees.values():
        if any(isinstance(node, ast.Name) and node.id == "setattr" for node in ast.walk(tree)):
            yield from (str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant))
