"""What is done with the values of namedtuples in all files: what a plain tuple would not do alike is refused.

A namedtuple and the plain tuple in its place are the same to whoever hands them on, puts them away, compares them with
None or reads their fields. They are not to whoever counts, unpacks, orders, prints or spreads them, or compares those
of different kinds.
"""

import ast
from collections.abc import Iterator

from .flow import Flow
from .flow_program import CLASS, FUNCTION, METHOD, TUPLE

# Methods of containers that put one in, and how many of their arguments are not what is put in.
_PUT = {"append": 0, "appendleft": 0, "insert": 1, "setdefault": 1, "get": 1, "pop": 1, "extend": 0}
# Builtins to which only matters what kind of thing they get, or that hand on what is in a container.
_HARMLESS = {"isinstance", "len", "list", "tuple", "reversed", "iter", "next", "enumerate", "zip"}
_HARMLESS_TO_ONE = {"isinstance"}
# What hands a value on as it is, or reads a field.
_UNREAD = (
    *(ast.Return, ast.Yield, ast.Expr, ast.List, ast.Tuple, ast.NamedExpr, ast.AnnAssign, ast.Lambda, ast.arguments),
    *(ast.Assign, ast.Attribute, ast.IfExp),
)
_TESTS = (ast.If, ast.While, ast.BoolOp, ast.Assert)


class Uses:
    """The uses in all files."""

    def __init__(self, trees: "dict[str, ast.Module]", flow: Flow) -> None:
        self._trees = trees
        self._flow = flow
        self._parents = {
            id(child): (module, node)
            for module, tree in trees.items()
            for node in ast.walk(tree)
            for child in ast.iter_child_nodes(node)
        }

    def check(self) -> None:
        """ValueError for the first use that would not stay the same."""
        for tree in self._trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.expr) and not isinstance(node, ast.Constant):
                    why = self._fault(node)
                    if why:
                        raise self.error(node, why)

    def error(self, node: ast.AST, why: str) -> ValueError:
        module, line = self.where(node)
        return ValueError("%s: %s: %s" % (module, line, why))

    def where(self, node: ast.AST) -> "tuple[str, str]":
        """(module, first line of the statement) of a node."""
        module = ""
        inner = node
        while not isinstance(inner, ast.stmt) and id(inner) in self._parents:
            module, inner = self._parents[id(inner)]
        module = self._parents[id(inner)][0] if id(inner) in self._parents else module
        return module, ast.unparse(inner).split("\n")[0]

    def function_of(self, node: ast.AST) -> "ast.AST | None":
        """The function around a node."""
        while id(node) in self._parents:
            node = self._parents[id(node)][1]
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                return node
        return None

    def tuples_in(self, node: ast.expr) -> "set[str]":
        """Keys of the namedtuples that an expression may be one of."""
        return set(_keys(self._flow.kinds(node)))

    def _fault(self, node: ast.expr) -> str:
        """Why what happens to a value cannot stay as it is, or ""."""
        kinds = self.tuples_in(node)
        parts = set(_keys(self._flow.parts(node)))
        parent = self._parents[id(node)][1]
        if isinstance(parent, ast.keyword):
            parent = self._parents[id(parent)][1]
        if isinstance(parent, ast.Call) and parent.func is not node and (kinds or parts):
            return self._fault_of_call(parent, node, bool(kinds))
        if isinstance(parent, ast.Compare) and (kinds or parts):
            return self._fault_of_compare(parent)
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mod) and (kinds or parts):
            return "a text of a namedtuple would be another: tell the fields one by one"
        if isinstance(node, (ast.Tuple, ast.List)) and kinds:
            return "a namedtuple is unpacked: name its fields"
        return self._fault_of_one(node, parent, kinds) if kinds else ""

    def _fault_of_one(self, node: ast.expr, parent: ast.AST, kinds: "set[str]") -> str:
        if isinstance(parent, _TESTS) or (isinstance(parent, ast.IfExp) and parent.test is node) or _is_not(parent):
            empty = [key for key in kinds if not self._flow.tuples[key]]
            if not empty:
                return ""
            return "a namedtuple without fields is false, a plain tuple in its place is true: compare with None"
        if isinstance(parent, _UNREAD):
            return ""
        is_element = isinstance(parent, (ast.ListComp, ast.GeneratorExp)) and parent.elt is node
        is_value = isinstance(parent, ast.Dict) and any(value is node for value in parent.values)
        is_whole = isinstance(parent, (ast.Subscript, ast.DictComp)) and parent.value is node
        if is_element or is_value or is_whole or isinstance(getattr(node, "ctx", None), ast.Store):
            return ""
        return "a namedtuple may be here, and a plain tuple in its place would not do the same: use its fields"

    def _fault_of_call(self, call: ast.Call, node: ast.expr, is_one: bool) -> str:
        """Of what is handed to a function: ours take anything; of others it must be known what they do with it."""
        foreign = [kind for kind in self._flow.kinds(call.func) if not self._is_ours(kind)]
        if not foreign:
            return ""
        what = call.func
        if isinstance(what, ast.Attribute) and what.attr in _PUT:
            number = next((n for n, item in enumerate(call.args) if item is node), -1)
            if number >= _PUT[what.attr] and not (is_one and what.attr == "extend"):
                return ""
        if isinstance(what, ast.Name) and what.id in (_HARMLESS_TO_ONE if is_one else _HARMLESS):
            return ""
        return "a namedtuple is handed to %s, to which a plain tuple is something else" % ast.unparse(what)

    def _is_ours(self, kind: str) -> bool:
        sort, _, key = kind.partition(":")
        if sort != CLASS or key in self._flow.tuples:
            return sort in (CLASS, FUNCTION, METHOD)
        owner: str | None = key
        while owner is not None:
            if "%s.__init__" % owner in self._flow.functions:
                return True
            owner = self._flow.bases.get(owner)
        return False

    def _fault_of_compare(self, node: ast.Compare) -> str:
        sides = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(op, (ast.Is, ast.IsNot)):
                continue
            if not isinstance(op, (ast.Eq, ast.NotEq)) or not self._differ_alike(left, right):
                return "plain tuples of two kinds do not compare like namedtuples: compare their fields"
        return ""

    def _differ_alike(self, left: ast.expr, right: ast.expr) -> bool:
        """Whether two values of different kinds were never equal before either."""
        if isinstance(left, ast.Constant) or isinstance(right, ast.Constant):
            return True
        kinds = self._flow.kinds(left) | self._flow.kinds(right)
        keys = list(_keys(kinds))
        sizes = [len(self._flow.tuples[key]) for key in keys]
        return len(keys) == len(kinds) and len(set(sizes)) == len(sizes)


def _keys(kinds: "frozenset[str]") -> "Iterator[str]":
    for kind in kinds:
        sort, _, key = kind.partition(":")
        if sort == TUPLE:
            yield key


def _is_not(node: ast.AST) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
