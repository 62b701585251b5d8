"""Puts texts, bytes and tuples of them where they are read, after the files were bundled, as `fold.py` does numbers.

A private name at the top of a file that is bound once, to something constant, costs a row in the file's table; the
compiler keeps one copy of the same constant anyway.
"""

import ast
import re
from collections import Counter

from . import scopes
from .callees import said_by_anyone

_PRIVATE = re.compile(r"_[A-Za-z]\w*$")


def put(sources: "dict[str, str]") -> "dict[str, str]":
    """Module name -> source without private names of constants; all modules of the chip at once."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    said = said_by_anyone(trees)
    for tree in trees.values():
        stored = Counter(scopes.bindings(tree))
        found = {}
        for node in list(tree.body):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and len(node.targets) == 1:
                name = node.targets[0].id
                if _PRIVATE.match(name) and stored[name] == 1 and not said[name] and _is_constant(node.value):
                    found[name] = node.value
                    tree.body.remove(node)
        _Putter(found).visit(tree)
    return {name: ast.unparse(tree) for name, tree in trees.items()}


class _Putter(ast.NodeTransformer):
    def __init__(self, values: "dict[str, ast.expr]") -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._values.get(node.id, node)


def _is_constant(value: ast.expr) -> bool:
    if isinstance(value, ast.Tuple):
        return all(_is_constant(item) for item in value.elts)
    return isinstance(value, ast.Constant) and isinstance(value.value, (str, bytes, int))
