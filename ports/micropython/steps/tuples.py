"""Turns namedtuples into plain tuples, after the files were bundled; what that cannot be done to is an error here.

A namedtuple costs a chip's heap a type with a table of names, and each of those a place in the table of all names; a
plain tuple costs nothing before there is one. Place 0 of it is the number of its kind, so that `isinstance(x, Acked)`
becomes `x[0] == 3`; the fields lie where `fields.py` says, so that `x.frame` becomes `x[2]`. What is a namedtuple and
what is not, is told by `flow.py` and `tuple_kinds.py`; what is done with one that a plain tuple does not do alike is
refused by `tuple_uses.py`.
"""

import ast
import copy
from collections.abc import Callable

from . import fold, scopes
from .flow import Flow
from .flow_program import TUPLE, fields_of
from .flow_values import number_in
from .tuple_kinds import Given, Kinds, check_definitions

_NUMBER_OF_KIND = 0


def plain(sources: "dict[str, str]", flow_of: "Callable[[dict[str, ast.Module]], Flow]" = Flow) -> "dict[str, str]":
    """Module name -> source without namedtuples; all modules of the chip at once. ValueError tells what cannot go."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    for module, tree in trees.items():
        check_definitions(module, tree)
    kinds = Kinds(trees, flow_of(trees))
    kinds.uses.check()
    for module, tree in trees.items():
        _Rewriter(kinds, module, tree).rewrite()
    return {module: ast.unparse(ast.fix_missing_locations(tree)) for module, tree in trees.items()}


class _Rewriter(ast.NodeTransformer):
    """One module; what a node is, is asked before anything in it is changed."""

    def __init__(self, kinds: Kinds, module: str, tree: ast.Module) -> None:
        self._kinds = kinds
        self._module = module
        self._tree = tree
        # Names of namedtuples here.
        self._gone: set[str] = set()
        self._is_in_function = False
        self._knows_tuple = "tuple" not in scopes.bound_inside(tree) | scopes.bound_in(tree)

    def rewrite(self) -> None:
        self.visit(self._tree)
        _fill_empty_blocks(self._tree)
        for name in sorted(_read_in(self._tree, self._gone)):
            where = "a decorator or an annotation, or elsewhere where it is not followed: leave it out there"
            raise ValueError("%s: %s is named in %s" % (self._module, name, where))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._function(node)

    def visit_Assign(self, node: ast.Assign) -> "ast.Assign | None":
        if fields_of(node) is not None:
            self._gone |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            return None
        self.generic_visit(node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> "ast.ImportFrom | None":
        source = fold.source_of(self._module, node)
        gone = [alias for alias in node.names if self._is_gone(source, alias.name)]
        self._gone |= {alias.asname or alias.name for alias in gone}
        node.names = [alias for alias in node.names if alias not in gone]
        return node if node.names else None

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._value(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if not self._kinds.is_field(node):
            return self._value(node)
        if not isinstance(node.ctx, ast.Load):
            raise self._kinds.uses.error(node, "a field of a namedtuple cannot be set")
        return _item(self.visit(node.value), self._kinds.places[node.attr])

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        keys = self._kinds.uses.tuples_in(node.value)
        if not keys:
            self.generic_visit(node)
            return node
        return self._part(node, keys)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        key = self._kinds.named(node.func)
        if key:
            return self._made(key, self._kinds.given(node, key))
        if isinstance(node.func, ast.Name) and node.func.id == "isinstance" and len(node.args) == 2:
            asked = node.args[1].elts if isinstance(node.args[1], ast.Tuple) else [node.args[1]]
            keys = [self._kinds.named(item) for item in asked]
            if any(keys):
                return self._is_one_of(node, keys)
        self.generic_visit(node)
        return node

    def _function(self, node: "ast.FunctionDef | ast.Lambda") -> ast.AST:
        was_in_function, self._is_in_function = self._is_in_function, True
        self.generic_visit(node)
        self._is_in_function = was_in_function
        return node

    def _is_gone(self, source: str, name: str) -> bool:
        return bool(self._kinds.home(source, name)) or (source, name) == ("collections", "namedtuple")

    def _value(self, node: "ast.Name | ast.Attribute") -> ast.expr:
        """A namedtuple itself is nothing any more."""
        if self._kinds.named(node):
            why = "%s is neither called nor asked for by isinstance: there is nothing left to hand on"
            raise self._kinds.uses.error(node, why % ast.unparse(node))
        self.generic_visit(node)
        return node

    def _made(self, key: str, given: "list[Given]") -> ast.expr:
        places = {self._kinds.places[item.field]: self.visit(item.value) for item in given}
        holes = [places.get(place, ast.Constant(None)) for place in range(1, max(places, default=0) + 1)]
        parts: list[ast.expr] = [ast.Constant(self._kinds.numbers[key]), *holes]
        is_constant = all(isinstance(item, ast.Constant) for item in parts)
        if is_constant and self._is_in_function and self._knows_tuple:
            # MicroPython keeps a tuple of constants on the heap for good.
            return ast.Call(ast.Name("tuple", ast.Load()), [ast.List(parts, ast.Load())], [])
        return ast.Tuple(parts, ast.Load())

    def _is_one_of(self, call: ast.Call, keys: "list[str]") -> ast.expr:
        what = call.args[0]
        if not all(keys):
            raise self._kinds.uses.error(call, "namedtuples and other types are asked for at once: ask twice")
        if self._kinds.sorts(what) != {TUPLE}:
            told = self._kinds.told(what)
            raise self._kinds.uses.error(call, "%s is not always a namedtuple: it is %s" % (ast.unparse(what), told))
        numbers = sorted({self._kinds.numbers[key] for key in keys})
        may_be_none, is_chain = self._kinds.flow.may_be_none(what), _is_chain(what)
        if may_be_none and not is_chain:
            raise self._kinds.uses.error(call, "%s may be None: give it a name first" % ast.unparse(what))
        whole = self.visit(what)
        number = _item(whole, _NUMBER_OF_KIND)
        found: ast.expr = _compared(number, ast.Eq(), numbers[0])
        if len(numbers) > 1 and is_chain:
            # Longer than a search in bytes, which would lie on the heap.
            found = ast.BoolOp(ast.Or(), [_compared(copy.deepcopy(number), ast.Eq(), item) for item in numbers])
        elif len(numbers) > 1:
            found = _compared(number, ast.In(), bytes(numbers))
        if not may_be_none:
            return found
        return ast.BoolOp(ast.And(), [_compared(copy.deepcopy(whole), ast.IsNot(), None), found])

    def _part(self, node: ast.Subscript, keys: "set[str]") -> ast.expr:
        """Fields by their numbers."""
        kinds = self._kinds
        fields = [kinds.flow.tuples[key] for key in sorted(keys)]
        try:
            picked = [_picked(names, node.slice) for names in fields]
        except (TypeError, IndexError):
            raise kinds.uses.error(node, "a namedtuple is asked by number: name the field") from None
        is_mixed = kinds.sorts(node.value) != {TUPLE} or any(item != picked[0] for item in picked)
        if is_mixed or not isinstance(node.ctx, ast.Load):
            raise kinds.uses.error(node, "one number means different things here: name the field")
        names = picked[0]
        if isinstance(names, str):
            return _item(self.visit(node.value), kinds.places[names])
        if not _is_chain(node.value):
            raise kinds.uses.error(node, "a part of a namedtuple is taken: give the namedtuple a name first")
        whole = self.visit(node.value)
        return ast.Tuple([_item(copy.deepcopy(whole), kinds.places[name]) for name in names], ast.Load())


def _item(whole: ast.expr, place: int) -> ast.Subscript:
    return ast.Subscript(whole, ast.Constant(place), ast.Load())


def _compared(left: ast.expr, op: ast.cmpop, right: object) -> ast.Compare:
    return ast.Compare(left, [op], [ast.Constant(right)])  # type: ignore[arg-type]


def _is_chain(node: ast.expr) -> bool:
    """A name, or an attribute of one: may be evaluated twice."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _picked(names: "list[str]", index: ast.expr) -> "str | list[str]":
    """What a subscript picks; TypeError when it is not written there what that is."""
    if not isinstance(index, ast.Slice):
        return names[number_in(index)]  # type: ignore[index]
    bounds = [index.lower, index.upper, index.step]
    numbers = [None if bound is None else number_in(bound) for bound in bounds]
    if any(number is None and bound is not None for number, bound in zip(numbers, bounds, strict=True)):
        raise TypeError
    return names[slice(*numbers)]


def _read_in(scope: ast.AST, names: "set[str]") -> "set[str]":
    """Those of the names that are read in a scope, or in one within it, and that none of them binds."""
    left = names - scopes.bound_in(scope)
    found = {node.id for node in scopes.nodes_of(scope) if isinstance(node, ast.Name) and node.id in left}
    inner = [node for node in scopes.nodes_of(scope) if isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef))]
    return found.union(*(_read_in(node, left) for node in inner))


def _fill_empty_blocks(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list) and not node.body and node is not tree:  # type: ignore[attr-defined]
            node.body.append(ast.Pass())  # type: ignore[attr-defined]
