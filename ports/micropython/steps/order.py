"""What a statement computes first: what can be computed before the statement with the same effects."""

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple

# By its field: what of a statement is computed when it begins.
_BEGINNINGS = {
    ast.Assign: "value",
    ast.AnnAssign: "value",
    ast.AugAssign: "value",
    ast.Expr: "value",
    ast.Return: "value",
    ast.Raise: "exc",
    ast.If: "test",
    ast.For: "iter",
}
# Making one of these from its parts touches nothing else.
_MAKERS = (ast.Tuple, ast.List, ast.Dict, ast.keyword)
# Their other parts may not be computed at all.
_FIRST_ONLY = {ast.BoolOp: "values", ast.IfExp: "test", ast.Compare: "left"}
_CLOSED = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr, ast.JoinedStr)


class _Stop(NamedTuple):
    """Nothing behind this may be computed before it."""


def stored_in(trees: "dict[str, ast.Module]") -> "set[str]":
    """Names that functions share and rebind, and attributes that are stored: calls may change what these mean."""
    found = set()
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, (ast.Global, ast.Nonlocal)):
                found |= set(node.names)
            elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.FunctionDef) and node.decorator_list:
                found.add(node.name)
    return found


def first(statement: ast.stmt, is_wanted: "Callable[[ast.expr], bool]", stored: "set[str]") -> "ast.expr | None":
    """The first expression that is wanted, if all that is computed before it means the same after it."""
    field = _BEGINNINGS.get(type(statement), "")
    begin = getattr(statement, field, None)
    if begin is None:
        return None
    if isinstance(statement, ast.AugAssign) and not _is_still(statement.target, stored):
        return None
    for node in _computed(begin, is_wanted, stored):
        return None if isinstance(node, _Stop) else node
    return None


def put(statement: ast.stmt, old: ast.expr, new: ast.expr) -> None:
    """Replace one expression within a statement."""
    for parent in ast.walk(statement):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list):
                value[:] = [new if item is old else item for item in value]


def _computed(
    node: ast.AST, is_wanted: "Callable[[ast.expr], bool]", stored: "set[str]"
) -> "Iterator[ast.expr | _Stop]":
    """What is wanted, in the order in which it is computed; a _Stop where something else is done."""
    if isinstance(node, ast.expr) and is_wanted(node):
        yield node
        return
    if _is_still(node, stored):
        return
    if isinstance(node, _CLOSED):
        yield _Stop()
        return
    only = _FIRST_ONLY.get(type(node))
    if only is not None:
        part = getattr(node, only)
        parts = part[:1] if isinstance(part, list) else [part]
        if isinstance(node, ast.Compare):
            parts.append(node.comparators[0])
    elif isinstance(node, ast.Dict):
        parts = [part for pair in zip(node.keys, node.values, strict=True) for part in pair if part is not None]
    else:
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, (ast.expr, ast.keyword))]
    for part in parts:
        yield from _computed(part, is_wanted, stored)
    if not isinstance(node, _MAKERS):
        yield _Stop()


def _is_still(node: ast.AST, stored: "set[str]") -> bool:
    """Whether something else that is done first does not change what this is."""
    if isinstance(node, ast.Name):
        return node.id not in stored
    if isinstance(node, ast.Attribute):
        return (
            isinstance(node.value, (ast.Name, ast.Constant))
            and node.attr not in stored
            and _is_still(node.value, stored)
        )
    return isinstance(node, (ast.Constant, ast.expr_context))
