"""Leaves out exceptions that nobody tells from what they are derived from: each class costs a chip's heap 270 bytes."""

import ast
import builtins
from collections import Counter
from collections.abc import Iterator

from . import scopes


def without_untold(trees: "dict[str, ast.Module]", keep: "frozenset[str]") -> bool:
    """Empty classes that are only raised, or only derived from, become their built-in parent; True when one did."""
    empty = [(tree, node) for tree in trees.values() for node in tree.body if _parent(node)]
    defined = Counter(node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef))
    mentions = Counter(name for tree in trees.values() for name in _mentions(tree))
    untold = Counter(name for tree in trees.values() for name in _untold(tree))
    parents = {}
    for _, node in empty:
        name = node.name  # type: ignore[attr-defined]
        if name not in keep and defined[name] == 1 and mentions[name] == untold[name]:
            parents[name] = _parent(node)
    if not parents:
        return False
    bound = {name for tree in trees.values() for name in scopes.bound_in(tree) | scopes.bound_inside(tree)}
    parents = {name: parent for name, parent in parents.items() if parent not in bound}
    for tree, node in empty:
        if node.name in parents:  # type: ignore[attr-defined]
            tree.body.remove(node)
    for tree in trees.values():
        for part in ast.walk(tree):
            if isinstance(part, ast.Name):
                part.id = parents.get(part.id, part.id)
    return bool(parents)


def _parent(node: ast.stmt) -> str:
    """The built-in class that one with nothing of its own is derived from, or ""."""
    if not isinstance(node, ast.ClassDef) or len(node.bases) != 1 or node.keywords or node.decorator_list:
        return ""
    base = node.bases[0]
    is_empty = all(isinstance(part, ast.Pass) or scopes.is_text(part) for part in node.body)
    parent = getattr(builtins, base.id, None) if isinstance(base, ast.Name) else None
    is_exception = isinstance(parent, type) and issubclass(parent, Exception)
    return base.id if is_empty and is_exception else ""  # type: ignore[attr-defined]


def _mentions(tree: ast.Module) -> "Iterator[str]":
    """Names that are read, or are what a text may be; what is only imported goes with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _untold(tree: ast.Module) -> "Iterator[str]":
    """Names of what is raised, and of parents."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (base.id for base in node.bases if isinstance(base, ast.Name))
        elif isinstance(node, ast.Raise):
            what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(what, ast.Name):
                yield what.id
