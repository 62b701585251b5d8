"""Turns classes of which there is one object into functions, after the files were bundled and have no namedtuples left.

A class costs a chip's heap itself and its table, its object another table with a row for every attribute, and every
name in them a place in the table of names. What there is one of needs none of it: its methods become functions of the
bundle, its attributes places of one list, `_here`, that all files of the chip share. The value of such an object, where
it is handed on or compared with None, becomes True.
"""

import ast
from collections.abc import Iterator

from . import fold, scopes
from .here import HERE, as_place, drop_unread, numbered_anew
from .imported import forget
from .single_classes import Singles


def flatten(sources: "dict[str, str]", bundle: str, apart: "frozenset[str]") -> "dict[str, str]":
    """Module name -> source; all modules of the chip at once. What reaches the modules `apart` stays what it is."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    singles = Singles(trees, bundle, apart)
    names = _Names(singles, trees)
    for module, tree in trees.items():
        if module not in apart:
            _Rewriter(singles, names, module).rewrite(tree)
    drop_unread(trees)
    places = numbered_anew(trees)
    if places:
        first = ast.parse("%s = [None] * %d" % (HERE, places)).body
        trees[bundle].body[:0] = first
    return {module: ast.unparse(ast.fix_missing_locations(tree)) for module, tree in trees.items()}


class _Names:
    """What methods are called as functions, and the places of attributes."""

    def __init__(self, singles: Singles, trees: "dict[str, ast.Module]") -> None:
        self._singles = singles
        self._taken = {name for tree in trees.values() for name in _all_names(tree)}
        self._functions: dict[tuple[str, str], str] = {}
        self._places: dict[tuple[str, str], int] = {}

    def function(self, key: str, method: str) -> str:
        if (key, method) not in self._functions:
            wanted = "_%s__%s" % (key.rpartition(".")[2].strip("_"), method.strip("_"))
            name = scopes.free(wanted, self._taken)
            self._taken.add(name)
            self._functions[key, method] = name
        return self._functions[key, method]

    def place(self, key: str, attribute: str) -> int:
        return self._places.setdefault((key, attribute), len(self._places))


class _Rewriter(ast.NodeTransformer):
    def __init__(self, singles: Singles, names: _Names, module: str) -> None:
        self._singles = singles
        self._names = names
        self._module = module
        self._is_bundle = module == singles.bundle
        # Names of the bundle that what was just visited needs.
        self._needed: set[str] = set()

    def rewrite(self, tree: ast.Module) -> None:
        body: list[ast.stmt] = []
        needed_at_top: set[str] = set()
        for statement in tree.body:
            self._needed = set()
            body += self._flattened(statement) if isinstance(statement, ast.ClassDef) else [self.visit(statement)]
            needed_at_top |= self._needed
        tree.body = [node for node in body if node is not None]
        if needed_at_top and not self._is_bundle:
            at = next((n for n, node in enumerate(tree.body) if not scopes.is_text(node)), 0)
            tree.body.insert(at, self._import(needed_at_top))
        forget(tree, self._module, self._singles.bundle, {key.rpartition(".")[2] for key in self._singles.classes})

    def _flattened(self, node: ast.ClassDef) -> "list[ast.stmt]":
        key = "%s.%s" % (self._module, node.name)
        if key not in self._singles.classes:
            return [self.visit(node)]
        out = []
        for method in node.body:
            if isinstance(method, ast.FunctionDef):
                own = method.args.args.pop(0).arg
                function = self.visit(method)
                if method.name == "__init__":
                    _give_true(function)
                function.name = self._names.function(key, method.name)
                function.body = [_Self(own).visit(item) for item in function.body]
                out.append(function)
        return out

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        before, self._needed = self._needed, set()
        self.generic_visit(node)
        needed, self._needed = self._needed, before
        if needed and not self._is_bundle:
            # Where a function loads the bundle itself, it is not to be loaded before.
            block, at = self._loads_bundle(node.body)
            if block is None:
                self._needed |= needed
            else:
                block.insert(at, self._import(needed))
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        key = self._singles.of(node.value)
        if not key:
            self.generic_visit(node)
            return node
        if self._singles.has_method(key, node.attr):
            return self._named(self._names.function(key, node.attr))
        self._needed.add(HERE)
        return as_place(self._names.place(key, node.attr), node.ctx)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        key = self._singles.made_by(node)
        self.generic_visit(node)
        if not key:
            return node
        if not self._singles.has_method(key, "__init__"):
            return ast.Constant(True)
        node.func = self._named(self._names.function(key, "__init__"))
        return node

    def _named(self, name: str) -> ast.Name:
        self._needed.add(name)
        return ast.Name(name, ast.Load())

    def _import(self, names: "set[str]") -> ast.ImportFrom:
        return ast.ImportFrom(self._singles.bundle, [ast.alias(name) for name in sorted(names)], 0)

    def _loads_bundle(self, body: "list[ast.stmt]") -> "tuple[list[ast.stmt] | None, int]":
        """The block, and the place in it, of the first import from the bundle."""
        for n, node in enumerate(body):
            if isinstance(node, ast.ImportFrom) and fold.source_of(self._module, node) == self._singles.bundle:
                return body, n
            for part in ("body", "orelse", "finalbody"):
                block, at = self._loads_bundle(getattr(node, part, []))
                if block is not None:
                    return block, at
        return None, 0


class _Self(ast.NodeTransformer):
    """Where the one object is still handed on by its own methods."""

    def __init__(self, name: str) -> None:
        self._name = name

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(True) if node.id == self._name else node


def _give_true(start: ast.FunctionDef) -> None:
    """What made an object gives what stands for it."""
    for node in ast.walk(start):
        if isinstance(node, ast.Return):
            node.value = ast.Constant(True)
    start.body.append(ast.Return(ast.Constant(True)))


def _all_names(tree: ast.AST) -> "Iterator[str]":
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg", "asname"):
            if isinstance(getattr(node, field, None), str):
                yield getattr(node, field)
