"""Which classes of the bundle there is one object of, for the whole life of the program.

A class stays one when it is made more than once, or at a place that may run twice; when it has kin; when an object of
it may meet something else in a variable; when it is put into a container, or handed to code that is not here.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator

from . import scopes
from .flow import Flow
from .flow_program import CLASS, FUNCTION, METHOD, OBJECT

_LOOPS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


class Singles:
    """Which classes of the bundle there is one object of."""

    def __init__(self, trees: "dict[str, ast.Module]", bundle: str, apart: "frozenset[str]") -> None:
        self.bundle = bundle
        self.flow = Flow(trees)
        self._trees = trees
        self._parents = {
            id(child): node
            for tree in trees.values()
            for node in ast.walk(tree)
            for child in ast.iter_child_nodes(node)
        }
        self._calls = self._made_or_called()
        self.classes = {
            key: node
            for key, (module, node) in self.flow.classes.items()
            if module == bundle and self._is_plain(key, node) and len(self._calls[key]) == 1
        }
        for key in self._met_by_others(apart):
            self.classes.pop(key, None)
        # A class that stays takes with it what only its start would have made once.
        while stays := [key for key in self.classes if not self._runs_once(self._calls[key][0])]:
            for key in stays:
                del self.classes[key]

    def of(self, expression: ast.expr) -> str:
        """The class whose one object an expression is, or ""."""
        return self._only(OBJECT, expression)

    def made_by(self, call: ast.Call) -> str:
        """The class whose one object a call makes, or ""."""
        return self._only(CLASS, call.func)

    def has_method(self, key: str, name: str) -> bool:
        return "%s.%s" % (key, name) in self.flow.functions

    def _only(self, sort: str, expression: ast.expr) -> str:
        """The class of ours that an expression has to do with by `sort` alone, or ""."""
        kinds = self.flow.kinds(expression)
        found, _, key = next(iter(kinds)).partition(":") if len(kinds) == 1 else ("", "", "")
        return key if found == sort and key in self.classes else ""

    def _is_plain(self, key: str, node: ast.ClassDef) -> bool:
        """No kin, no decorators, nothing in it but methods that are called by their names."""
        methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
        others = [
            item for item in node.body if not isinstance(item, (ast.FunctionDef, ast.Pass)) and not scopes.is_text(item)
        ]
        is_odd = any(item.name.startswith("__") and item.name != "__init__" for item in methods)
        marked = any(item.decorator_list or not item.args.args for item in methods)
        kin = node.bases or key in self.flow.bases.values()
        return not (kin or others or is_odd or marked or node.decorator_list)

    def _made_or_called(self) -> "dict[str, list[ast.AST]]":
        """Key of a class or a function -> the calls of it, and what else mentions it."""
        found = defaultdict(list)
        for tree in self._trees.values():
            for node in ast.walk(tree):
                if not isinstance(node, (ast.Name, ast.Attribute)):
                    continue
                parent = self._parents[id(node)]
                for kind in self.flow.kinds(node):
                    sort, _, key = kind.partition(":")
                    if sort in (CLASS, FUNCTION, METHOD):
                        is_called = isinstance(parent, ast.Call) and parent.func is node
                        found[key].append(parent if is_called else node)
        return found

    def _met_by_others(self, apart: "frozenset[str]") -> "Iterator[str]":
        """Classes of what is not alone in some expression, or is where it cannot be followed."""
        for module, tree in self._trees.items():
            for node in ast.walk(tree):
                if not isinstance(node, ast.expr):
                    continue
                kinds = self.flow.kinds(node)
                for kind in kinds:
                    sort, _, key = kind.partition(":")
                    if sort == OBJECT and (len(kinds) > 1 or module in apart or not self._can_be_followed(node)):
                        yield key

    def _can_be_followed(self, node: ast.expr) -> bool:
        parent = self._parents[id(node)]
        if isinstance(parent, ast.Attribute):
            return isinstance(node, (ast.Name, ast.Attribute))
        if isinstance(parent, (ast.Assign, ast.AnnAssign, ast.Return)):
            return True
        if isinstance(parent, ast.Tuple):
            return self._is_paired(parent)
        if isinstance(parent, ast.Compare):
            return all(isinstance(op, (ast.Is, ast.IsNot)) for op in parent.ops)
        if isinstance(parent, ast.keyword):
            parent = self._parents[id(parent)]
        if isinstance(parent, ast.Call) and parent.func is not node:
            sorts = {kind.partition(":")[0] for kind in self.flow.kinds(parent.func)}
            return sorts <= {FUNCTION, METHOD, CLASS}
        # A default, or a statement of its own.
        return isinstance(parent, (ast.arguments, ast.Expr))

    def _is_paired(self, node: ast.Tuple) -> bool:
        """`a, b = c, d`: as two assignments."""
        parent = self._parents[id(node)]
        sides = [parent.value, *parent.targets] if isinstance(parent, ast.Assign) else []
        return bool(sides) and all(isinstance(side, ast.Tuple) and len(side.elts) == len(node.elts) for side in sides)

    def _runs_once(self, node: ast.AST) -> bool:
        """Whether the place where something is made or called is passed once in the life of the program."""
        if not isinstance(node, ast.Call):
            return False
        place: ast.AST = node
        while id(place) in self._parents and not isinstance(place, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if isinstance(place, _LOOPS):
                return False
            place = self._parents[id(place)]
        if isinstance(place, ast.Module):
            return True
        key = next(key for key, (_, function) in self.flow.functions.items() if function is place)
        owner = key.rpartition(".")[0]
        if key.endswith(".__init__"):
            return owner in self.classes
        callers = self._calls[key]
        return len(callers) == 1 and callers[0] is not node and self._runs_once(callers[0])
