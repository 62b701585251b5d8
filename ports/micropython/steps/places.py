"""Puts the functions of the bundle into the list that it shares with the other files, once none of them can go.

A function that is named costs a row in the file's table and a place in the table of names; a place of the list costs a
word. All functions of the bundle are defined under one name and put into their places; who calls one names its place.
"""

import ast

from . import fold, scopes
from .here import HERE, as_place, remark

# The name under which each function is defined.
_DEFINED = "_function"


def place(sources: "dict[str, str]", bundle: str) -> "dict[str, str]":
    """Module name -> source; all modules of the chip at once, after `singles.flatten`."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    size = _size(trees[bundle])
    if size is None:
        return sources
    taken: int = size.value  # type: ignore[assignment]
    functions = [node for node in trees[bundle].body if isinstance(node, ast.FunctionDef)]
    places = {node.name: taken + n for n, node in enumerate(functions)}
    size.value = taken + len(places)
    body: list[ast.stmt] = []
    for node in trees[bundle].body:
        body.append(node)
        if isinstance(node, ast.FunctionDef):
            body.append(ast.Assign([as_place(places[node.name], ast.Store())], ast.Name(_DEFINED, ast.Load())))
            node.body.insert(0, remark(node.name))
            node.name = _DEFINED
    trees[bundle].body = body
    for module, tree in trees.items():
        _Rewriter(module, bundle, places).rewrite(tree)
    return {module: ast.unparse(ast.fix_missing_locations(tree)) for module, tree in trees.items()}


def _size(tree: ast.Module) -> "ast.Constant | None":
    """How many places the list has; None when there is no list."""
    first = tree.body[0]
    if isinstance(first, ast.Assign) and ast.unparse(first.targets[0]) == HERE and isinstance(first.value, ast.BinOp):
        return first.value.right  # type: ignore[return-value]
    return None


class _Rewriter(ast.NodeTransformer):
    """`_bound` are the names that the functions around bind, and what those imported from the bundle are there."""

    def __init__(self, module: str, bundle: str, places: "dict[str, int]") -> None:
        self._module = module
        self._bundle = bundle
        self._places = places
        self._bound: list[tuple[set[str], dict[str, int]]] = []
        # Names that the file has for the bundle, and names that it asks for what is no function of it.
        self._whole: set[str] = set()
        self._asked: set[str] = set()

    def rewrite(self, tree: ast.Module) -> None:
        own = self._places if self._module == self._bundle else self._imported(tree)
        self._bound = [(set(), own)]
        self._whole = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
            if alias.name == self._bundle
        }
        self._asked = {
            node.value.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr not in self._places
        }
        self.generic_visit(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        imported = self._imported(node)
        self._bound.append((scopes.bound_in(node) - set(imported), imported))
        self.generic_visit(node)
        self._bound.pop()
        return node

    visit_Lambda = visit_FunctionDef  # type: ignore[assignment]

    def visit_Import(self, node: ast.Import) -> "list[ast.stmt]":
        """Functions are asked for by their places; the bundle itself is needed for what is no function."""
        whole = [alias for alias in node.names if alias.name == self._bundle]
        node.names = [alias for alias in node.names if alias not in whole or alias.asname in self._asked]
        names = [ast.ImportFrom(self._bundle, [ast.alias(HERE)], 0)] if whole else []
        return [*([node] if node.names else []), *names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if fold.source_of(self._module, node) == self._bundle:
            names = [alias for alias in node.names if alias.name not in self._places]
            if len(names) < len(node.names) and not any(alias.name == HERE for alias in names):
                names.append(ast.alias(HERE))
            node.names = names
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not isinstance(node.ctx, ast.Load):
            return node
        for bound, imported in reversed(self._bound):
            if node.id in imported:
                return as_place(imported[node.id], ast.Load())
            if node.id in bound:
                break
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        number = self._places.get(node.attr) if self._is_bundle(node.value) else None
        return node if number is None else as_place(number, node.ctx)

    def _is_bundle(self, value: ast.expr) -> bool:
        return isinstance(value, ast.Name) and value.id in self._whole

    def _imported(self, scope: ast.AST) -> "dict[str, int]":
        """Name -> place, of the functions that a scope imports from the bundle."""
        return {
            alias.asname or alias.name: self._places[alias.name]
            for node in scopes.nodes_of(scope)
            if isinstance(node, ast.ImportFrom) and fold.source_of(self._module, node) == self._bundle
            for alias in node.names
            if alias.name in self._places
        }
