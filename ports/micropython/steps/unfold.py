"""Writes comprehensions as the loops that they are, after the files were bundled.

A comprehension is a function of its own to MicroPython, with an object and a table for what it shares with the one
around it. What a statement computes before anything else becomes a list, a dict or an answer of `all` and `any` made by
a loop before the statement; what depends on something computed before it stays as it is.
"""

import ast
import copy

from . import order, scopes

_COMPREHENSIONS = (ast.ListComp, ast.DictComp)
_SWITCHES = {"all": (True, False), "any": (False, True)}


def unfold(sources: "dict[str, str]") -> "dict[str, str]":
    """Module name -> source with fewer comprehensions; all modules of the chip at once."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    stored = order.stored_in(trees)
    for tree in trees.values():
        hidden = scopes.bound_in(tree) | scopes.bound_inside(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.body = _Unfolder(node, stored, hidden).block(node.body)
    return {name: ast.unparse(ast.fix_missing_locations(tree)) for name, tree in trees.items()}


class _Unfolder:
    """One function; `hidden` are names that do not mean what the language means by them."""

    def __init__(self, function: ast.FunctionDef, stored: "set[str]", hidden: "set[str]") -> None:
        self._stored = stored
        self._hidden = hidden
        self._taken = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        self._taken |= scopes.bound_in(function)

    def block(self, block: "list[ast.stmt]") -> "list[ast.stmt]":
        out = []
        for statement in block:
            for part in ("body", "orelse", "finalbody"):
                inner = getattr(statement, part, None)
                if inner and not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                    setattr(statement, part, self.block(inner))
            for handler in getattr(statement, "handlers", ()):
                handler.body = self.block(handler.body)
            out += self._statement(statement)
        return out

    def _statement(self, statement: ast.stmt) -> "list[ast.stmt]":
        before: list[ast.stmt] = []
        while True:
            found = order.first(statement, self._is_unfoldable, self._stored)
            if found is None:
                return [*before, statement]
            name = self._free("made")
            before += self.block(self._loop(found, name))
            order.put(statement, found, ast.Name(name, ast.Load()))

    def _is_unfoldable(self, node: ast.expr) -> bool:
        if any(isinstance(part, ast.Lambda) for part in ast.walk(node)):
            return False
        if isinstance(node, _COMPREHENSIONS):
            # A dict's key is computed before its value, in an assignment it is the other way round.
            return isinstance(node, ast.ListComp) or isinstance(node.key, (ast.Name, ast.Constant))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id in self._hidden:
            return False
        if node.func.id not in _SWITCHES or len(node.args) != 1 or node.keywords:
            return False
        return isinstance(node.args[0], ast.GeneratorExp) and len(node.args[0].generators) == 1

    def _loop(self, node: ast.expr, name: str) -> "list[ast.stmt]":
        """Statements after which `name` is what `node` was."""
        target, made = ast.Name(name, ast.Store()), ast.Name(name, ast.Load())
        if isinstance(node, ast.Call):
            first, then = _SWITCHES[node.func.id]  # type: ignore[attr-defined]
            node = node.args[0]
            self._rename(node)
            test = node.elt if then else ast.UnaryOp(ast.Not(), node.elt)  # type: ignore[attr-defined]
            answer = [ast.Assign([copy.copy(target)], ast.Constant(then)), ast.Break()]
            empty: ast.expr = ast.Constant(first)
            inner: list[ast.stmt] = [ast.If(test, answer, [])]
        elif isinstance(node, ast.ListComp):
            self._rename(node)
            empty = ast.List([], ast.Load())
            inner = [ast.Expr(ast.Call(ast.Attribute(made, "append", ast.Load()), [node.elt], []))]
        else:
            assert isinstance(node, ast.DictComp)
            self._rename(node)
            empty = ast.Dict([], [])
            inner = [ast.Assign([ast.Subscript(made, node.key, ast.Store())], node.value)]
        for part in reversed(node.generators):  # type: ignore[attr-defined]
            for test in reversed(part.ifs):
                inner = [ast.If(test, inner, [])]
            inner = [ast.For(part.target, part.iter, inner, [])]
        return [ast.Assign([target], empty), *inner]

    def _rename(self, node: ast.expr) -> None:
        """Give what the comprehension binds names that are free in the function."""
        bound = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        renamer = scopes.Renamer({name: self._free(name) for name in sorted(bound)})
        # This is computed outside of it.
        outside = node.generators[0].iter  # type: ignore[attr-defined]
        node.generators[0].iter = ast.Constant(None)  # type: ignore[attr-defined]
        renamer.visit(node)
        node.generators[0].iter = outside  # type: ignore[attr-defined]

    def _free(self, name: str) -> str:
        name = scopes.free(name, self._taken)
        self._taken.add(name)
        return name
